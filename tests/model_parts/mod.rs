//! The world of the model test: what can happen in it, and what must be true of it at all times.
//!
//! Never looks inside a map: all it knows comes from the public face and from the truth.

mod follower;
mod op;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use globe::{Error, ErrorKind, Expected, Globe, LogClient, MemoryLog, Phase, Position, Result};
use tokio::sync::Mutex;

use crate::rig::shown::content;
use crate::rig::truth::Truth;
use crate::rig::{Around, delete_raw, keyspace, within, write_raw};
use follower::Follower;
pub(crate) use op::{Op, op};

pub(crate) type Numbers = Globe<String, u64>;

const SPACE: &str = "numbers";
const MOST_MAPS: usize = 4;

/// One map, its own way to the log, and what was seen of it.
struct Node {
    way: Around,
    map: Numbers,
    followers: RefCell<Vec<Follower>>,
    last: Cell<Option<Position>>,
}

/// A write, and what was answered.
struct Answer {
    value: u64,
    outcome: Result<Option<Position>>,
}

pub(crate) struct World {
    log: MemoryLog,
    truth: Mutex<Truth>,
    nodes: RefCell<Vec<std::rc::Rc<Node>>>,
    answers: RefCell<Vec<Answer>>,
    /// Every value written is another one, so that each write can be told in the history.
    value: Cell<u64>,
}

impl World {
    pub(crate) async fn begin() -> World {
        let log = MemoryLog::builder().page_size(2).build();
        for key in ["a", "b/1"] {
            write_raw(&log, SPACE, key, b"0").await;
        }
        let world = World {
            truth: Mutex::new(Truth::begin(&log, keyspace(SPACE)).await),
            log,
            nodes: RefCell::default(),
            answers: RefCell::default(),
            value: Cell::new(1),
        };
        world.open();
        world.open();
        world
    }

    fn open(&self) {
        if self.nodes.borrow().len() >= MOST_MAPS {
            return;
        }
        let way = Around::new(&self.log);
        let map = Globe::builder(way.clone(), SPACE)
            .retry(Duration::from_millis(5), Duration::from_millis(20))
            .deadline(Duration::from_secs(2))
            .start()
            .unwrap();
        let followers = RefCell::new(follower::all(&map));
        let last = Cell::new(None);
        self.nodes.borrow_mut().push(std::rc::Rc::new(Node {
            way,
            map,
            followers,
            last,
        }));
    }

    fn node(&self, number: usize) -> std::rc::Rc<Node> {
        let nodes = self.nodes.borrow();
        std::rc::Rc::clone(&nodes[number % nodes.len()])
    }

    fn fresh(&self) -> u64 {
        self.value.set(self.value.get() + 1);
        self.value.get()
    }

