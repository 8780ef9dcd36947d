//! What runs on paused time have in common: a memory log, the faulty ways of nodes to it, the truth beside it, and what goes
//! wrong with all of them.
//!
//! Never says when something goes wrong: that is each test's weather.

use std::ops::Range;

use fastrand::Rng;
use globe::{Globe, MemoryLog};
use globe_faulty::{Fault, Faults, FaultyLog};
use globe_oracle::{Effect, KEYSPACES, Node, Recorder, Truth, Workload};
use tokio::time::{Duration, sleep};

/// The longest a run may take in its own time.
pub(crate) const BOUND: Duration = Duration::from_secs(300);

/// How long after the last fault a commit may still be on its way, and a bit.
const AFTERMATH: Duration = Duration::from_secs(5);

pub(crate) const NODES: usize = 3;

/// Neither to the log nor from it.
fn nothing_passes() -> Faults {
    Faults::none()
        .with(Fault::Refuse, 1.0)
        .with(Fault::CutTail, 1.0)
}

pub(crate) struct World {
    seed: u64,
    has_faults: bool,
    pub(crate) memory: MemoryLog,
    pub(crate) logs: Vec<FaultyLog>,
    pub(crate) truth: Truth,
    pub(crate) told: Recorder,
    pub(crate) ttl: Duration,
}

impl World {
    /// `others` are the keyspaces beside those of the map; leases live for so many seconds.
    pub(crate) async fn begin(
        seed: u64,
        has_faults: bool,
        others: impl IntoIterator<Item = &str>,
        lives: Range<u64>,
    ) -> World {
        // The jitter of maps and sessions is drawn from the generator of this thread.
        fastrand::seed(seed);
        let memory = MemoryLog::builder().page_size(3).build();
        let told = Recorder::new();
        let keyspaces: Vec<&str> = KEYSPACES.into_iter().chain(others).collect();
        let truth = Truth::listen(memory.clone(), "log", &keyspaces, &told);
        let log = |number: usize| {
            let log = FaultyLog::builder(memory.clone())
                .seed(seed * 10 + u64::try_from(number).unwrap())
                .faults(Faults::none());
            let told = told.clone();
            log.on_fault(move |fault| told.fault(fault.to_string(), Effect::Disturbs))
                .build()
        };
        let (from, to) = (lives.start * 1_000, lives.end * 1_000);
        World {
            seed,
            has_faults,
            logs: (0..NODES).map(log).collect(),
            truth: truth.await.unwrap(),
            told,
            memory,
            ttl: Duration::from_millis(Rng::with_seed(seed).u64(from..to)),
        }
    }

    pub(crate) async fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        for log in &self.logs {
            nodes.push(Node {
                first: Globe::open(log.clone(), KEYSPACES[0]).await.unwrap(),
                second: Globe::open(log.clone(), KEYSPACES[1]).await.unwrap(),
            });
        }
        nodes
    }

    /// The clients of the map. A host that stands still is no fault that their watches are judged by.
    pub(crate) fn workload(&self, stands_still: bool) -> Workload {
        let mut workload = Workload::light(self.seed);
        if stands_still {
            workload.limits.watch_micros = u64::MAX;
            workload.limits.detection_micros = u64::MAX / 2;
        }
        workload
    }

    /// What a healthy node's way to the log is like.
    fn usual(&self) -> Faults {
        match self.has_faults {
            false => Faults::none(),
            true => Faults::legal()
                .with(Fault::Compact, 0.0)
                .with(Fault::LandLate, 0.0)
                .silence(Duration::from_secs(3)),
        }
    }

    /// All is as usual from now on.
    pub(crate) fn as_usual(&self) {
        let usual = |log: &FaultyLog| log.set_faults(self.usual());
        self.logs.iter().for_each(usual);
    }

    /// Nothing gets through from these nodes, nor to them.
    pub(crate) async fn cut(&self, nodes: Range<usize>, lasts: Duration) {
        self.told
            .fault(format!("nodes {nodes:?} are cut off"), Effect::Disturbs);
        let logs = &self.logs[nodes];
        logs.iter().for_each(|log| log.set_faults(nothing_passes()));
        sleep(lasts).await;
        logs.iter().for_each(|log| log.set_faults(self.usual()));
    }

    /// The log goes back to a backup. A node may be cut off meanwhile: who has something there learns of it only by his clock.
    pub(crate) async fn restore(&self, rng: &mut Rng, lasts: Duration) {
        let backup = self.memory.backup();
        sleep(lasts / 2).await;
        let cut = self.logs.get(rng.usize(..NODES * 2));
        cut.inspect(|log| log.set_faults(nothing_passes()));
        self.told.fault("the log is restored", Effect::Disturbs);
        self.truth.drain();
        self.memory.restore(&backup);
        sleep(lasts / 2).await;
        cut.inspect(|log| log.set_faults(self.usual()));
    }

    /// Nothing is wrong any more, nor on its way.
    pub(crate) async fn mend(&self) {
        self.logs.iter().for_each(FaultyLog::heal);
        sleep(AFTERMATH).await;
        self.told.fault("all is mended", Effect::HealsAll);
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// From which seed on, if that is said.
pub(crate) fn first_seed() -> Option<u64> {
    setting("GLOBE_SEED")
}

/// Those of the seeds that are one weather's share of so many: of as many as is said, or of one that is to be replayed.
pub(crate) fn seeds(usual: u64, (share, shares): (u64, u64)) -> impl Iterator<Item = u64> {
    let seeds = match first_seed() {
        Some(seed) => seed..seed + 1,
        None => 0..setting("GLOBE_SEEDS").unwrap_or(usual),
    };
    seeds.filter(move |seed| seed % shares == share)
}

pub(crate) fn on_paused_time<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(what)
}
