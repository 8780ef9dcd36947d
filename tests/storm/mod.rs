//! One run of everything at once, drawn from a seed: nodes, their faulty logs, and what they are made to live through.
//!
//! It judges nothing: it hands out the history.

pub(crate) mod weather;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use globe::log_client::LogClient;
use globe::{Capabilities, Globe, Guard, MemoryLog, Revision};
use globe_faulty::{FaultyLog, Operator, Restore};
use globe_oracle::{CLAIM_KEYSPACES, Effect, History, KEYSPACES, Map, Node, Recorder, Truth};
use tokio::time::{Instant, sleep, timeout};
use weather::Weather;

/// How long after the last fault a commit may still be on its way, and a bit.
const AFTERMATH: Duration = Duration::from_secs(5);

/// The longest a run may take in its own time.
const BOUND: Duration = Duration::from_secs(120);

/// Lives through the storm of a seed, on a paused clock, and tells what happened.
pub(crate) fn live_through(weather: &Weather) -> History {
    // The jitter of the maps is drawn from the generator of this thread.
    fastrand::seed(weather.seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run(weather))
}

async fn run(weather: &Weather) -> History {
    let recorder = Recorder::new();
    // In every other storm all has to be read again where history is forgotten.
    let mut capabilities = Capabilities::full("memory");
    capabilities.differences = weather.seed.is_multiple_of(2);
    let memory = MemoryLog::builder().capabilities(capabilities);
    let memory = memory.page_size(3).build();
    let mut keyspaces = KEYSPACES.to_vec();
    if weather.has_claims {
        keyspaces.extend(CLAIM_KEYSPACES);
    }
    let truth = Truth::listen(memory.clone(), "memory", &keyspaces, &recorder);
    let truth = truth.await.unwrap();
    let logs = logs(weather, &memory, &truth, &recorder);
    let mut nodes = Vec::new();
    for log in &logs {
        nodes.push(node(log, weather.guard).await);
    }
    let mut running = weather.workload(&*logs[0]).start(&nodes, &recorder);
    let bare: Vec<FaultyLog> = logs.iter().map(|log| FaultyLog::clone(log)).collect();
    let claimants = weather.claiming().start(&bare, &recorder).await.unwrap();
    let _ = timeout(BOUND, running.done()).await;
    let _ = timeout(BOUND, claimants.done()).await;

    logs.iter().for_each(|log| log.heal());
    recorder.fault("healed", Effect::HealsAll);
    if weather.needs_a_snapshot {
        truth.drain();
        memory.restore(&memory.backup());
    }
    sleep(AFTERMATH).await;
    claimants.finish(BOUND).await;
    running.finish(BOUND).await;
    assert!(truth.finish(BOUND).await, "the truth was heard to its end");
    recorder.history()
}

/// A faulty log for each node, all around one memory log.
fn logs(
    weather: &Weather,
    memory: &MemoryLog,
    truth: &Truth,
    recorder: &Recorder,
) -> Vec<Arc<FaultyLog>> {
    let mut rng = Rng::with_seed(weather.seed);
    let operator = Careful {
        memory: memory.clone(),
        truth: truth.clone(),
        restored: Arc::new(Mutex::new(Instant::now())),
    };
    let log = |number: usize| {
        let recorder = recorder.clone();
        let log = FaultyLog::builder(memory.clone())
            .operator(operator.clone())
            .seed(rng.u64(..))
            .faults(weather.faults.clone())
            .on_fault(move |fault| {
                recorder.fault(format!("{fault} at node {number}"), Effect::Disturbs)
            });
        Arc::new(log.build())
    };
    (0..weather.nodes).map(log).collect()
}

async fn node(log: &Arc<FaultyLog>, guard: Guard) -> Node {
    let [first, second] = KEYSPACES;
    Node {
        first: map(log, first, guard).await,
        second: map(log, second, guard).await,
    }
}

async fn map(log: &Arc<FaultyLog>, keyspace: &str, guard: Guard) -> Map {
    let log: Arc<dyn LogClient> = Arc::clone(log) as _;
    let builder = Globe::builder(log, keyspace)
        .open_timeout(BOUND)
        .guard(guard);
    builder.open().await.unwrap()
}

/// An operator who lets the truth be heard before the log is made to forget it, and each life of it to begin.
#[derive(Clone)]
struct Careful {
    memory: MemoryLog,
    truth: Truth,
    restored: Arc<Mutex<Instant>>,
}

/// How long each life of the log lasts at least.
const LIFE: Duration = Duration::from_millis(100);

impl Operator for Careful {
    fn compact(&self, revision: Revision) -> globe::Result<()> {
        self.truth.drain();
        Operator::compact(&self.memory, revision)
    }

    fn backup(&self) -> Restore {
        let (operator, restore) = (self.clone(), Operator::backup(&self.memory));
        Box::new(move || {
            let mut restored = operator.restored.lock().unwrap();
            if restored.elapsed() >= LIFE {
                *restored = Instant::now();
                operator.truth.drain();
                restore();
            }
        })
    }
}
