//! The clients of a run: writers, transactors, samplers, waiters and watchers on several nodes, all told by one seed.
//!
//! It injects no fault and judges nothing; it only does, and records what it did and saw.

mod claiming;
mod client;
mod recipes;
mod recording;
mod sampler;
mod transactor;
mod waiter;
mod watcher;
mod writer;

use std::sync::Arc;

use fastrand::Rng;
use globe::Globe;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::history::{Event, Limits, Read, Run, Value};
use crate::recorder::Recorder;
use client::{Board, Client};
use recording::shown;

pub use claiming::{CLAIM_KEYSPACES, Claimants, Claiming};
pub(crate) use claiming::{CLAIMS, PRESENT};
pub(crate) use recipes::{AVAILABLE, LIMIT, SERVICES, STRICT, TUNING, is_good};
pub use recipes::{Players, RECIPE_KEYSPACES, Recipes};
pub(crate) use transactor::BALANCE;

/// A map of a node.
pub type Map = Globe<String, Value>;

/// The keyspaces of a node's two maps.
pub const KEYSPACES: [&str; 2] = ["first", "second"];

/// One node: two maps of one log.
#[derive(Clone, Debug)]
pub struct Node {
    /// The map of keyspace `first`.
    pub first: Map,
    /// The map of keyspace `second`.
    pub second: Map,
}

impl Node {
    /// Both maps.
    pub(crate) fn maps(&self) -> [&Map; 2] {
        [&self.first, &self.second]
    }
}

/// What a run does. Change what differs.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Everything is decided by it.
    pub seed: u64,
    /// Clients that write single keys.
    pub writers: usize,
    /// Clients that transact.
    pub transactors: usize,
    /// Readers, on every node.
    pub samplers: usize,
    /// Callers of `sync` and `view_at`.
    pub waiters: usize,
    /// Watches of each kind, on every node.
    pub watches: usize,
    /// Operations of each client; clients stop earlier when the run is finished earlier.
    pub ops: usize,
    /// Keys of each kind.
    pub keys: usize,
    /// Of a hundred operations of writers and transactors, how many are given up when they take a while: by dropping their
    /// future, or by aborting their task.
    pub impatient: u8,
    /// The longest rest of a client between two operations.
    pub rest: Duration,
    /// The longest rest of a reader between two reads.
    pub read_rest: Duration,
    /// Readers are threads of the operating system. Not with a paused clock.
    pub threads: bool,
    /// The log promises [`Capabilities::fenced`](globe::Capabilities::fenced).
    pub fenced: bool,
    /// The log keeps its contract.
    pub honest: bool,
    /// The bounds the run is judged by.
    pub limits: Limits,
}

impl Workload {
    /// A small run for a paused clock: a second or two of its time, some milliseconds of ours.
    #[must_use]
    pub fn light(seed: u64) -> Workload {
        Workload {
            seed,
            writers: 3,
            transactors: 2,
            samplers: 1,
            waiters: 1,
            watches: 1,
            ops: 15,
            keys: 4,
            impatient: 0,
            rest: Duration::from_millis(100),
            read_rest: Duration::from_millis(50),
            threads: false,
            fenced: true,
            honest: true,
            limits: Limits::default(),
        }
    }

    /// A long run against a real log: clients go on until the run is finished, readers are threads.
    #[must_use]
    pub fn heavy(seed: u64) -> Workload {
        Workload {
            writers: 6,
            transactors: 4,
            samplers: 1,
            waiters: 2,
            watches: 1,
            ops: usize::MAX,
            keys: 10,
            rest: Duration::from_millis(40),
            read_rest: Duration::from_millis(20),
            threads: true,
            ..Workload::light(seed)
        }
    }

    /// Starts it on these nodes. The keyspaces must be [`KEYSPACES`].
    #[must_use]
    pub fn start(&self, nodes: &[Node], recorder: &Recorder) -> Running {
        recorder.record(Event::Run(Run {
            seed: self.seed,
            nodes: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
            fenced: self.fenced,
            honest: self.honest,
            limits: self.limits.clone(),
        }));
        let mut running = Running {
            nodes: nodes.to_vec(),
            recorder: recorder.clone(),
            clients: JoinSet::new(),
            readers: JoinSet::new(),
            threads: Vec::new(),
            watchers: JoinSet::new(),
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
            end: CancellationToken::new(),
        };
        let mut rng = Rng::with_seed(self.seed);
        running.start_watchers(self, &mut rng);
        running.start_readers(self, &mut rng);
        running.start_clients(self, &mut rng);
        running
    }
}

