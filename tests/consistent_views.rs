//! Views of several maps at one position: no transaction is seen in part, whatever happens meanwhile.
//!
//! What one view shows is `reads.rs`'s.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use globe::log_client::Transaction;
use globe::{ErrorKind, Globe, LogClient, MemoryLog, View, consistent_views};
use rig::{Around, answered_after, fails_with, keyspace, reaches, until, within, write_raw};
use tokio::time::Instant;

type Numbers = Globe<String, u64>;

const SECOND: Duration = Duration::from_secs(1);

async fn open(log: &(impl LogClient + Clone), name: &str) -> Numbers {
    let builder = Globe::builder(log.clone(), name)
        .retry(Duration::from_millis(5), Duration::from_millis(20))
        .deadline(5 * SECOND);
    within("a map is opened", builder.open()).await.unwrap()
}

/// A log, the way of the second map to it, and two maps.
async fn two() -> (MemoryLog, Around, Numbers, Numbers) {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let (first, second) = (open(&log, "a").await, open(&around, "b").await);
    (log, around, first, second)
}

/// One that does not ask the log by itself.
async fn open_unprobed(log: &Around, name: &str) -> Numbers {
    let builder = Globe::builder(log.clone(), name);
    let builder = builder.probe_interval(60 * SECOND).stale_after(60 * SECOND);
    within("a map is opened", builder.open()).await.unwrap()
}

fn value(view: &View<String, u64>) -> u64 {
    view.get("k").map_or(0, |value| *value)
}

/// Writes one number to several maps at once, past all of them.
async fn write_all(log: &MemoryLog, names: &[&str], number: u64) -> globe::Position {
    let number = number.to_string();
    let writes = names.iter().fold(Transaction::new(), |writes, name| {
        writes.put(&keyspace(name), "k", number.clone())
    });
    log.commit(writes).await.unwrap()
}

/// Writes all the time, each map by itself in between, until it is dropped.
struct Writer(Arc<AtomicBool>);

