//! The whole of it on the embedded log: nodes that each open the file by themselves, as processes do, while somebody else holds it
//! locked, forgets its history, or restores it, or while nodes are cut off that hold claims; and every check holds.
//!
//! On a real clock, for SQLite waits by it. `GLOBE_SEEDS=100` makes it more.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::{Path, PathBuf};

use fastrand::Rng;
use globe::{Globe, LogClient, Revision};
use globe_faulty::{Fault, Faults, FaultyLog};
use globe_oracle::{
    CLAIM_KEYSPACES, Claimants, Claiming, Effect, History, KEYSPACES, Node, Recorder, Truth,
    Workload, judge,
};
use globe_sqlite::SqliteLog;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time::{Duration, sleep, timeout};

/// The longest anything may take.
const BOUND: Duration = Duration::from_secs(60);

/// Seeds in the ordinary run, of each weather.
const SEEDS: u64 = 3;

const NODES: usize = 3;

/// How long the leases of claimants live.
const TTL: Duration = Duration::from_secs(1);

/// What happens to a log in one of these runs.
#[derive(Clone, Copy, Debug)]
enum Weather {
    Calm,
    /// Somebody else is writing, and nobody can meanwhile.
    Locked,
    Compactions,
    Restores,
    /// What is allowed to a log goes wrong on the way to it.
    Faults,
    All,
    /// Nodes with claims are cut off, mostly for longer than their leases live, and third parties end what they hold.
    Claims,
}

struct World {
    folder: TempDir,
    weather: Weather,
    /// One who compacts it, as another process would.
    operator: SqliteLog,
    nodes: Vec<FaultyLog>,
    truth: Truth,
    told: Recorder,
}

impl World {
    async fn begin(seed: u64, weather: Weather) -> World {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.db");
        let told = Recorder::new();
        let operator = open(&file).await;
        let keyspaces = [&KEYSPACES[..], &CLAIM_KEYSPACES[..]].concat();
        let truth = Truth::listen(open(&file).await, "log", &keyspaces, &told);
        let mut world = World {
            truth: truth.await.unwrap(),
            folder,
            weather,
            operator,
            nodes: Vec::new(),
            told,
        };
        for number in 0..NODES as u64 {
            let node = world.node(seed * 10 + number, open(&file).await);
            world.nodes.push(node);
        }
        world
    }