/// A run under way. Dropping it stops everything.
#[derive(Debug)]
pub struct Running {
    nodes: Vec<Node>,
    recorder: Recorder,
    clients: JoinSet<()>,
    readers: JoinSet<()>,
    threads: Vec<std::thread::JoinHandle<()>>,
    watchers: JoinSet<()>,
    /// Clients begin nothing new.
    stop: CancellationToken,
    /// Readers end.
    over: CancellationToken,
    /// Watchers take what is there and end.
    end: CancellationToken,
}

impl Running {
    fn start_clients(&mut self, workload: &Workload, rng: &mut Rng) {
        let board = Arc::new(Board::default());
        let kinds = [
            (client::Kind::Writer, workload.writers),
            (client::Kind::Transactor, workload.transactors),
            (client::Kind::Waiter, workload.waiters),
        ];
        for (kind, count) in kinds {
            for _ in 0..count {
                let client = Client {
                    number: self.recorder.number(),
                    nodes: self.nodes.clone(),
                    home: rng.usize(..self.nodes.len().max(1)),
                    recorder: self.recorder.clone(),
                    rng: rng.fork(),
                    board: Arc::clone(&board),
                    keys: workload.keys,
                    impatient: workload.impatient,
                };
                let stop = self.stop.clone();
                let (ops, rest) = (workload.ops, workload.rest);
                self.clients.spawn(client.run(kind, ops, rest, stop));
            }
        }
    }

    fn start_readers(&mut self, workload: &Workload, rng: &mut Rng) {
        for (index, node) in self.nodes.iter().enumerate() {
            for _ in 0..workload.samplers {
                let sampler = sampler::Sampler {
                    reader: self.recorder.number(),
                    node: u32::try_from(index).unwrap_or(u32::MAX),
                    maps: node.clone(),
                    recorder: self.recorder.clone(),
                    rng: rng.fork(),
                    keys: workload.keys,
                    rest: workload.read_rest,
                };
                let over = self.over.clone();
                if workload.threads {
                    self.threads
                        .push(std::thread::spawn(move || sampler.run_on_thread(&over)));
                } else {
                    self.readers.spawn(sampler.run(over));
                }
            }
        }
    }

    fn start_watchers(&mut self, workload: &Workload, rng: &mut Rng) {
        for (index, node) in self.nodes.iter().enumerate() {
            for _ in 0..workload.watches {
                for watcher in watcher::every_kind(index, node, &self.recorder, rng) {
                    self.watchers.spawn(watcher.run(self.end.clone()));
                }
            }
        }
    }

    /// Waits until every client has done all its operations.
    pub async fn done(&mut self) {
        while self.clients.join_next().await.is_some() {}
    }

    /// Ends the run: clients finish what they began, every node synchronises with the log, watches are followed to the
    /// end. At most for `bound`; the checks find what was not reached by then.
    pub async fn finish(mut self, bound: Duration) {
        let deadline = Instant::now() + bound;
        self.stop.cancel();
        let _ = timeout_at(deadline, self.done()).await;
        self.clients.shutdown().await;
        for (index, node) in self.nodes.iter().enumerate() {
            for map in node.maps() {
                self.settle(index, map, deadline).await;
            }
        }
        self.over.cancel();
        while self.readers.join_next().await.is_some() {}
        for thread in std::mem::take(&mut self.threads) {
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
        self.end.cancel();
        let _ = timeout_at(deadline + bound, async {
            while self.watchers.join_next().await.is_some() {}
        })
        .await;
    }

    /// Synchronises one map, and records what it then shows.
    async fn settle(&self, node: usize, map: &Map, deadline: Instant) {
        while Instant::now() < deadline {
            if let Ok(Ok(_)) = timeout_at(deadline, map.sync()).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let node = u32::try_from(node).unwrap_or(u32::MAX);
        sampler::health(&self.recorder, node, map);
        let call = self.recorder.now();
        let view = map.view();
        let who = (self.recorder.number(), node);
        let read = Read::Final(view.position(), shown(&view));
        let seen = (call, self.recorder.now());
        self.recorder.sample(who, map.keyspace(), seen, read);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.over.cancel();
        self.end.cancel();
    }
}
