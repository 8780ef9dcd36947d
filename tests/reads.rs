//! Reads: local, never waiting, never going back, whatever way they look and on whatever thread.
//!
//! Threads are told of each other through channels and atomics; no clock decides anything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use globe::{Globe, MemoryLog, Phase};
use rig::reading_thread::ReadingThread;
use rig::{Around, fresh, numbers, put_all, until, within, write_many, write_raw};

type Numbers = Globe<String, u64>;

/// One way to look at a counter.
fn looks() -> [fn(&Numbers) -> u64; 5] {
    [
        |map| *map.get("n").unwrap(),
        |map| *map.view().get("n").unwrap(),
        |map| **map.get_entry("n").unwrap().value(),
        |map| *map.watch().catch_up().get("n").unwrap(),
        |map| {
            **map
                .view()
                .range((Included("n"), Unbounded))
                .next()
                .unwrap()
                .1
                .value()
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_shown_once_is_never_taken_back_in_any_way_of_looking() {
    let log = MemoryLog::new();
    // Snapshots follow each other so quickly that the pauses between them would grow.
    let map: Globe<String, u64> = Globe::builder(log.clone(), "numbers")
        .retry(Duration::from_millis(1), Duration::from_millis(5))
        .open()
        .await
        .unwrap();
    map.put("n", 0).await.unwrap();
    let reader = |start: usize| {
        let (map, mut newest) = (map.clone(), 0);
        ReadingThread::begin(move |look| {
            let now = looks()[(start + look) % 5](&map);
            assert!(now >= newest, "{now} after {newest}");
            newest = now;
        })
    };
    let readers = [0, 1, 2, 3].map(reader);
    for value in 1..5_000_u64 {
        write_raw(&log, "numbers", "n", value.to_string()).await;
        if value % 50 == 0 {
            let head = log.head_position();
            log.compact(head.revision).unwrap();
            log.set_available(false);
            log.set_available(true);
            within("the map follows", map.sync()).await.unwrap();
        }
    }
    assert!(readers.into_iter().all(|thread| thread.stop() > 0));
}

/// One thread looks in every way in turn and tells another what it sees, with the number of the look, while the map is
/// written again and again.
async fn told_while_written(
    listen: impl FnOnce(&Numbers, mpsc::Receiver<(u64, usize)>) + Send + 'static,
) -> Numbers {
    let (log, map) = fresh().await;
    map.put("n", 0).await.unwrap();
    let (tell, told) = mpsc::sync_channel(0);
    let here = map.clone();
    let teller =
        ReadingThread::begin(move |look| tell.send((looks()[look % 5](&here), look)).unwrap());
    let there = map.clone();
    let listener = thread::spawn(move || listen(&there, told));
    for value in 1..10_000_u64 {
        write_raw(&log, "numbers", "n", value.to_string()).await;
        tokio::task::yield_now().await;
    }
    within("the map follows", map.sync()).await.unwrap();
    teller.stop();
    listener.join().unwrap();
    map
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_thread_told_by_the_first_sees_no_less() {
    let listen = |map: &Numbers, told: mpsc::Receiver<(u64, usize)>| {
        for (seen, look) in told {
            // Every pairing of two ways comes up.
            let here = looks()[(look / 5) % 5](map);
            assert!(here >= seen, "told of {seen}, saw {here} ({look})");
        }
    };
    told_while_written(listen).await;
}

/// A large step keeps the index behind the view for long: the moment in which the two ways to look could disagree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_shows_no_less_than_a_view_before_it_and_no_more_than_one_after_it() {
    const KEYS: usize = 100;
    let (log, map) = fresh().await;
    let keys: Vec<String> = (0..KEYS).map(|key| format!("k{key:03}")).collect();
    let write = async |value: u64| {
        let entries = keys.iter().map(|key| (key.clone(), value.to_string()));
        write_many(&log, "numbers", entries).await
    };
    write(0).await;
    within("the first values", map.sync()).await.unwrap();
    let reader = |offset: usize| {
        let (map, keys) = (map.clone(), keys.clone());
        ReadingThread::begin(move |look| {
            let key = offset + 31 * look;
            let name = keys[key % KEYS].as_str();
            let before = *map.view().get(name).unwrap();
            let got = *map.get(name).unwrap();
            let after = *map.view().get(name).unwrap();
            assert!(before <= got && got <= after, "{before} {got} {after}");
            // Two gets of a transaction's keys, the second no older than the first.
            let other = keys[(key * 7 + 50) % KEYS].as_str();
            assert!(*map.get(other).unwrap() >= got);
        })
    };
    let readers = [0, 1, 2].map(reader);
    for value in 1..800 {
        write(value).await;
        tokio::task::yield_now().await;
    }
    within("the map follows", map.sync()).await.unwrap();
    assert!(readers.into_iter().all(|thread| thread.stop() > 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_seen_by_every_thread_that_hears_of_it() {
    let map = numbers(&MemoryLog::new()).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let map = map.clone();
        writers.spawn(async move {
            let key = format!("w{writer}");
            let mut watch = map.watch_key(key.as_str());
            for value in 0..200 {
                let position = map.put(key.as_str(), value).await.unwrap().position();
                assert_eq!(map.get(key.as_str()).as_deref(), Some(&value));
                assert_eq!(map.view().get(key.as_str()).map(|v| *v), Some(value));
                assert!(map.position().unwrap().covers(position));
                assert!(map.view().position().covers(position));
                let shown = watch.try_next().expect("the watch shows it as well");
                assert!(shown.to().covers(position));
                let other = map.clone();
                let key = key.clone();
                let there =
                    tokio::task::spawn_blocking(move || other.get(key.as_str()).map(|v| *v));
                assert_eq!(there.await.unwrap(), Some(value));
            }
        });
    }
    within("all writers", writers.join_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_never_runs_ahead_of_what_is_shown_nor_falls_back() {
    let (log, map) = fresh().await;
    let (its, mut last) = (map.clone(), map.position().unwrap());
    let reader = ReadingThread::begin(move |_| {
        let position = its.position().unwrap();
        let view = its.view();
        assert!(position.covers(last) && view.position().covers(position));
        // In this keyspace the value is the revision that wrote it.
        let shown = view.get("n").map_or(0, |n| *n);
        assert_eq!(shown.max(1), view.position().revision.0.max(1));
        last = view.position();
    });
    for revision in 2..3_000_u64 {
        write_raw(&log, "numbers", "n", revision.to_string()).await;
    }
    within("the map follows", map.sync()).await.unwrap();
    reader.stop();
    assert_eq!(map.get("n").as_deref(), Some(&2_999));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_on_during_the_resync_of_a_hundred_thousand_keys() {
    const KEYS: u64 = 100_000;
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let fill = async |value: u64| {
        for first in (0..KEYS).step_by(100) {
            let keys = first..first + 100;
            let entries = keys.map(|key| (format!("k{key:06}"), value.to_string()));
            write_many(&log, "numbers", entries).await;
        }
    };
    fill(1).await;
    let map = numbers(&around).await;
    assert_eq!(map.len() as u64, KEYS);
    log.hold_tails(true);
    around.hold_snapshots(true);
    fill(2).await;
    log.compact(log.head_position().revision).unwrap();
    let newest = Arc::new(AtomicU64::new(1));
    let (its, newest_of_all) = (map.clone(), Arc::clone(&newest));
    let reader = ReadingThread::begin(move |look| {
        let key = format!("k{:06}", look as u64 * 7919 % KEYS);
        let got = *its.get(key.as_str()).unwrap();
        let before = newest_of_all.fetch_max(got, Ordering::AcqRel);
        assert!(
            got >= before,
            "{got} after {before}: the resync is one step"
        );
    });
    log.hold_tails(false);
    around.hold_snapshots(false);
    let resync = map.wait_for(|view| view.get("k000000").is_some_and(|value| *value == 2));
    within("the resync", resync).await.unwrap();
    until("the reader sees it", || newest.load(Ordering::Acquire) == 2).await;
    assert!(reader.stop() > 1_000, "the reader was held up");
    until("it is live", || map.status().phase == Phase::Live).await;
    assert_eq!((map.status().resyncs, map.len() as u64), (1, KEYS));
}

#[tokio::test]
async fn a_view_stands_still_whatever_happens_after() {
    let (log, map) = fresh().await;
    put_all(&map, [("a", 1), ("b", 2)]).await;
    let view = map.view();
    map.put("a", 10).await.unwrap();
    map.delete("b").await.unwrap();
    log.wipe();
    within("the wipe", map.wait_for(|view| view.is_empty()))
        .await
        .unwrap();
    map.close().await;
    assert_eq!(
        (
            view.len(),
            view.get("a").map(|a| *a),
            view.get("b").map(|b| *b)
        ),
        (2, Some(1), Some(2))
    );
}

/// Both directions: a `Cached` told of a view shows no less, and a view after it shows no less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_value_lies_between_the_looks_around_it_on_any_thread() {
    let listen = |map: &Numbers, told: mpsc::Receiver<(u64, usize)>| {
        let mut cached = map.cached("n");
        for (seen, look) in told {
            let here = **cached.get().unwrap();
            assert!(here >= seen, "told of {seen}, saw {here}");
            let after = looks()[look % 5](map);
            assert!(after >= here, "{after} after {here}");
        }
    };
    let map = told_while_written(listen).await;
    let mut cached = map.cached("n");
    assert_eq!(cached.get().map(|n| **n), Some(9_999));
    map.delete("n").await.unwrap();
    assert!(cached.get().is_none());
}

#[test]
fn handles_views_and_watches_can_go_to_other_threads() {
    fn can_travel<T: Send + Sync>() {}
    can_travel::<Numbers>();
    can_travel::<globe::View<String, u64>>();
    can_travel::<globe::Watch<String, u64>>();
    can_travel::<globe::Changes<String, u64>>();
    can_travel::<globe::Builder<String, u64>>();
}