    fn node(&self, seed: u64, log: SqliteLog) -> FaultyLog {
        let told = self.told.clone();
        FaultyLog::builder(log)
            .seed(seed)
            .faults(Faults::none())
            .on_fault(move |fault| told.fault(fault.to_string(), Effect::Disturbs))
            .build()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn maps(&self) -> Vec<Node> {
        let mut maps = Vec::new();
        for log in &self.nodes {
            maps.push(Node {
                first: Globe::open(log.clone(), KEYSPACES[0]).await.unwrap(),
                second: Globe::open(log.clone(), KEYSPACES[1]).await.unwrap(),
            });
        }
        maps
    }

    /// What a healthy node's way to the log is like.
    fn usual(&self) -> Faults {
        match self.weather {
            Weather::Faults | Weather::All => Faults::legal()
                .with(Fault::Compact, 0.0)
                // The log is fenced: nothing lands behind a later commit.
                .with(Fault::LandLate, 0.0)
                .silence(Duration::from_secs(1)),
            _ => Faults::none(),
        }
    }

    /// From now on what may go wrong does, in those weathers.
    fn as_usual(&self) {
        let usual = |node: &FaultyLog| node.set_faults(self.usual());
        self.nodes.iter().for_each(usual);
    }

    async fn claimants(&self, seed: u64) -> Option<Claimants> {
        if !matches!(self.weather, Weather::Claims) {
            return None;
        }
        let mut claiming = Claiming {
            ttl: TTL,
            ..Claiming::light(seed)
        };
        claiming.limits.min_grants = 5;
        claiming.limits.min_looks = 20;
        claiming.limits.min_effects = 1;
        Some(claiming.start(&self.nodes, &self.told).await.unwrap())
    }

    /// One thing goes wrong, and is over.
    async fn storm(&self, claimants: Option<&Claimants>, rng: &mut Rng) {
        let lasts = Duration::from_millis(rng.u64(1..1_000));
        let kind = match self.weather {
            Weather::Calm | Weather::Faults => return sleep(lasts).await,
            Weather::Locked => 0,
            Weather::Compactions => 1,
            Weather::Restores => 2,
            Weather::All => rng.u8(..3),
            Weather::Claims => rng.u8(2..8),
        };
        match kind {
            0 => self.lock(lasts).await,
            1 => self.forget(rng).await,
            2 => self.restore(lasts).await,
            3 => self.meddle(claimants, rng).await,
            _ => self.cut(rng.usize(..NODES), lasts * 3).await,
        }
    }

    /// Until it is dropped.
    fn locked(&self) -> Lock {
        let tool = Connection::open(self.file("log.db")).unwrap();
        tool.busy_timeout(BOUND).unwrap();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        Lock(tool)
    }

    async fn lock(&self, lasts: Duration) {
        let told = || self.told.fault("the log is locked", Effect::Disturbs);
        let lock = tokio::task::block_in_place(|| self.locked());
        told();
        sleep(lasts).await;
        drop(lock);
    }

    /// With what nobody but the truth has heard yet.
    async fn forget(&self, rng: &mut Rng) {
        assert!(self.truth.catch_up(BOUND).await);
        self.told
            .fault("the history is forgotten", Effect::Disturbs);
        let keyspace = globe::Keyspace::new(KEYSPACES[0]).unwrap();
        let head = self.operator.head(&keyspace).await.unwrap().revision;
        let until = Revision(head.0 - rng.u64(..3).min(head.0 - 1));
        self.operator.compact(until).await.unwrap();
    }

    async fn meddle(&self, claimants: Option<&Claimants>, rng: &mut Rng) {
        let Some(claimants) = claimants else { return };
        self.told.fault("a third party", Effect::Disturbs);
        claimants.meddle(&self.operator, rng).await.unwrap();
    }

    /// Nothing gets through from this node, nor to it.
    async fn cut(&self, node: usize, lasts: Duration) {
        let what = format!("node {node} is cut off");
        self.told.fault(what, Effect::Disturbs);
        let nothing_passes = Faults::none()
            .with(Fault::Refuse, 1.0)
            .with(Fault::CutTail, 1.0);
        self.nodes[node].set_faults(nothing_passes);
        sleep(lasts).await;
        self.nodes[node].set_faults(self.usual());
    }

    /// All tables are as they were some time ago.
    async fn restore(&self, lasts: Duration) {
        let backup = self.file("backup.db");
        let tool = Connection::open(self.file("log.db")).unwrap();
        let path = backup.to_str().unwrap();
        tool.execute("VACUUM INTO ?1", [path]).unwrap();
        // To look at it makes it a log of its own, so that is done with another; at once, for leases end there as well.
        let copy = self.file("copy.db");
        std::fs::copy(&backup, &copy).unwrap();
        self.truth.goes_back_to(&open(&copy).await).await.unwrap();
        sleep(lasts).await;
        tool.execute("ATTACH ?1 AS backup", [path]).unwrap();
        tool.busy_timeout(BOUND).unwrap();
        tokio::task::block_in_place(|| tool.execute_batch("BEGIN IMMEDIATE").unwrap());
        assert!(self.truth.catch_up(BOUND).await);
        self.told.fault("the log is restored", Effect::Disturbs);
        for table in ["log", "changes", "leases"] {
            let back = format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM backup.{table};"
            );
            tool.execute_batch(&back).unwrap();
        }
        tool.execute_batch("COMMIT; DETACH backup").unwrap();
        for file in [backup, copy] {
            std::fs::remove_file(file).unwrap();
        }
    }
}

/// The right to write, which nobody else has meanwhile.
struct Lock(Connection);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

async fn open(file: &Path) -> SqliteLog {
    let log = SqliteLog::builder(file).page_size(3);
    log.open().await.unwrap()
}

async fn run(seed: u64, weather: Weather) -> History {
    let world = World::begin(seed, weather).await;
    let maps = world.maps().await;
    let mut workload = Workload::light(seed);
    workload.limits.min_writes = 20;
    workload.limits.min_samples = 50;
    workload.limits.min_deliveries = 50;
    workload.limits.min_faults = usize::from(!matches!(weather, Weather::Calm));
    // Some seconds of a machine that has other things to do as well.
    workload.limits.watch_micros = 2_000_000;
    let mut running = workload.start(&maps, &world.told);
    let claimants = world.claimants(seed).await;
    world.as_usual();
    let mut rng = Rng::with_seed(seed);
    for _ in 0..3 {
        world.storm(claimants.as_ref(), &mut rng).await;
        sleep(Duration::from_millis(rng.u64(..500))).await;
    }
    world.nodes.iter().for_each(FaultyLog::heal);
    world.told.fault("all is mended", Effect::HealsAll);
    if let Some(claimants) = claimants {
        timeout(BOUND, claimants.done()).await.unwrap();
        claimants.finish(BOUND).await;
    }
    running.done().await;
    running.finish(BOUND).await;
    assert!(
        world.truth.finish(BOUND).await,
        "the truth was heard to the end"
    );
    world.told.history()
}

async fn runs(weather: Weather) {
    let seeds = std::env::var("GLOBE_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        judge(&run(seed, weather).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_on_a_file() {
    runs(Weather::Calm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_while_somebody_has_the_file_locked() {
    runs(Weather::Locked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_while_the_history_of_a_file_is_forgotten() {
    runs(Weather::Compactions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_though_the_file_is_restored() {
    runs(Weather::Restores).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_on_a_faulty_way_to_a_file() {
    runs(Weather::Faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_on_a_file_in_all_weathers() {
    runs(Weather::All).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_of_claims_on_a_file() {
    runs(Weather::Claims).await;
}
