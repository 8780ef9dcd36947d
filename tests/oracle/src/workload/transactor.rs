//! Transactions that keep an invariant: twins, a bank, and lists that grow.
//!
//! It touches only the keys `twin…`, `account…` and `list…`.

use std::collections::BTreeMap;

use globe::{Result, Txn};

use super::client::{Client, Underway, place};
use super::recording::outcome;
use super::{Map, Node};
use crate::history::{Action, Place, Value};

/// What an account holds before its first transfer.
pub(crate) const BALANCE: i64 = 100;

/// Elements after which a list is left alone and another one grows.
const FULL: usize = 40;

impl Client {
    pub(crate) async fn transact(&mut self) {
        match self.rng.u8(..10) {
            0..3 => self.twins().await,
            3..6 => self.transfer().await,
            _ => self.append().await,
        }
    }

    /// Writes the same into three keys of two maps.
    async fn twins(&mut self) {
        let Node { first, second } = self.node().clone();
        let mut underway = self.begin(nothing_yet());
        let returned = first
            .transact(|txn| {
                let value = underway.attempt();
                let mut attempt = Attempt::new(txn, &mut underway);
                attempt.put(&first, "twin-a", value.clone())?;
                attempt.put(&first, "twin-b", value.clone())?;
                attempt.put(&second, "twin-c", value)
            })
            .await;
        underway.ends(outcome(returned.map(|it| Some(it.position()))));
    }

    /// Moves an amount from one account to another.
    async fn transfer(&mut self) {
        let map = self.node().first.clone();
        let from = self.rng.usize(..self.keys);
        let to = (from + 1 + self.rng.usize(..self.keys.max(2) - 1)) % self.keys.max(2);
        let amount = self.rng.i64(1..10);
        let moves = BTreeMap::from([
            (format!("account-{from}"), -amount),
            (format!("account-{to}"), amount),
        ]);
        let mut underway = self.begin(nothing_yet());
        let returned = map
            .transact(|txn| {
                let value = underway.attempt();
                let mut attempt = Attempt::new(txn, &mut underway);
                for (account, delta) in &moves {
                    let held = attempt.get(&map, account)?;
                    let amount = held.map_or(BALANCE, |held| held.amount) + delta;
                    let value = Value {
                        amount,
                        ..value.clone()
                    };
                    attempt.put(&map, account, value)?;
                }
                Ok(())
            })
            .await;
        underway.ends(outcome(returned.map(|it| Some(it.position()))));
    }

    /// Reads some lists and appends to some of them, over both maps.
    async fn append(&mut self) {
        let mut lists = Vec::new();
        for _ in 0..self.rng.usize(1..=3) {
            let map = self.map();
            let list = self.rng.usize(..self.keys);
            lists.push((map, list, self.rng.bool()));
        }
        let leader = lists[0].0.clone();
        let mut underway = self.begin(nothing_yet());
        let returned = leader
            .transact(|txn| {
                let value = underway.attempt();
                let mut attempt = Attempt::new(txn, &mut underway);
                for (map, list, appends) in &lists {
                    let key = growing(map, *list);
                    let held = attempt.get(map, &key)?;
                    if *appends && !attempt.wrote(map, &key) {
                        let mut list = held.map(|held| held.list).unwrap_or_default();
                        list.push(value.tag.clone());
                        let value = Value {
                            list,
                            ..value.clone()
                        };
                        attempt.put(map, &key, value)?;
                    }
                }
                Ok(())
            })
            .await;
        underway.ends(outcome(returned.map(|it| Some(it.position()))));
    }
}

/// The generation of a list that still grows.
fn growing(map: &Map, list: usize) -> String {
    let is_full = |key: &String| map.get(key).is_some_and(|value| value.list.len() >= FULL);
    let mut generations = (0..).map(|generation| format!("list-{list}-{generation}"));
    generations
        .find(|key| !is_full(key))
        .unwrap_or_else(|| format!("list-{list}-0"))
}

fn nothing_yet() -> Action {
    Action::Transact {
        reads: Vec::new(),
        writes: Vec::new(),
    }
}

/// One call of a transaction's closure: does, and says what it does.
struct Attempt<'a, 'b> {
    txn: &'a mut Txn<'b>,
    underway: &'a mut Underway,
    reads: Vec<(Place, Option<Value>)>,
    writes: Vec<Place>,
}

impl<'a, 'b> Attempt<'a, 'b> {
    fn new(txn: &'a mut Txn<'b>, underway: &'a mut Underway) -> Attempt<'a, 'b> {
        Attempt {
            txn,
            underway,
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Reads a key. What this attempt wrote itself is not recorded as read.
    fn get(&mut self, map: &Map, key: &str) -> Result<Option<Value>> {
        let value = self.txn.get(map, key)?.map(|value| (*value).clone());
        let target = place(map, key);
        if !self.writes.contains(&target) {
            self.reads.push((target, value.clone()));
        }
        self.says();
        Ok(value)
    }

    fn wrote(&self, map: &Map, key: &str) -> bool {
        self.writes.contains(&place(map, key))
    }

    fn put(&mut self, map: &Map, key: &str, value: Value) -> Result<()> {
        self.txn.put(map, key, value)?;
        self.writes.push(place(map, key));
        self.says();
        Ok(())
    }

    fn says(&mut self) {
        self.underway.does(Action::Transact {
            reads: self.reads.clone(),
            writes: self.writes.clone(),
        });
    }
}
