//! One client of a shard table: it becomes a member, serves and writes under what it owns, and ends in every way there is, life
//! after life.
//!
//! It judges nothing.

use std::sync::Arc;

use fastrand::Rng;
use futures::FutureExt;
use globe::shards::{Incarnation, Leaver, Mode, Phase, Row, ShardMember};
use globe::{Fenced, Session, Shards};
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::life::Life;
use super::serving::{Server, serve_one};
use super::way::Way;
use super::{SETTLE, Stage};
use crate::history::{Action, Event, LifeDid, Outcome, ShardDid, ShardStep};
use crate::workload::Map;
use crate::workload::client::{Underway, place};
use crate::workload::recording::outcome;

/// How long a member may take to prepare before it is passed over.
const PREPARE: Duration = Duration::from_secs(2);
/// How long one waits for a phase to be killed in, at most.
const MEETS: Duration = Duration::from_millis(1_500);
/// How often one id joins at most: who comes more often is given nothing for a while.
const JOINS: u32 = 3;
/// What the operations of members are counted under: a node of their own, since they are cut off by themselves.
const BESIDE: u32 = 1_000;

/// A client of a table.
pub(crate) struct Client {
    pub(crate) stage: Stage,
    pub(crate) keyspace: &'static str,
    pub(crate) mode: Mode,
    pub(crate) sharded: Map,
    pub(crate) rng: Rng,
    /// The id it has now, and how often that has joined.
    id: (String, u32),
}

/// What serves, of a life: a task that takes steps, or one that runs a closure for each shard.
enum Serving {
    Steps(JoinHandle<globe::Result<()>>, Leaver),
    Runs(JoinHandle<globe::Result<()>>, CancellationToken),
}

/// A life that goes on. Dropped, it is killed.
struct Lived {
    life: Life,
    way: Way,
    table: Shards,
    session: Session,
    serving: Serving,
    writing: JoinHandle<()>,
}

