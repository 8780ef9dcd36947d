//! Starting and ending: what is shown before the first snapshot, what an open reports, and how a map is closed.
//!
//! The log refuses, hangs or is away; it is never imitated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use futures::FutureExt;
use globe::{Consistency, Error, ErrorKind, Globe, MemoryLog, Phase};
use rig::{Around, fails_with, numbers, started, until, within, write_raw};
use tokio::time::Instant;

type Numbers = Globe<String, u64>;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_map_is_live_right_after_open() {
    for _ in 0..100 {
        let map = numbers(&MemoryLog::new()).await;
        let status = map.status();
        assert_eq!(status.phase, Phase::Live, "{status:?}");
        assert!(status.staleness.is_some() && status.position == map.position());
    }
}

#[tokio::test(start_paused = true)]
async fn not_there_yet_is_not_taken_for_empty() {
    let log = MemoryLog::new();
    write_raw(&log, "numbers", "worker", b"1").await;
    let around = Around::new(&log);
    around.hold_snapshots(true);
    let map = started(&around);
    assert!(map.try_view().is_none() && map.position().is_none());
    assert_eq!((map.get("worker"), map.len()), (None, 0));
    let mut all_dead = Box::pin(map.wait_for(|view| view.is_empty()));
    let mut look = Box::pin(map.view_at(Consistency::Local));
    for _ in 0..100 {
        tokio::time::sleep(SECOND / 100).await;
        assert!(
            all_dead.as_mut().now_or_never().is_none(),
            "not empty: unknown"
        );
        assert!(look.as_mut().now_or_never().is_none());
    }
    around.hold_snapshots(false);
    assert_eq!(within("a view", look).await.unwrap().len(), 1);
    assert!(all_dead.as_mut().now_or_never().is_none());
    assert!(map.try_view().is_some_and(|view| view.len() == 1));
    map.delete("worker").await.unwrap();
    assert!(within("it is empty", all_dead).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_map_that_never_hydrates_answers_a_look_by_the_deadline() {
    let around = Around::new(&MemoryLog::new());
    around.hold_snapshots(true);
    let map: Numbers = Globe::builder(around, "numbers")
        .deadline(SECOND)
        .start()
        .unwrap();
    fails_with(map.view_at(Consistency::Local).await, ErrorKind::Stale);
}

#[tokio::test(start_paused = true)]
async fn the_position_of_a_map_that_is_not_hydrated_holds_up_nobody() {
    let around = Around::new(&MemoryLog::new());
    around.hold_snapshots(true);
    let early: Numbers = Globe::builder(around, "numbers").start().unwrap();
    let token = early.view().position();
    let map = numbers(&MemoryLog::new()).await;
    map.view_at(Consistency::AtLeast(token)).await.unwrap();
}

fn refusals() -> Vec<Error> {
    let kinds = [
        ErrorKind::Denied,
        ErrorKind::Invalid,
        ErrorKind::Unsupported,
    ];
    kinds
        .into_iter()
        .map(|kind| Error::new(kind, "so said the gateway"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_started_map_keeps_trying_whatever_it_is_refused_with() {
    for refusal in refusals() {
        let log = MemoryLog::new();
        write_raw(&log, "numbers", "a", b"1").await;
        let around = Around::new(&log);
        around.refuse(Some(refusal.clone()));
        let map = started(&around);
        tokio::time::sleep(60 * SECOND).await;
        let status = map.status();
        assert_eq!(status.phase, Phase::Hydrating);
        let shown = status.last_error.expect("why it is not hydrated");
        assert_eq!(shown.kind(), refusal.kind());
        assert!(status.failures > 10, "{}", status.failures);
        around.refuse(None);
        within("it hydrates", map.hydrated()).await.unwrap();
        assert_eq!(map.get("a").as_deref(), Some(&1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_rides_out_a_refusal_that_passes_and_reports_one_that_stands() {
    for refusal in refusals() {
        let around = Around::new(&MemoryLog::new());
        around.refuse(Some(refusal.clone()));
        let begun = Instant::now();
        let open = Globe::<String, u64>::open(around.clone(), "numbers");
        let error = within("the open", open).await.unwrap_err();
        assert_eq!(error.kind(), refusal.kind());
        assert!(error.to_string().contains("so said the gateway"), "{error}");
        assert!(begun.elapsed() < 10 * SECOND, "well within its bound");

        let open = Globe::<String, u64>::open(around.clone(), "numbers");
        let mended = async {
            tokio::time::sleep(SECOND).await;
            around.refuse(None);
        };
        let (opened, ()) = within("the open", async { tokio::join!(open, mended) }).await;
        opened.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_never_comes_is_given_up() {
    let log = MemoryLog::builder().page_size(1).build();
    for key in ["a", "b", "c"] {
        write_raw(&log, "numbers", key, b"1").await;
    }
    let around = Around::new(&log);
    around.hang_after_pages(Some(1));
    let map = started(&around);
    until("it is said", || map.status().last_error.is_some()).await;
    let error = map.status().last_error.unwrap();
    assert!(error.to_string().contains("page"), "{error}");
    around.hang_after_pages(None);
    within("it hydrates", map.hydrated()).await.unwrap();

    // In a resync, a log that began another life meanwhile is not waited for either.
    around.hang_after_pages(Some(1));
    log.wipe();
    write_raw(&log, "numbers", "d", b"1").await;
    until("a snapshot is begun", || around.calls().snapshots >= 3).await;
    log.wipe();
    around.hang_after_pages(None);
    let begun = Instant::now();
    until("it is empty", || map.is_empty()).await;
    assert!(
        begun.elapsed() < 10 * SECOND,
        "the prober was heard: {:?}",
        begun.elapsed()
    );
}

#[test]
fn a_map_outside_a_runtime_or_without_a_timer_is_refused_and_does_not_panic() {
    let log = MemoryLog::new();
    let start = || Globe::<String, u64>::builder(log.clone(), "numbers").start();
    let outside = fails_with(start(), ErrorKind::Invalid);
    assert!(outside.to_string().contains("runtime"), "{outside}");
    let open = Globe::<String, u64>::open(log.clone(), "numbers");
    fails_with(open.now_or_never().expect("at once"), ErrorKind::Invalid);
    let without_a_timer = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    without_a_timer.block_on(async {
        let error = fails_with(
            Globe::<String, u64>::open(log.clone(), "numbers").await,
            ErrorKind::Invalid,
        );
        assert!(error.to_string().contains("timer"), "{error}");
    });
}

#[tokio::test(start_paused = true)]
async fn whoever_closes_waits_until_it_is_closed() {
    let map = numbers(&MemoryLog::new()).await;
    let mut first = Box::pin(map.close());
    assert!(
        first.as_mut().now_or_never().is_none(),
        "it has to be waited for"
    );
    drop(first);
    let (one, two) = (map.clone(), map.clone());
    let both = async { tokio::join!(one.close(), two.close()) };
    within("both are closed", both).await;
    assert_eq!(map.status().phase, Phase::Closed);
    within("closed again", map.close()).await;
}