    pub(crate) async fn perform(&self, op: Op) {
        match op {
            Op::Open => self.open(),
            Op::Cut(node, is_cut) => self.node(node).way.cut(is_cut),
            Op::Silence => self.silence().await,
            Op::Compact => self.compact().await,
            Op::Restore(loses) => self.restore(loses).await,
            Op::Pause(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            Op::Poll(node, follower) => self.node(node).poll(follower),
            Op::RawPut(key) => {
                let value = self.fresh().to_string();
                write_raw(&self.log, SPACE, key, value.as_bytes()).await;
            }
            Op::RawDelete(key) => drop(delete_raw(&self.log, SPACE, key).await),
            Op::Elsewhere => drop(write_raw(&self.log, "elsewhere", "x", b"0").await),
            write => self.write(write).await,
        }
    }

    async fn silence(&self) {
        let mut truth = self.truth.lock().await;
        truth.catch_up().await;
        self.log.silence_open_tails();
        truth.reopen().await;
    }

    async fn compact(&self) {
        let mut truth = self.truth.lock().await;
        truth.catch_up().await;
        self.log.compact(truth.known().revision).unwrap();
    }

    /// Goes back to a backup from just now, after more was written; or loses everything.
    async fn restore(&self, loses: bool) {
        let mut truth = self.truth.lock().await;
        let backup = self.log.backup();
        for key in ["a", "b"] {
            let value = self.fresh().to_string();
            write_raw(&self.log, SPACE, key, value.as_bytes()).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        truth.catch_up().await;
        if loses {
            self.log.wipe();
        } else {
            self.log.restore(&backup);
        }
        truth.follow_restore().await;
    }

    async fn write(&self, op: Op) {
        let value = self.fresh();
        let place = |written: globe::Written| Some(written.position());
        let outcome = match op {
            Op::Put(node, key) => self.node(node).map.put(key, value).await.map(place),
            Op::Create(node, key) => self.node(node).map.create(key, value).await.map(place),
            Op::PutIf(node, key) => {
                let node = self.node(node);
                let known = node
                    .map
                    .get_entry(key)
                    .map(|entry| Expected::At(entry.version()));
                let guard = known.unwrap_or(Expected::Absent);
                tokio::task::yield_now().await;
                node.map.put_if(key, value, guard).await.map(place)
            }
            Op::Update(node, key) => self
                .node(node)
                .map
                .update(key, |_| value)
                .await
                .map(|_| None),
            Op::PutAll(node, keys) => {
                let entries = keys.into_iter().map(|key| (key.to_owned(), value));
                let written = self.node(node).map.put_all(entries).await;
                written.map(|all| all.position())
            }
            Op::Transact(node, one, other) => {
                let map = self.node(node).map.clone();
                let body = map.transact(|txn| {
                    let old = txn.get(&map, one)?;
                    txn.put(&map, other, value)?;
                    if old.is_some() {
                        txn.delete(&map, one)
                    } else {
                        txn.put(&map, one, value)
                    }
                });
                // With one and the same key the last write counts, which may be the delete.
                let outcome = body.await.map(|_| None);
                if one == other {
                    Err(Error::new(ErrorKind::Indeterminate, "not told apart"))
                } else {
                    outcome
                }
            }
            Op::Delete(node, key) => {
                return allowed(self.node(node).map.delete(key).await.map(drop));
            }
            Op::DeletePrefix(node, prefix) => {
                return allowed(self.node(node).map.delete_prefix(prefix).await.map(drop));
            }
            other => unreachable!("{other:?} writes nothing"),
        };
        self.answers.borrow_mut().push(Answer { value, outcome });
    }

    /// What must be true at all times.
    pub(crate) async fn check(&self) {
        let mut truth = self.truth.lock().await;
        truth.catch_up().await;
        for node in self.nodes.borrow().iter() {
            node.check(&truth);
        }
        self.check_answers(&truth);
    }

    fn check_answers(&self, truth: &Truth) {
        for Answer { value, outcome } in self.answers.borrow().iter() {
            let commits = truth.commits_of(*value);
            match outcome {
                Ok(position) => {
                    let mut revisions = commits.to_vec();
                    revisions.dedup();
                    assert_eq!(
                        revisions.len(),
                        1,
                        "{value} was acknowledged: committed exactly once"
                    );
                    assert!(
                        position.is_none_or(|position| position == commits[0]),
                        "{value}"
                    );
                }
                Err(error) => match error.kind() {
                    ErrorKind::Conflict(_) | ErrorKind::Unavailable => {
                        assert!(
                            commits.is_empty(),
                            "{value} was refused, and yet committed: {error}"
                        );
                    }
                    ErrorKind::Behind(position) => {
                        assert_eq!(commits.first(), Some(position), "{error}")
                    }
                    _ => allowed(Err(error.clone())),
                },
            }
        }
    }

    /// Everything is mended, everybody catches up, and everything adds up.
    pub(crate) async fn end(self) {
        let nodes = self.nodes.borrow().clone();
        for node in &nodes {
            node.way.cut(false);
        }
        for node in &nodes {
            within(
                "the map lives again",
                node.map
                    .wait_for(|view| view.position().epoch == self.log.head_position().epoch),
            )
            .await
            .unwrap();
            within("a sync", node.map.sync()).await.unwrap();
            assert_eq!(node.map.status().phase, Phase::Live);
        }
        self.check().await;
        let truth = self.truth.lock().await;
        let head = truth.at(self.log.head(&keyspace(SPACE)).await.unwrap());
        for node in &nodes {
            assert_eq!(content(&node.map.view()), head);
            assert_eq!(node.map.status().violations, 0);
            for follower in node.followers.borrow_mut().iter_mut() {
                follower.drain(&truth);
                follower.stands_at(&head);
            }
        }
    }
}

impl Node {
    fn check(&self, truth: &Truth) {
        let view = self.map.view();
        if self.map.status().position.is_none() {
            assert!(view.is_empty(), "nothing is shown before all is known");
            return;
        }
        assert_eq!(
            content(&view),
            truth.at(view.position()),
            "the view at {}",
            view.position()
        );
        for (key, entry) in view.iter() {
            assert_eq!(
                self.map.get(key).as_ref(),
                Some(entry.value()),
                "{key}: the index is level"
            );
        }
        let last = self.last.replace(Some(view.position()));
        let fell_back = last.is_some_and(|last| {
            last.epoch == view.position().epoch && last.revision > view.position().revision
        });
        assert!(!fell_back, "{last:?} and then {}", view.position());
        for follower in self.followers.borrow_mut().iter_mut() {
            follower.check(truth);
        }
    }

    fn poll(&self, follower: usize) {
        let mut followers = self.followers.borrow_mut();
        let count = followers.len();
        followers[follower % count].poll();
    }
}

/// Of what may go wrong in this world, everything is an honest error.
fn allowed(outcome: Result<()>) {
    let Err(error) = outcome else { return };
    let is_allowed = matches!(
        error.kind(),
        ErrorKind::Conflict(_)
            | ErrorKind::Unavailable
            | ErrorKind::Indeterminate
            | ErrorKind::Behind(_)
            | ErrorKind::Stale
            | ErrorKind::EpochChanged
    );
    assert!(is_allowed, "{error}");
}
