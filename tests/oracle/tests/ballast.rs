//! Runs on keyspaces that hold more than their clients touch: one entry of the history stands for it, and none of it is
//! lost unseen.

#![allow(clippy::unwrap_used, reason = "a test may")]

use globe::{Globe, MemoryLog};
use globe_oracle::checks::{Violation, check_all};
use globe_oracle::{BALLAST, KEYSPACES, Node, Read, Recorder, Truth, Value, Workload, laid};
use tokio::time::Duration;

/// How much of it.
const ENTRIES: usize = 500;

async fn node(log: &MemoryLog) -> Node {
    Node {
        first: Globe::open(log.clone(), KEYSPACES[0]).await.unwrap(),
        second: Globe::open(log.clone(), KEYSPACES[1]).await.unwrap(),
    }
}

fn ballast(number: usize) -> (String, Value) {
    (format!("{BALLAST}-{number}"), Value::default())
}

/// A run on ballast of which so much is taken away meanwhile, by nobody who says so.
async fn run(taken: usize) -> (globe_oracle::History, Vec<Violation>) {
    fastrand::seed(1);
    let log = MemoryLog::new();
    let told = Recorder::new();
    let (one, other) = (node(&log).await, node(&log).await);
    for map in [&one.first, &one.second] {
        map.put_all((0..ENTRIES).map(ballast)).await.unwrap();
    }
    laid(ENTRIES, &told);
    let truth = Truth::listen(log.clone(), "log", &KEYSPACES, &told);
    let truth = truth.await.unwrap();
    for map in [&other.first, &other.second] {
        map.sync().await.unwrap();
    }
    let mut running = Workload::light(1).start(&[one.clone(), other], &told);
    for number in 0..taken {
        one.first.delete(&ballast(number).0).await.unwrap();
    }
    running.done().await;
    running.finish(Duration::from_secs(60)).await;
    assert!(truth.finish(Duration::from_secs(10)).await);
    let history = told.history();
    let found = check_all(&history);
    (history, found)
}

#[tokio::test(start_paused = true)]
async fn ballast_is_one_entry_of_every_view() {
    let (history, found) = run(0).await;
    assert_eq!(found, []);
    let samples = history.samples();
    let views = samples.filter_map(|sample| match &sample.read {
        Read::View(_, shown) | Read::Final(_, shown) => Some(shown),
        Read::Get(..) => None,
    });
    for shown in views {
        let ballast = shown.iter().filter(|(key, _)| key.starts_with(BALLAST));
        let tags: Vec<_> = ballast.map(|(_, version)| &version.tag).collect();
        assert_eq!(tags, [&format!("{ENTRIES} entries")]);
    }
}

#[tokio::test(start_paused = true)]
async fn ballast_that_is_lost_is_found() {
    let (_, found) = run(1).await;
    for check in ["visibility", "convergence", "exactly once"] {
        assert!(found.iter().any(|it| it.check == check), "{check}");
    }
}