impl Writer {
    fn begin(log: &MemoryLog, names: &'static [&'static str]) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let (log, stopped) = (log.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut number = 0;
            while !stopped.load(Ordering::SeqCst) {
                number += 1;
                write_all(&log, names, number).await;
                for name in names {
                    write_raw(&log, name, "other", b"1").await;
                }
                if number % 100 == 0 {
                    log.compact(log.head_position().revision).unwrap();
                }
                tokio::task::yield_now().await;
            }
        });
        Writer(stop)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_set_of_views_shows_a_part_of_a_transaction() {
    let log = MemoryLog::new();
    let (a, b) = (open(&log, "a").await, open(&log, "b").await);
    let _writer = Writer::begin(&log, &["a", "b"]);
    let (mut newest, mut sets) = (0, 0);
    let begun = Instant::now();
    while newest < 500 || sets < 500 {
        let views = within("views", consistent_views((&a, &b))).await.unwrap();
        let shown = (value(&views.0), value(&views.1));
        assert_eq!(shown.0, shown.1, "{views:?}");
        assert!(shown.0 >= newest, "nothing goes back");
        (newest, sets) = (shown.0, sets + 1);
        assert!(begun.elapsed() < 50 * SECOND, "{sets} sets up to {newest}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_busy_maps_are_seen_at_one_position() {
    const NAMES: &[&str] = &["a", "b", "c", "d", "e", "f"];
    let log = MemoryLog::new();
    let mut maps = Vec::new();
    for name in NAMES {
        maps.push(open(&log, name).await);
    }
    let [a, b, c, d, e, f] = &maps[..] else {
        panic!("six maps");
    };
    let _writer = Writer::begin(&log, NAMES);
    for _ in 0..100 {
        let views = within("views", consistent_views((a, b, c, d, e, f)))
            .await
            .unwrap();
        let (a, b, c, d, e, f) = views;
        let shown = [a, b, c, d, e, f].map(|view| value(&view));
        assert!(shown.iter().all(|one| *one == shown[0]), "{shown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_map_that_lags_is_waited_for_and_one_that_runs_ahead_is_seen_as_it_was() {
    let (log, around, ahead, behind) = two().await;
    let before = (ahead.view().position(), behind.view().position());
    around.cut(true);
    write_all(&log, &["a", "b"], 1).await;
    until("one is ahead", || ahead.contains_key("k")).await;
    assert_eq!(behind.view().position().revision, before.1.revision);
    let views = answered_after(consistent_views((&ahead, &behind)), async {
        tokio::time::sleep(SECOND).await;
        for number in 2..10 {
            write_all(&log, &["a", "b"], number).await;
            write_raw(&log, "b", "other", b"1").await;
        }
        until("it ran on", || ahead.get("k").as_deref() == Some(&9)).await;
        around.cut(false);
    });
    let views = views.await.unwrap();
    assert_eq!((value(&views.0), value(&views.1)), (1, 1), "in passing");
}

#[tokio::test(start_paused = true)]
async fn handles_that_only_read_are_seen_together_with_those_that_write() {
    let (log, _, a, b) = two().await;
    let (read_a, read_b) = (a.reader(), b.reader());
    write_all(&log, &["a", "b"], 1).await;
    read_a.sync().await.unwrap();
    let views = consistent_views((&read_a, &b)).await.unwrap();
    assert_eq!((value(&views.0), value(&views.1)), (1, 1));
    let views = consistent_views((&a, &read_b, &read_a)).await.unwrap();
    assert_eq!((value(&views.1), value(&views.2)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_map_beside_a_busy_one_is_asked_after_and_not_waited_for() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let (busy, quiet) = (open(&log, "busy"), open_unprobed(&around, "quiet"));
    let (busy, quiet) = (busy.await, quiet.await);
    // As etcd does: a quiet keyspace hears how far the others are when it asks.
    around.hold_progress();
    let heads = || around.calls().heads;
    let asked = heads();
    busy.put("k", 1).await.unwrap();
    tokio::time::sleep(SECOND).await;
    let at = busy.position().unwrap();
    assert!(!quiet.position().unwrap().covers(at), "it heard nothing");
    let begun = Instant::now();
    let views = consistent_views((&quiet, &busy)).await.unwrap();
    assert!(views.0.position().covers(at));
    assert!(begun.elapsed() < SECOND);
    assert_eq!(heads(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn maps_of_different_logs_are_refused() {
    let (one, other) = (MemoryLog::new(), MemoryLog::new());
    let (a, b) = (open(&one, "a").await, open(&other, "b").await);
    fails_with(consistent_views((&a, &b)).await, ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_may_skip_commits_is_refused() {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.every_commit = false;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    let (a, b) = (open(&log, "a").await, open(&log, "b").await);
    fails_with(consistent_views((&a, &b)).await, ErrorKind::Unsupported);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_by_the_deadline_of_the_first_handle_is_stale() {
    let (log, around, ahead, behind) = two().await;
    around.cut(true);
    write_all(&log, &["a", "b"], 1).await;
    until("one is ahead", || ahead.contains_key("k")).await;
    let begun = Instant::now();
    fails_with(consistent_views((&ahead, &behind)).await, ErrorKind::Stale);
    assert_eq!(begun.elapsed(), 5 * SECOND);
    let reader = behind.reader().with_deadline(SECOND);
    fails_with(consistent_views((&reader, &ahead)).await, ErrorKind::Stale);
    assert_eq!(begun.elapsed(), 6 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn two_lives_of_the_log_are_never_mixed() {
    let (log, around, knows, does_not) = two().await;
    write_all(&log, &["a", "b"], 1).await;
    consistent_views((&knows, &does_not)).await.unwrap();
    let old = does_not.view().position();
    around.cut(true);
    log.wipe();
    // As many commits as before: by their revisions alone the two would fit.
    for number in 0..=old.revision.0 {
        write_all(&log, &["a", "b"], 100 + number).await;
    }
    let last = log.head_position();
    reaches(&knows, last).await;
    let refused = consistent_views((&knows, &does_not)).await;
    fails_with(refused, ErrorKind::Stale);
    let mended = async { around.cut(false) };
    let views = answered_after(consistent_views((&knows, &does_not)), mended);
    let views = views.await.unwrap();
    assert_eq!(views.0.position().epoch, views.1.position().epoch);
    assert_eq!(value(&views.0), value(&views.1));
}

#[tokio::test(start_paused = true)]
async fn a_bad_record_is_kept_out_of_both_views_or_of_neither() {
    let (log, around, bad, good) = two().await;
    around.cut(true);
    let half = Transaction::new().put(&keyspace("a"), "k", "bad");
    log.commit(half.put(&keyspace("b"), "k", "1"))
        .await
        .unwrap();
    until("one is ahead", || bad.quarantine().len() == 1).await;
    fails_with(consistent_views((&bad, &good)).await, ErrorKind::Stale);
    around.cut(false);
    let views = within("views", consistent_views((&bad, &good)))
        .await
        .unwrap();
    assert_eq!((views.0.quarantine().count(), value(&views.1)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_map_that_ended_is_seen_as_far_as_it_came_and_never_waited_for() {
    let log = MemoryLog::new();
    let (open_one, closed) = (open(&log, "a").await, open(&log, "b").await);
    write_all(&log, &["a", "b"], 1).await;
    open_one.sync().await.unwrap();
    let views = consistent_views((&open_one, &closed)).await.unwrap();
    assert_eq!(value(&views.0), 1);
    closed.close().await;
    consistent_views((&open_one, &closed)).await.unwrap();
    write_all(&log, &["a", "b"], 2).await;
    open_one.sync().await.unwrap();
    let refused = within("an answer", consistent_views((&open_one, &closed))).await;
    fails_with(refused, ErrorKind::Closed);

    // One that ends while it is waited for.
    let around = Around::new(&log);
    let behind = open(&around, "c").await;
    around.cut(true);
    write_all(&log, &["a", "c"], 3).await;
    open_one.sync().await.unwrap();
    let closing = async {
        tokio::time::sleep(SECOND).await;
        behind.close().await;
    };
    let both = futures::future::join(consistent_views((&open_one, &behind)), closing);
    let (looked, ()) = within("an answer", both).await;
    fails_with(looked, ErrorKind::Closed);
}
