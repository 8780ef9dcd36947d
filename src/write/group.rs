//! Transactions of one map that can be one: they touch no key in common, and fit into what the log takes.
//!
//! It never sends anything.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{Capabilities, Conflict, Error, Position, Result, Transaction};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How far from each other the deadlines may be of what is combined: it is all sent with the first of them.
const NEAR: Duration = Duration::from_millis(250);

/// A transaction that nobody has sent yet.
pub(crate) struct Waiting {
    pub(crate) number: u64,
    pub(crate) transaction: Transaction,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Result<Position>>,
}

impl Waiting {
    pub(crate) fn answer(self, answer: Result<Position>) {
        // Who is gone wants none.
        let _ = self.answer.send(answer);
    }
}

/// What is to be sent together.
#[derive(Default)]
pub(crate) struct Group {
    members: Vec<Waiting>,
    keys: HashSet<Bytes>,
    operations: usize,
    bytes: usize,
}

impl Group {
    /// Whether this can be one transaction with those that are there.
    pub(crate) fn takes(&self, waiting: &Waiting, capabilities: &Capabilities) -> bool {
        let Some(first) = self.members.first() else {
            return true;
        };
        let (earlier, later) = match waiting.deadline < first.deadline {
            true => (waiting.deadline, first.deadline),
            false => (first.deadline, waiting.deadline),
        };
        let transaction = &waiting.transaction;
        // Without a fence it has to be settled by the guards of each: a guard on absence would spoil it for all.
        capabilities.fenced
            && later.duration_since(earlier) <= NEAR
            && transaction.epoch() == first.transaction.epoch()
            && self.operations + operations(transaction) <= capabilities.max_operations
            && self.bytes + transaction.bytes() <= capabilities.max_transaction_bytes
            && keys(transaction).all(|key| !self.keys.contains(key))
    }

    pub(crate) fn add(&mut self, waiting: Waiting) {
        let transaction = &waiting.transaction;
        self.operations += operations(transaction);
        self.bytes += transaction.bytes();
        self.keys.extend(keys(transaction).cloned());
        self.members.push(waiting);
    }

    pub(crate) fn into_members(self) -> Vec<Waiting> {
        self.members
    }
}

/// All that it touches. Of one map: so the keyspaces are the same.
fn keys(transaction: &Transaction) -> impl Iterator<Item = &Bytes> {
    let compared = transaction.preconditions().iter().map(|(_, key, _)| key);
    let written = transaction.writes().iter().map(|(_, key, _)| key);
    compared.chain(written)
}

fn operations(transaction: &Transaction) -> usize {
    let (writes, compared) = (
        transaction.writes().len(),
        transaction.preconditions().len(),
    );
    writes.max(compared)
}

/// All of it as one transaction.
pub(crate) fn together(group: &[Waiting]) -> Transaction {
    let operations = group.iter().map(|it| operations(&it.transaction)).sum();
    let epoch = group.first().and_then(|it| it.transaction.epoch());
    let mut all = Transaction::with_capacity(operations).within(epoch);
    for Waiting { transaction, .. } in group {
        for (keyspace, key, precondition) in transaction.preconditions() {
            all = all.when(keyspace, key.clone(), *precondition);
        }
        for (keyspace, key, write) in transaction.writes() {
            all = all.write(keyspace, key.clone(), write.clone());
        }
    }
    all
}

/// Tells those whose keys a conflict names; how many they are.
pub(crate) fn answer_refused(group: &mut Vec<Waiting>, conflict: &Conflict) -> usize {
    let own = |waiting: &Waiting| {
        let failed = conflict.failed.iter();
        let own = failed.filter(|failed| keys(&waiting.transaction).any(|key| key == failed.key()));
        own.cloned().collect::<Vec<_>>()
    };
    let before = group.len();
    for waiting in std::mem::take(group) {
        match own(&waiting) {
            own if own.is_empty() => group.push(waiting),
            own => {
                let conflict = Conflict::new(conflict.position, own);
                waiting.answer(Err(Error::conflict(conflict)));
            }
        }
    }
    before - group.len()
}
