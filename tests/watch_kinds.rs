//! Watches of ranges and values, of one value, of the quarantine and of the phase, and watches as streams.
//!
//! What a watch of the whole map, a key or a prefix shows is `watches.rs`'s.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::ops::Bound;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use globe::{Globe, MemoryLog, Phase, QuarantineChanges};
use rig::shown::{changed, next, seen};
use rig::wakes::wakes;
use rig::{Around, brisk, delete_raw, fresh, in_a_gap, numbers, started, until, within, write_raw};

#[tokio::test]
async fn a_watch_of_a_range_shows_it_and_sleeps_through_all_others() {
    let map = numbers(&MemoryLog::new()).await;
    let to = |text: &str| text.to_owned();
    let mut of_range = map.watch_range(to("b")..to("d"));
    let others = async {
        for key in ["a", "d", "e"] {
            map.put(key, 1).await.unwrap();
        }
    };
    assert_eq!(wakes(of_range.next(), others).await, 0);
    assert_eq!(wakes(of_range.next(), map.put("b", 1)).await, 1);
    map.put("cc", 2).await.unwrap();
    assert_eq!(
        seen(&next(&mut of_range).await),
        [changed("b", None, Some(1)), changed("cc", None, Some(2))]
    );
    let mut after = map.watch_range((Bound::Excluded(to("b")), Bound::Unbounded));
    let mut none = map.watch_range(to("d")..to("b"));
    let mut all = map.watch_range(..);
    map.put_all([(to("b"), 2), (to("c"), 3)]).await.unwrap();
    assert_eq!(seen(&next(&mut after).await), [changed("c", None, Some(3))]);
    assert_eq!(next(&mut all).await.as_slice().len(), 2);
    assert!(none.try_next().is_none(), "the end lies before the start");
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_values_sees_what_enters_them_and_what_leaves() {
    let map = numbers(&MemoryLog::new()).await;
    map.put("a", 1).await.unwrap();
    let watch = || map.watch_values(|value| *value > 10);
    for follows_each in [false, true] {
        let mut large = if follows_each {
            watch().every_revision(8)
        } else {
            watch()
        };
        map.put("small", 2).await.unwrap();
        assert!(large.try_next().is_none());
        let steps = [
            (Some(1), Some(11)),
            (Some(11), Some(12)),
            (Some(12), Some(1)),
        ];
        for (old, new) in steps {
            map.put("a", new.unwrap()).await.unwrap();
            assert_eq!(seen(&next(&mut large).await), [changed("a", old, new)]);
        }
        map.put("b", 20).await.unwrap();
        next(&mut large).await;
        map.delete("b").await.unwrap();
        assert_eq!(
            seen(&next(&mut large).await),
            [changed("b", Some(20), None)]
        );
    }
}

#[tokio::test]
async fn the_value_of_a_key_is_shown_from_the_present_one_on() {
    let map = numbers(&MemoryLog::new()).await;
    map.put("a", 1).await.unwrap();
    let mut value = map.watch_value("a");
    let mut absent = map.watch_value("b");
    let mut shown = async || {
        let value = within("a value", value.next()).await.expect("it is open");
        value.map(|value| *value)
    };
    assert_eq!(shown().await, Some(1));
    assert_eq!(within("a value", absent.next()).await, Some(None));
    for value in 2..10 {
        map.put("a", value).await.unwrap();
    }
    assert_eq!(shown().await, Some(9), "only the newest one");
    map.delete("a").await.unwrap();
    assert_eq!(shown().await, None);
    map.put("b", 1).await.unwrap();
    map.delete("b").await.unwrap();
    assert!(absent.next().now_or_never().is_none(), "it came and went");
}

#[tokio::test]
async fn a_watch_of_a_value_sleeps_through_other_keys() {
    let map = numbers(&MemoryLog::new()).await;
    let mut value = map.watch_value("a");
    value.next().await.unwrap();
    let others = async { map.put("b", 1).await.unwrap() };
    assert_eq!(wakes(value.next(), others).await, 0);
    assert_eq!(wakes(value.next(), map.put("a", 1)).await, 1);
    let shown = within("a value", value.next()).await.unwrap();
    assert_eq!(shown.as_deref(), Some(&1), "who gave up loses nothing");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_yet_is_not_taken_for_absent() {
    let log = MemoryLog::new();
    write_raw(&log, "numbers", "a", b"1").await;
    let around = Around::new(&log);
    around.hold_snapshots(true);
    let map = started(&around);
    let mut value = map.watch_value("a");
    assert!(value.next().now_or_never().is_none());
    around.hold_snapshots(false);
    let shown = within("a value", value.next()).await.unwrap();
    assert_eq!(shown.as_deref(), Some(&1));
}

/// The keys that came in, and those that left.
fn moved(changes: &QuarantineChanges) -> (Vec<String>, Vec<String>) {
    let keys = |bad: &[globe::Quarantined]| {
        let keys = bad
            .iter()
            .map(|bad| String::from_utf8_lossy(bad.key()).into_owned());
        keys.collect()
    };
    (keys(changes.came_in()), keys(changes.left()))
}

fn keys<const N: usize>(keys: [&str; N]) -> Vec<String> {
    keys.map(str::to_owned).into()
}

#[tokio::test(start_paused = true)]
async fn the_quarantine_is_watched_by_exact_differences() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    write_raw(&log, "numbers", "old", b"bad").await;
    map.sync().await.unwrap();
    let mut quarantine = map.watch_quarantine();
    assert_eq!(quarantine.catch_up().len(), 1);
    assert!(quarantine.next().now_or_never().is_none());

    let from = map.position().unwrap();
    let came = write_raw(&log, "numbers", "a", b"bad").await;
    let changes = within("it comes in", quarantine.next()).await.unwrap();
    assert_eq!(moved(&changes), (keys(["a"]), keys([])));
    assert_eq!((changes.from(), changes.to()), (from, came));
    write_raw(&log, "numbers", "a", b"worse").await;
    let changes = within("it is bad again", quarantine.next()).await.unwrap();
    assert_eq!(moved(&changes), (keys(["a"]), keys(["a"])));
    map.put("a", 1).await.unwrap();
    delete_raw(&log, "numbers", "old").await;
    map.sync().await.unwrap();
    let changes = within("both left", quarantine.next()).await.unwrap();
    assert_eq!(moved(&changes), (keys([]), keys(["a", "old"])));

    // And over a gap.
    write_raw(&log, "numbers", "kept", b"bad").await;
    map.sync().await.unwrap();
    quarantine.catch_up();
    in_a_gap(&log, write_raw(&log, "numbers", "new", b"bad")).await;
    let changes = within("a snapshot", quarantine.next()).await.unwrap();
    assert_eq!(moved(&changes), (keys(["new"]), keys([])));
}

#[tokio::test]
async fn a_watch_of_the_quarantine_sleeps_through_what_is_good() {
    let (log, map) = fresh().await;
    write_raw(&log, "numbers", "bad", b"bad").await;
    map.sync().await.unwrap();
    let mut quarantine = map.watch_quarantine();
    let good = async {
        for value in 0..10 {
            map.put("a", value).await.unwrap();
        }
        map.delete("a").await.unwrap();
    };
    assert_eq!(wakes(quarantine.next(), good).await, 0);
    let bad = async {
        write_raw(&log, "numbers", "a", b"bad").await;
        map.sync().await.unwrap();
    };
    assert_eq!(wakes(quarantine.next(), bad).await, 1);
    let changes = within("who gave up loses nothing", quarantine.next()).await;
    assert_eq!(moved(&changes.unwrap()), (keys(["a"]), keys([])));
}

const SECOND: Duration = Duration::from_secs(1);

/// A map that asks whether it is current every second, and is stale when it could not for three.
async fn patient(log: &Around) -> Globe<String, u64> {
    let builder = Globe::builder(log.clone(), "numbers")
        .probe_interval(SECOND)
        .stale_after(3 * SECOND);
    builder.open().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_map_that_goes_stale_by_time_alone_is_heard_of_at_that_moment() {
    let around = Around::new(&MemoryLog::new());
    let map = patient(&around).await;
    let mut phase = map.watch_phase();
    assert_eq!(phase.catch_up(), Phase::Live);
    around.cut(true);
    {
        let mut stale = pin!(phase.next());
        while stale.as_mut().now_or_never().is_none() {
            let age = map.status().staleness.unwrap();
            assert!(age <= 3 * SECOND + Duration::from_millis(5), "{age:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(map.status().phase, Phase::Stale);
    around.cut(false);
    assert_eq!(within("a proof", phase.next()).await, Some(Phase::Live));
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_the_phase_sleeps_while_all_is_well() {
    let around = Around::new(&MemoryLog::new());
    let map = patient(&around).await;
    let mut phase = map.watch_phase();
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&polls);
    let waiting = tokio::spawn(async move {
        let mut next = pin!(phase.next());
        std::future::poll_fn(|context| {
            counter.fetch_add(1, Ordering::SeqCst);
            next.as_mut().poll(context)
        })
        .await
    });
    for value in 0..60 {
        map.put("a", value).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    assert!(!waiting.is_finished());
    let polls = polls.load(Ordering::SeqCst);
    assert!(polls <= 40, "{polls} in a minute");
}

#[tokio::test(start_paused = true)]
async fn the_phases_of_a_life_are_shown_in_turn_and_the_last_one_never_missed() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    around.hold_snapshots(true);
    let map: Globe<String, u64> = Globe::builder(around.clone(), "numbers")
        .strict(true)
        .start()
        .unwrap();
    let (mut phase, mut sleepy) = (map.watch_phase(), map.watch_phase());
    assert_eq!(phase.catch_up(), Phase::Hydrating);
    assert!(phase.next().now_or_never().is_none());
    around.hold_snapshots(false);
    assert_eq!(within("live", phase.next()).await, Some(Phase::Live));
    let waiting = tokio::spawn(async move { (phase.next().await, phase.next().await) });
    tokio::task::yield_now().await;
    write_raw(&log, "numbers", "a", b"bad").await;
    let seen = within("the end", waiting).await.unwrap();
    assert_eq!(seen, (Some(Phase::Failed), None));
    assert_eq!(within("the end", sleepy.next()).await, Some(Phase::Failed));
    assert_eq!(within("the end", sleepy.next()).await, None);
    assert_eq!(within("the end", map.watch_phase().next()).await, None);
}

#[tokio::test]
async fn a_stream_that_is_given_up_at_any_poll_loses_nothing() {
    let map = numbers(&MemoryLog::new()).await;
    let mut stream = map.watch().every_revision(1_000).into_stream();
    let mut shown = Vec::new();
    for value in 0..100 {
        map.put("a", value).await.unwrap();
        for _ in 0..value % 3 {
            let polled = stream.next().now_or_never().flatten();
            shown.extend(polled.iter().flat_map(seen));
        }
    }
    map.close().await;
    assert!(stream.ended().is_some());
    while let Some(changes) = within("the rest", stream.next()).await {
        shown.extend(seen(&changes));
    }
    assert!(
        stream.next().await.is_none(),
        "and goes on being at its end"
    );
    let values: Vec<u64> = shown.into_iter().filter_map(|(_, _, new)| new).collect();
    assert_eq!(values, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_that_waits_is_woken() {
    let map = numbers(&MemoryLog::new()).await;
    let stream = map.watch_key("a").into_stream();
    let waiting = tokio::spawn(stream.map(|changes| seen(&changes)).collect::<Vec<_>>());
    tokio::task::yield_now().await;
    map.put("a", 1).await.unwrap();
    until("others had their turn", || true).await;
    map.close().await;
    let shown = within("the end", waiting).await.unwrap();
    assert_eq!(shown.concat(), [changed("a", None, Some(1))]);
}
