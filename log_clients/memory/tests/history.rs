//! How much of the past a memory log keeps.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::time::Duration;

use globe_log_client::{ErrorKind, Keyspace, LogClient, Position, Result, Revision, Transaction};
use globe_memory::MemoryLog;

const KEPT: u64 = 4;

fn keyspace() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

fn bounded() -> MemoryLog {
    MemoryLog::from_url(&format!("memory:?history={KEPT}")).unwrap()
}

async fn put(log: &MemoryLog, key: &str) -> Position {
    let transaction = Transaction::new().put(&keyspace(), key.to_owned(), "value");
    log.commit(transaction).await.unwrap()
}

async fn put_many(log: &MemoryLog, count: u64) -> Position {
    for number in 0..count {
        put(log, &format!("{number:03}")).await;
    }
    log.head_position()
}

fn before(position: Position, commits: u64) -> Position {
    Position::new(position.epoch, Revision(position.revision.0 - commits))
}

/// How many commits a tail after a position delivers until it reaches the head.
async fn delivered_after(log: &MemoryLog, after: Position) -> Result<u64> {
    let (head, mut count) = (log.head_position().revision, 0);
    let mut tail = log.tail(&keyspace(), after).await?;
    let mut reached = after.revision;
    while reached < head {
        reached = tail.next().await?.revision;
        count += 1;
    }
    Ok(count)
}

fn is_compacted<T: std::fmt::Debug>(outcome: Result<T>) {
    assert_eq!(outcome.unwrap_err().kind(), &ErrorKind::Compacted);
}

/// Exactly as much as was asked for is there: the log followed this many commits back, and no further.
async fn keeps_exactly(log: &MemoryLog, commits: u64) {
    let head = log.head_position();
    let oldest = before(head, commits);
    assert_eq!(delivered_after(log, oldest).await.unwrap(), commits);
    is_compacted(delivered_after(log, before(oldest, 1)).await);
    let at = |position| {
        let log = log.clone();
        async move { log.record_at(&keyspace(), b"000", position).await }
    };
    at(oldest).await.unwrap();
    is_compacted(at(before(oldest, 1)).await);
}

#[tokio::test]
async fn a_log_keeps_as_many_commits_as_it_was_built_to_and_every_live_record() {
    let log = bounded();
    put_many(&log, 20).await;
    keeps_exactly(&log, KEPT).await;
    let snapshot = log.snapshot(&keyspace()).await.unwrap();
    assert_eq!(snapshot.collect().await.unwrap().len(), 20);
    // What was last written before all that is kept is known of every position that is.
    let oldest = before(log.head_position(), KEPT);
    let record = log.record_at(&keyspace(), b"000", oldest).await.unwrap();
    assert_eq!(record.unwrap().modified, Revision(2));
}

#[tokio::test]
async fn a_tail_that_is_left_behind_further_is_told_so_and_one_that_is_not_misses_nothing() {
    let log = bounded();
    let start = put_many(&log, 2).await;
    let mut tail = log.tail(&keyspace(), start).await.unwrap();
    put_many(&log, KEPT).await;
    for commit in 1..=KEPT {
        let batch = tail.next().await.unwrap();
        assert_eq!(batch.revision.0, start.revision.0 + commit);
    }
    put_many(&log, KEPT + 1).await;
    is_compacted(tail.next().await);
}

#[tokio::test(start_paused = true)]
async fn what_a_lease_takes_with_it_is_a_commit_as_any_other() {
    let log = bounded();
    for number in 0..10 {
        let lease = log.grant(Duration::from_secs(1)).await.unwrap().id;
        let transaction =
            Transaction::new().put_leased(&keyspace(), format!("{number:03}"), "value", lease);
        log.commit(transaction).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    keeps_exactly(&log, KEPT).await;
}

#[tokio::test]
async fn a_log_that_was_wiped_or_restored_keeps_no_more_than_before() {
    let log = bounded();
    log.wipe();
    put_many(&log, 10).await;
    keeps_exactly(&log, KEPT).await;
    let backup = log.backup();
    log.restore(&backup);
    put_many(&log, 10).await;
    keeps_exactly(&log, KEPT).await;
    // Nor if the backup is of a log that keeps more.
    let whole = MemoryLog::new();
    put_many(&whole, 10).await;
    log.restore(&whole.backup());
    keeps_exactly(&log, KEPT).await;
    put_many(&log, 10).await;
    keeps_exactly(&log, KEPT).await;
}

#[tokio::test]
async fn without_a_bound_all_is_kept_and_by_a_url_ten_thousand_commits() {
    const MANY: u64 = 10_010;
    let whole = MemoryLog::new();
    put_many(&whole, MANY).await;
    let start = before(whole.head_position(), MANY);
    assert_eq!(delivered_after(&whole, start).await.unwrap(), MANY);
    let log = MemoryLog::from_url("memory:").unwrap();
    put_many(&log, MANY).await;
    keeps_exactly(&log, 10_000).await;
}
