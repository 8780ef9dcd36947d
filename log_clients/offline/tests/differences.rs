//! A difference that is read to its end carries the copy on, if it begins where the copy stands.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Bytes, Difference, KnownKeys, LogClient, Position, Record};
use globe_offline::RecordedLog;
use rig::counted::Counted;
use rig::{Follower, Rig, delete, flags, put, wait_for};
use tokio::time::Instant;

/// Moments are kept in milliseconds, of two clocks.
const ROUNDED: Duration = Duration::from_millis(5);

/// What somebody knows.
struct Known {
    position: Position,
    records: Vec<Record>,
}

impl Known {
    async fn of(rig: &Rig) -> Known {
        let (position, records) = rig.truth().await;
        Known { position, records }
    }

    async fn difference(&self, log: &RecordedLog) -> Difference {
        let keys: Vec<Bytes> = self.records.iter().map(|one| one.key.clone()).collect();
        let known = KnownKeys::new(keys).unwrap();
        let difference = log.difference(&flags(), self.position, known).await;
        difference.unwrap()
    }
}

/// A log of a few keys, with a copy that stands at its head.
async fn begun() -> (Rig, Counted, RecordedLog) {
    let rig = Rig::new();
    for n in 0..30 {
        rig.commit(put(&format!("key {n:02}"), "before")).await;
    }
    let inner = Counted::new(rig.memory.clone());
    let log = RecordedLog::new(Arc::new(inner.clone()), &flags(), &rig.offline()).unwrap();
    rig::read(log.snapshot(&flags()).await.unwrap()).await;
    log.flush().await.unwrap();
    rig.is_whole().await;
    (rig, inner, log)
}

/// Changes, and forgets how.
async fn change(rig: &Rig) -> Position {
    rig.commit(put("key 03", "after")).await;
    rig.commit(delete("key 04")).await;
    rig.commit(put("key 05/new", "after")).await;
    rig.commit(delete("key 06")).await;
    let head = rig.commit(put("key 06", "again")).await;
    rig.memory.compact(head.revision).unwrap();
    head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_begins_where_the_copy_stands_carries_it_on() {
    let (rig, inner, log) = begun().await;
    let known = Known::of(&rig).await;
    let head = change(&rig).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    let difference = known.difference(&log).await;
    assert_eq!(difference.collect().await.unwrap().len(), 4);
    log.flush().await.unwrap();
    assert_eq!(log.written(), Some(head));
    rig.is_whole().await;
    let age = rig.copy().await.age.unwrap();
    assert!(age <= asked.elapsed() + ROUNDED, "{age:?}");
    // What follows it is written as well, and nobody has to mend.
    let mut follower = Follower::after(&log, head).await;
    let last = rig.commit(put("key 07", "later")).await;
    follower.reach(last).await;
    log.flush().await.unwrap();
    rig.is_whole().await;
    assert_eq!(inner.counts.all()[0], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_is_not_read_to_its_end_leaves_the_copy_as_it_was() {
    let (rig, _, log) = begun().await;
    let known = Known::of(&rig).await;
    change(&rig).await;
    let mut difference = known.difference(&log).await;
    difference.next_page().await.unwrap();
    drop(difference);
    let mut difference = known.difference(&log).await;
    difference.next_page().await.unwrap();
    let head = rig.commit(put("key 29", "later")).await;
    rig.memory.compact(head.revision).unwrap();
    while difference
        .next_page()
        .await
        .is_ok_and(|page| page.is_some())
    {}
    log.flush().await.unwrap();
    let copy = rig.copy().await;
    assert_eq!(
        (copy.position, copy.records),
        (known.position, known.records)
    );
}

/// What was created since it began, and is gone by now, a difference does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_from_before_the_copy_is_not_written_and_what_is_missing_is_fetched() {
    let (rig, inner, log) = begun().await;
    let known = Known::of(&rig).await;
    rig.commit(put("ghost", "for a moment")).await;
    rig::read(log.snapshot(&flags()).await.unwrap()).await;
    log.flush().await.unwrap();
    let copied = rig.copy().await;
    rig.commit(delete("ghost")).await;
    let head = change(&rig).await;
    known.difference(&log).await.collect().await.unwrap();
    log.flush().await.unwrap();
    assert_eq!(rig.copy().await.records, copied.records);
    wait_for(|| log.written().is_some_and(|at| at.covers(head))).await;
    rig.is_whole().await;
    assert_eq!(inner.counts.all()[0], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_is_too_large_to_keep_is_left_to_who_mends() {
    let (rig, inner, log) = begun().await;
    let known = Known::of(&rig).await;
    for n in 0..40 {
        rig.commit(put(&format!("large {n:02}"), vec![n; 1_000_000]))
            .await;
    }
    let head = change(&rig).await;
    known.difference(&log).await.collect().await.unwrap();
    log.flush().await.unwrap();
    assert_eq!(log.written(), Some(known.position));
    wait_for(|| log.written().is_some_and(|at| at.covers(head))).await;
    rig.is_whole().await;
    assert_eq!(inner.counts.all()[0], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_of_nothing_says_that_the_copy_is_current() {
    let (rig, _, log) = begun().await;
    let known = Known::of(&rig).await;
    let beside = globe_log_client::Keyspace::new("beside").unwrap();
    let elsewhere = globe_log_client::Transaction::new().put(&beside, "key", "1");
    let head = rig.commit(elsewhere).await;
    let difference = known.difference(&log).await;
    assert!(difference.collect().await.unwrap().is_empty());
    log.flush().await.unwrap();
    assert_eq!(log.written(), Some(head));
    rig.is_whole().await;
    // Of another keyspace nothing is written.
    let other = log.difference(&beside, known.position, KnownKeys::default());
    assert_eq!(other.await.unwrap().collect().await.unwrap().len(), 1);
    log.flush().await.unwrap();
    rig.is_whole().await;
}