impl Client {
    pub(crate) fn new(
        stage: Stage,
        (keyspace, mode): (&'static str, Mode),
        sharded: Map,
        rng: Rng,
    ) -> Client {
        let id = (String::new(), JOINS);
        Client {
            stage,
            keyspace,
            mode,
            sharded,
            rng,
            id,
        }
    }

    /// Lives until it is stopped, and once more until all is over.
    pub(crate) async fn run(mut self) {
        let played = self.stage.playing();
        for _ in 0..self.stage.recipes.lives {
            if self.stage.stop.is_cancelled() {
                break;
            }
            if let Some(lived) = self.begin().await {
                self.live(lived).await;
            }
            self.stage.rests(&mut self.rng).await;
        }
        let last = loop {
            if let Some(lived) = self.begin().await {
                break lived;
            }
        };
        drop(played);
        self.stage.over.cancelled().await;
        last.life.does(LifeDid::Over);
        self.leave(last).await;
    }

    fn next_id(&mut self) -> String {
        let is_kept = self.id.1 < JOINS && self.rng.bool();
        if !is_kept {
            let number = self.stage.recorder.number();
            self.id = (format!("m{number}"), 0);
        }
        self.id.1 += 1;
        self.id.0.clone()
    }

    /// Becomes a member; nothing if that took too long.
    async fn begin(&mut self) -> Option<Lived> {
        let Stage {
            recipes, recorder, ..
        } = &self.stage;
        let bound = recipes.ttl * 3;
        let way = Way::to(&self.stage.log, recipes.lengthens);
        let table = Shards::builder(way.clone(), self.keyspace)
            .slots(recipes.slots)
            .mode(self.mode)
            .settle(SETTLE)
            .prepare_timeout(PREPARE)
            .open_timeout(bound);
        let session = Session::builder(way.clone())
            .name(format!("{}-{}", self.keyspace, recorder.number()))
            .ttl(recipes.ttl)
            .open_timeout(bound);
        let table = table.open().await.ok()?;
        let session = session.open().await.ok()?;
        // From here on it knows in which life the log is.
        let call = recorder.now();
        let id = self.next_id();
        let life = Life::new(&self.stage.recorder, self.stage.node, self.keyspace, &id);
        let member = ShardMember::new(id);
        let serving = match self.rng.u8(..4) {
            0 => self.runs(&table, &session, member, &life),
            _ => match timeout(bound, table.join(&session, member)).await {
                Ok(Ok(worker)) => {
                    let leaver = worker.leaver();
                    let (rest, calm) = (self.stage.recipes.look_rest, self.stage.stop.clone());
                    let server = Server::new(&life, rest, self.rng.fork(), calm);
                    let serving = async move {
                        server.serve(worker).await;
                        Ok(())
                    };
                    Serving::Steps(tokio::spawn(serving), leaver)
                }
                _ => {
                    life.did(LifeDid::NotBegun, call);
                    return None;
                }
            },
        };
        let began = LifeDid::Began {
            is_sure: true,
            is_listed: true,
        };
        life.did(began, call);
        let writing = tokio::spawn(self.writer(&life, table.clone()).write());
        Some(Lived {
            life,
            way,
            table,
            session,
            serving,
            writing,
        })
    }

    fn runs(
        &mut self,
        table: &Shards,
        session: &Session,
        member: ShardMember,
        life: &Life,
    ) -> Serving {
        let until = CancellationToken::new();
        let (table, session, life) = (table.clone(), session.clone(), life.clone());
        let (rest, calm) = (self.stage.recipes.look_rest, self.stage.stop.clone());
        let rng = std::sync::Mutex::new(self.rng.fork());
        let stopped = until.clone().cancelled_owned();
        let running = async move {
            let work = move |owned| {
                let mut rng = rng
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let flush = match calm.is_cancelled() {
                    true => Duration::ZERO,
                    false => Duration::from_millis(rng.u64(..300)),
                };
                let soon = !calm.is_cancelled() && rng.u8(..8) == 0;
                serve_one(life.clone(), owned, rest, (soon, flush))
            };
            table.run(&session, member, stopped, work).await
        };
        Serving::Runs(tokio::spawn(running), until)
    }

    fn writer(&mut self, life: &Life, table: Shards) -> Writer {
        Writer {
            life: life.clone(),
            stage: self.stage.clone(),
            keyspace: self.keyspace,
            table,
            sharded: self.sharded.clone(),
            rng: self.rng.fork(),
            client: self.stage.recorder.number(),
        }
    }

    /// Lives for a while, is cut off now and then, and ends in some way.
    async fn live(&mut self, lived: Lived) {
        let recipes = self.stage.recipes.clone();
        loop {
            self.stage.rests(&mut self.rng).await;
            if self.stage.stop.is_cancelled() {
                return self.leave(lived).await;
            }
            match self.rng.u8(..10) {
                0..2 if recipes.cuts => {
                    let call = lived.life.now();
                    lived.way.cut(true);
                    lived.life.did(LifeDid::CutOff, call);
                    let lasts = recipes.ttl.mul_f64(self.rng.f64() * 2.5);
                    let _ = timeout(lasts, self.stage.stop.cancelled()).await;
                    let call = lived.life.now();
                    lived.way.cut(false);
                    lived.life.did(LifeDid::Back, call);
                }
                2..4 if recipes.kills => {
                    lived.meets(self.rng.u8(..)).await;
                    return lived.dies().await;
                }
                4 => return lived.ends(self.rng.bool()).await,
                5 => return self.leave(lived).await,
                _ => {}
            }
        }
    }

    /// Gives away what it has, and ends.
    async fn leave(&mut self, mut lived: Lived) {
        lived.writing.abort();
        let mut events = lived.session.events();
        lived.life.does(LifeDid::Leaves);
        let (call, bound) = (lived.life.now(), self.stage.recipes.ttl * 4);
        let has_left = match &mut lived.serving {
            Serving::Steps(_, leaver) => timeout(bound, leaver.clone().leave())
                .await
                .is_ok_and(|left| left.is_ok()),
            Serving::Runs(running, until) => {
                until.cancel();
                matches!(timeout(bound, running).await, Ok(Ok(Ok(()))))
            }
        };
        // Who loses its session meanwhile can give nothing away.
        let stood = events.next().now_or_never().is_none();
        lived.life.did(LifeDid::Left(has_left && stood), call);
        lived.ends(true).await;
    }
}

impl Lived {
    /// Waits until a row names it in the phase that this number means, for a moment.
    async fn meets(&self, dice: u8) {
        let phase = [None, Some(Phase::Prepare), Some(Phase::Drain)][usize::from(dice % 3)];
        let is_mine = |who: Option<&Incarnation>| who.is_some_and(|who| who.id() == self.life.id);
        let role = dice / 3 % 3;
        let meets = |row: &Row| {
            let moves = row.phase == phase && (phase.is_some() || row.prev.is_some());
            let who = match role {
                0 => Some(&row.owner),
                1 => row.next.as_ref().or(row.prev.as_ref()),
                // Whoever it is about: the one who plans, perhaps.
                _ => return moves,
            };
            moves && is_mine(who)
        };
        let waiting = async {
            while !self.table.table().rows().any(|(.., row)| meets(row)) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(MEETS, waiting).await;
    }

    /// Stops at once: nothing more reaches the log.
    async fn dies(self) {
        let call = self.life.now();
        self.way.cut(true);
        self.life.did(LifeDid::Killed, call);
        self.stops().await;
    }

    /// Ends without giving anything away.
    async fn ends(self, by_session: bool) {
        self.life.does(LifeDid::Ended);
        if by_session {
            let _ = timeout(Duration::from_secs(1), self.session.close()).await;
        }
        self.stops().await;
    }

    async fn stops(self) {
        self.writing.abort();
        let (Serving::Steps(task, _) | Serving::Runs(task, _)) = self.serving;
        task.abort();
        while !task.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Who works on whatever the member owns.
struct Writer {
    life: Life,
    stage: Stage,
    keyspace: &'static str,
    table: Shards,
    sharded: Map,
    rng: Rng,
    client: u32,
}

impl Writer {
    async fn write(mut self) {
        loop {
            self.stage.rests_a_bit(&mut self.rng).await;
            let key = self.rng.u32(..).to_string();
            if self.rng.bool() {
                self.work(&key).await;
            } else {
                self.write_under(&key).await;
            }
        }
    }

    fn did(&self, guard: &globe::shards::ShardGuard, did: ShardDid, from: crate::history::At) {
        self.life.recorder.record(Event::ShardStep(ShardStep {
            life: self.life.number,
            shard: guard.shard(),
            token: guard.token(),
            did,
            call: from,
            ret: self.life.now(),
        }));
    }

    /// A piece of work, and whether it was let in all the while.
    async fn work(&mut self, key: &str) {
        let Ok(guard) = self.table.enter(key) else {
            return;
        };
        let from = self.life.now();
        sleep(Duration::from_millis(self.rng.u64(..30))).await;
        let to = self.life.now();
        if guard.still() {
            self.life.recorder.record(Event::ShardStep(ShardStep {
                life: self.life.number,
                shard: guard.shard(),
                token: guard.token(),
                did: ShardDid::Worked,
                call: from,
                ret: to,
            }));
        }
    }

    /// Writes something that may land only while the shard is owned.
    async fn write_under(&mut self, key: &str) {
        let Ok(guard) = self.table.enter(key) else {
            return;
        };
        let map = self.sharded.clone();
        let key = format!("{}/{:05}", self.keyspace, guard.shard());
        let nothing = Action::Transact {
            reads: Vec::new(),
            writes: Vec::new(),
        };
        let who = (self.client, self.stage.node + BESIDE);
        let board = Arc::clone(&self.stage.board);
        let mut underway = Underway::begin(&self.life.recorder, &board, who, nothing);
        let patience = Duration::from_millis(self.rng.u64(..1_500));
        let writing = map.transact(|txn| {
            txn.require(&guard)?;
            let value = underway.attempt();
            self.did(&guard, ShardDid::Writes(value.tag.clone()), self.life.now());
            underway.does(Action::Transact {
                reads: Vec::new(),
                writes: vec![place(&map, key.as_str())],
            });
            txn.put(&map, key.as_str(), value)
        });
        let written = timeout(patience, writing).await;
        underway.ends(match written {
            Ok(written) => outcome(written.map(|it| Some(it.position()))),
            Err(_) => Outcome::Never,
        });
    }
}
