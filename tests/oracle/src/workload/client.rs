//! One client: it does one operation after the other, by its own dice.
//!
//! It never has two operations under way, so that the order of what it saw is known.

use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use globe::Position;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Map, Node};
use crate::history::{Action, Event, Op, Outcome, Place, Value};
use crate::recorder::Recorder;

/// How long a caller that gives up waits at most: longer than a log that is well needs, shorter than one that is not.
const LONGEST_PATIENCE: Duration = Duration::from_millis(500);

/// What a client does for a living.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Writer,
    Transactor,
    Waiter,
}

/// Where clients leave the positions they have seen, for others on other nodes.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Vec<(String, Position)>>);

impl Board {
    /// Leaves a position of a keyspace.
    pub(crate) fn post(&self, keyspace: &str, position: Position) {
        let mut posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posts.retain(|(there, _)| there != keyspace);
        posts.push((keyspace.to_owned(), position));
    }

    /// The newest position somebody left.
    pub(crate) fn read(&self, keyspace: &str) -> Option<Position> {
        let posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let post = posts.iter().find(|(there, _)| there == keyspace);
        post.map(|(_, position)| *position)
    }
}

pub(crate) struct Client {
    pub(crate) number: u32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) home: usize,
    pub(crate) recorder: Recorder,
    pub(crate) rng: Rng,
    pub(crate) board: Arc<Board>,
    pub(crate) keys: usize,
    /// Of a hundred operations, how many are given up when they take a while.
    pub(crate) impatient: u8,
}

impl Client {
    pub(crate) async fn run(
        mut self,
        kind: Kind,
        ops: usize,
        rest: Duration,
        stop: CancellationToken,
    ) {
        for _ in 0..ops {
            if stop.is_cancelled() {
                return;
            }
            self.home = match self.rng.u8(..10) {
                0 => self.rng.usize(..self.nodes.len()),
                _ => self.home,
            };
            self.operate(kind).await;
            let pause = rest.mul_f64(self.rng.f64());
            tokio::select! {
                biased;
                () = sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Does one operation, or gives it up on the way.
    async fn operate(&mut self, kind: Kind) {
        match kind {
            Kind::Waiter => self.wait().await,
            _ if self.is_impatient() => self.give_up(kind).await,
            Kind::Writer => self.write().await,
            Kind::Transactor => self.transact().await,
        }
    }

    fn is_impatient(&mut self) -> bool {
        self.impatient > 0 && self.rng.u8(..100) < self.impatient
    }

    /// Does one operation for as long as its caller has patience.
    async fn give_up(&mut self, kind: Kind) {
        let patience = LONGEST_PATIENCE.mul_f64(self.rng.f64());
        let operation = self.patient().operate_once(kind);
        if self.rng.bool() {
            let _ = timeout(patience, operation).await;
        } else {
            let mut task = JoinSet::new();
            task.spawn(operation);
            let _ = timeout(patience, task.join_next()).await;
            task.shutdown().await;
        }
    }

    /// The same, for one operation that may have to be dropped with all it holds.
    fn patient(&mut self) -> Client {
        Client {
            nodes: self.nodes.clone(),
            recorder: self.recorder.clone(),
            rng: self.rng.fork(),
            board: Arc::clone(&self.board),
            impatient: 0,
            ..*self
        }
    }

    async fn operate_once(mut self, kind: Kind) {
        match kind {
            Kind::Transactor => self.transact().await,
            _ if self.rng.bool() => self.write_cold().await,
            _ => self.write().await,
        }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.nodes[self.home]
    }

    /// One of this node's maps.
    pub(crate) fn map(&mut self) -> Map {
        let index = usize::from(self.rng.u8(..4) == 0);
        self.node().maps()[index].clone()
    }

    /// Begins an operation.
    pub(crate) fn begin(&self, action: Action) -> Underway {
        let node = u32::try_from(self.home).unwrap_or(u32::MAX);
        Underway::begin(&self.recorder, &self.board, (self.number, node), action)
    }
}

/// An operation under way: recorded when it ends, and when it is dropped before that.
pub(crate) struct Underway {
    recorder: Recorder,
    board: Arc<Board>,
    op: Option<Op>,
}

impl Underway {
    /// Begins an operation of a client on a node.
    pub(crate) fn begin(
        recorder: &Recorder,
        board: &Arc<Board>,
        (client, node): (u32, u32),
        action: Action,
    ) -> Underway {
        Underway {
            recorder: recorder.clone(),
            board: Arc::clone(board),
            op: Some(Op {
                client,
                node,
                action,
                tags: Vec::new(),
                call: recorder.now(),
                ret: None,
                given_up: None,
                outcome: Outcome::Never,
            }),
        }
    }

    /// Begins an attempt: a value with a tag that nobody else ever uses.
    pub(crate) fn attempt(&mut self) -> Value {
        let number = self.recorder.number();
        let client = self.op.as_ref().map_or(0, |op| op.client);
        let tag = format!("c{client}-{number}");
        if let Some(op) = &mut self.op {
            op.tags.push(tag.clone());
        }
        Value {
            tag,
            ..Value::default()
        }
    }

    /// Says more exactly what this attempt does.
    pub(crate) fn does(&mut self, action: Action) {
        if let Some(op) = &mut self.op {
            op.action = action;
        }
    }

    /// It returned this.
    pub(crate) fn ends(mut self, outcome: Outcome) {
        let Some(mut op) = self.op.take() else {
            return;
        };
        let now = Some(self.recorder.now());
        match outcome {
            Outcome::Never => op.given_up = now,
            _ => op.ret = now,
        }
        op.outcome = outcome;
        if let (Outcome::Done(Some(position)), Some(keyspace)) = (&op.outcome, keyspace(&op.action))
        {
            self.board.post(keyspace, *position);
        }
        self.recorder.record(Event::Op(op));
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(mut op) = self.op.take() {
            op.given_up = Some(self.recorder.now());
            self.recorder.record(Event::Op(op));
        }
    }
}

fn keyspace(action: &Action) -> Option<&str> {
    match action {
        Action::Sync(keyspace) | Action::ViewAt(keyspace, _) => Some(keyspace),
        action => action.places().first().map(|place| place.keyspace.as_str()),
    }
}

/// A key of a map.
pub(crate) fn place(map: &Map, key: impl Into<String>) -> Place {
    Place {
        keyspace: map.keyspace().to_string(),
        key: key.into(),
    }
}
