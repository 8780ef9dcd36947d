//! The whole of it on the memory log, on a paused clock: what an operator and a network may do to a log is done to it,
//! and every check holds.

#![allow(clippy::unwrap_used, reason = "a test may")]

use fastrand::Rng;
use globe::{Capabilities, Globe, MemoryLog, Revision};
use globe_oracle::{Effect, KEYSPACES, Node, Recorder, Truth, Workload, judge};
use tokio::time::{Duration, sleep};

/// What happens to a log in one of these runs.
#[derive(Clone, Copy, Debug)]
enum Weather {
    Calm,
    Compactions,
    Outages,
    Silence,
    Restores,
    All,
}

async fn open(log: &MemoryLog) -> Node {
    Node {
        first: Globe::open(log.clone(), KEYSPACES[0]).await.unwrap(),
        second: Globe::open(log.clone(), KEYSPACES[1]).await.unwrap(),
    }
}

/// One thing goes wrong, and is over.
async fn storm(log: &MemoryLog, weather: Weather, rng: &mut Rng, truth: &Truth, told: &Recorder) {
    let lasts = Duration::from_millis(rng.u64(1..3_000));
    let kind = match weather {
        Weather::Calm => return sleep(lasts).await,
        Weather::Compactions => 0,
        Weather::Outages => 1,
        Weather::Silence => 2,
        Weather::Restores => 3,
        Weather::All => rng.u8(..4),
    };
    match kind {
        0 => {
            told.fault("the history is forgotten", Effect::Disturbs);
            log.hold_tails(true);
            sleep(lasts).await;
            log.hold_tails(false);
            truth.drain();
            let head = log.head_position().revision;
            log.compact(Revision(head.0 - rng.u64(..3).min(head.0 - 1)))
                .unwrap();
        }
        1 => {
            for node in 0..3 {
                told.fault("the log is down", Effect::CutsOff(node));
            }
            log.set_available(false);
            sleep(lasts).await;
            log.set_available(true);
            for node in 0..3 {
                told.fault("the log is back", Effect::Reconnects(node));
            }
        }
        2 => {
            told.fault("open tails fall silent", Effect::Disturbs);
            truth.drain();
            log.silence_open_tails();
            truth.reopen();
        }
        _ => {
            let backup = log.backup();
            sleep(lasts).await;
            told.fault("the log is restored", Effect::Disturbs);
            truth.drain();
            log.restore(&backup);
        }
    }
}

async fn run(seed: u64, weather: Weather) -> globe_oracle::History {
    fastrand::seed(seed);
    let mut capabilities = Capabilities::full("memory");
    capabilities.differences = seed.is_multiple_of(2);
    let log = MemoryLog::builder().capabilities(capabilities);
    let log = log.page_size(3).build();
    let told = Recorder::new();
    let truth = Truth::listen(log.clone(), "log", &KEYSPACES, &told)
        .await
        .unwrap();
    let nodes = [open(&log).await, open(&log).await, open(&log).await];
    let mut workload = Workload::light(seed);
    workload.limits.min_writes = 20;
    workload.limits.min_samples = 50;
    workload.limits.min_deliveries = 50;
    workload.limits.watch_micros = 10_000;
    workload.limits.min_faults = usize::from(!matches!(weather, Weather::Calm));
    let mut running = workload.start(&nodes, &told);
    let mut rng = Rng::with_seed(seed);
    for _ in 0..3 {
        storm(&log, weather, &mut rng, &truth, &told).await;
        sleep(Duration::from_millis(rng.u64(..1_000))).await;
    }
    told.fault("all is mended", Effect::HealsAll);
    running.done().await;
    sleep(Duration::from_secs(3)).await;
    running.finish(Duration::from_secs(60)).await;
    assert!(
        truth.finish(Duration::from_secs(10)).await,
        "the truth was heard to the end"
    );
    told.history()
}

async fn runs(weather: Weather) {
    for seed in 0..20 {
        judge(&run(seed, weather).await);
    }
}

#[tokio::test(start_paused = true)]
async fn every_check_holds_in_calm_weather() {
    runs(Weather::Calm).await;
}

#[tokio::test(start_paused = true)]
async fn every_check_holds_while_history_is_forgotten() {
    runs(Weather::Compactions).await;
}

#[tokio::test(start_paused = true)]
async fn every_check_holds_through_outages() {
    runs(Weather::Outages).await;
}

#[tokio::test(start_paused = true)]
async fn every_check_holds_though_tails_fall_silent() {
    runs(Weather::Silence).await;
}

#[tokio::test(start_paused = true)]
async fn every_check_holds_though_the_log_is_restored() {
    runs(Weather::Restores).await;
}

#[tokio::test(start_paused = true)]
async fn every_check_holds_in_all_weathers() {
    runs(Weather::All).await;
}

#[tokio::test(start_paused = true)]
async fn a_saved_history_is_judged_as_the_recorded_one() {
    let history = run(7, Weather::All).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    history.save(file.path()).unwrap();
    let loaded = globe_oracle::History::load(file.path()).unwrap();
    assert_eq!(loaded, history);
    judge(&loaded);
}
