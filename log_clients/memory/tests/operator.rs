//! What an operator can do to a memory log, and what its clients see of it.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{
    Change, ErrorKind, Keyspace, LogClient, Position, Precondition, Revision, Snapshot, Tail,
    Transaction,
};
use globe_memory::MemoryLog;

fn keyspace() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

async fn put(log: &MemoryLog, key: &'static str) -> Position {
    let transaction = Transaction::new().put(&keyspace(), key, "value");
    log.commit(transaction).await.unwrap()
}

async fn snapshot(log: &MemoryLog) -> Snapshot {
    log.snapshot(&keyspace()).await.unwrap()
}

async fn tail(log: &MemoryLog) -> Tail {
    log.tail(&keyspace(), log.head_position()).await.unwrap()
}

async fn next_error(tail: &mut Tail) -> ErrorKind {
    tail.next().await.unwrap_err().kind().clone()
}

async fn keys(log: &MemoryLog) -> Vec<Bytes> {
    let records = snapshot(log).await.collect().await.unwrap();
    records.into_iter().map(|record| record.key).collect()
}

#[tokio::test]
async fn a_restored_log_is_the_backup_again_in_another_epoch() {
    let log = MemoryLog::new();
    let before = put(&log, "kept").await;
    let backup = log.backup();
    let lost = put(&log, "lost").await;
    let mut tail = tail(&log).await;

    log.restore(&backup);

    assert_eq!(log.head_position().revision, before.revision);
    assert_ne!(log.head_position().epoch, before.epoch);
    assert_eq!(next_error(&mut tail).await, ErrorKind::EpochChanged);
    let refused = log.tail(&keyspace(), before).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::EpochChanged);
    assert_eq!(keys(&log).await, ["kept"]);
    // The revision of what was lost is used again, and only the epoch tells the two apart.
    let again = put(&log, "again").await;
    assert_eq!(again.revision, lost.revision);
    assert!(!again.covers(lost));
}

#[tokio::test]
async fn a_snapshot_being_read_over_a_restore_says_so() {
    let log = MemoryLog::builder().page_size(1).build();
    put(&log, "a").await;
    put(&log, "b").await;
    let mut snapshot = snapshot(&log).await;
    snapshot.next_page().await.unwrap();
    log.restore(&log.backup());
    let error = snapshot.next_page().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::EpochChanged);
    assert_eq!(snapshot.next_page().await.unwrap(), None);
}

#[tokio::test]
async fn a_wiped_log_is_empty_in_another_epoch() {
    let log = MemoryLog::new();
    let before = put(&log, "key").await;
    log.wipe();
    assert_ne!(log.head_position().epoch, before.epoch);
    assert!(keys(&log).await.is_empty());
}

#[tokio::test]
async fn while_it_is_unavailable_every_call_says_so_and_open_tails_break() {
    let log = MemoryLog::new();
    let lease = log.grant(Duration::from_secs(60)).await.unwrap();
    let mut quick = tail(&log).await;
    let mut late = tail(&log).await;
    let at = log.head_position();
    log.set_available(false);

    let (keyspace, put) = (
        keyspace(),
        Transaction::new().put(&keyspace(), "key", "value"),
    );
    let errors = [
        log.snapshot(&keyspace).await.unwrap_err(),
        log.tail(&keyspace, at).await.unwrap_err(),
        log.head(&keyspace).await.unwrap_err(),
        log.record_at(&keyspace, b"key", at).await.unwrap_err(),
        log.commit(put).await.unwrap_err(),
        log.grant(Duration::from_secs(60)).await.unwrap_err(),
        log.renew(lease).await.unwrap_err(),
        log.revoke(lease.id).await.unwrap_err(),
        quick.next().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    }

    log.set_available(true);
    assert_eq!(
        next_error(&mut late).await,
        ErrorKind::Unavailable,
        "it was open during the outage"
    );
    log.renew(lease).await.unwrap();
    assert_eq!(log.head_position(), at, "nothing was written");
}

#[tokio::test]
async fn why_it_was_not_reached_is_told_until_a_call_is_answered() {
    let log = MemoryLog::new();
    assert!(log.last_failure().is_none());
    log.set_available(false);
    assert!(log.last_failure().is_none(), "nobody has asked yet");
    let error = log.head(&keyspace()).await.unwrap_err();
    log.set_available(true);
    let told = log.last_failure().expect("nobody has asked since");
    assert_eq!(told.to_string(), error.to_string());
    // Any answer will do.
    let absent = Transaction::new().when(&keyspace(), "key", Precondition::Present);
    assert!(log.commit(absent).await.unwrap_err().is_conflict());
    assert!(log.last_failure().is_none());
}

#[tokio::test]
async fn a_status_tells_where_the_log_stands_and_why_it_was_not_reached() {
    let log = MemoryLog::new();
    let head = put(&log, "key").await;
    log.compact(head.revision).unwrap();
    let status = log.status();
    assert_eq!(status.name, "memory");
    assert_eq!(status.details["head"], head.to_string());
    assert_eq!(status.details["compacted"], head.revision.to_string());
    log.set_available(false);
    assert_eq!(log.status().last_failure, None, "to look is not to ask");
    let error = log.head(&keyspace()).await.unwrap_err();
    assert_eq!(log.status().last_failure, Some(error.to_string()));
}

#[tokio::test]
async fn a_log_can_be_down_from_the_start() {
    let log = MemoryLog::builder().available(false).build();
    let error = log.head(&keyspace()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unavailable);
    log.set_available(true);
    assert_eq!(log.head(&keyspace()).await.unwrap(), log.head_position());
}

#[tokio::test(start_paused = true)]
async fn held_tails_deliver_everything_once_they_are_let_go() {
    let log = MemoryLog::new();
    let mut tail = tail(&log).await;
    log.hold_tails(true);
    let first = put(&log, "a").await;
    let second = put(&log, "b").await;
    let silence = tokio::time::timeout(Duration::from_secs(60), tail.next()).await;
    silence.unwrap_err();
    log.hold_tails(false);
    assert_eq!(tail.next().await.unwrap().revision, first.revision);
    assert_eq!(tail.next().await.unwrap().revision, second.revision);
}

#[tokio::test(start_paused = true)]
async fn a_silenced_tail_stays_silent_and_a_new_one_is_well() {
    let log = MemoryLog::new();
    let at = log.head_position();
    let mut silent = tail(&log).await;
    log.silence_open_tails();
    let written = put(&log, "a").await;
    let silence = tokio::time::timeout(Duration::from_secs(60), silent.next()).await;
    silence.unwrap_err();
    let mut well = log.tail(&keyspace(), at).await.unwrap();
    assert_eq!(well.next().await.unwrap().revision, written.revision);
}

#[tokio::test]
async fn compacting_what_was_not_reached_is_invalid_and_what_is_forgotten_nothing() {
    let log = MemoryLog::new();
    let at = put(&log, "a").await;
    let error = log.compact(at.revision.next()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Invalid);
    log.compact(at.revision).unwrap();
    log.compact(Revision::ZERO).unwrap();
    log.tail(&keyspace(), at).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_at_its_time_to_the_millisecond_and_waits_for_nobody_to_look() {
    let log = MemoryLog::new();
    let start = tokio::time::Instant::now();
    let lease = log.grant(Duration::from_millis(250)).await.unwrap();
    assert_eq!(lease.ttl, Duration::from_millis(250));
    let leased = Transaction::new().put_leased(&keyspace(), "key", "value", lease.id);
    log.commit(leased).await.unwrap();
    let mut tail = tail(&log).await;
    let batch = tail.next().await.unwrap();
    assert_eq!(batch.changes, [Change::delete("key")]);
    // Tokio's timer wakes up to a millisecond late, never early.
    let lived = start.elapsed();
    assert!(
        (Duration::from_millis(250)..=Duration::from_millis(252)).contains(&lived),
        "{lived:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tail_that_waits_learns_of_a_lease_granted_later() {
    let log = MemoryLog::new();
    let mut tail = tail(&log).await;
    let waiting = tokio::spawn(async move {
        // The put, then the delete.
        tail.next().await.unwrap();
        tail.next().await.unwrap()
    });
    tokio::task::yield_now().await;
    let lease = log.grant(Duration::from_secs(1)).await.unwrap().id;
    let leased = Transaction::new().put_leased(&keyspace(), "key", "value", lease);
    log.commit(leased).await.unwrap();
    let batch = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert_eq!(batch.unwrap().unwrap().changes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_restore_brings_back_lives_its_full_time_and_cannot_be_renewed() {
    let log = MemoryLog::new();
    let lease = log.grant(Duration::from_secs(10)).await.unwrap();
    let leased = Transaction::new().put_leased(&keyspace(), "key", "value", lease.id);
    log.commit(leased).await.unwrap();
    let backup = log.backup();
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(keys(&log).await.is_empty());
    log.restore(&backup);
    tokio::time::advance(Duration::from_secs(9)).await;
    let error = log.renew(lease).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LeaseLost);
    assert_eq!(keys(&log).await, ["key"]);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(keys(&log).await.is_empty());
}

#[tokio::test]
async fn a_lease_granted_after_a_restore_is_not_one_granted_before() {
    let log = MemoryLog::new();
    let backup = log.backup();
    let before = log.grant(Duration::from_secs(60)).await.unwrap();
    log.restore(&backup);
    let after = log.grant(Duration::from_secs(60)).await.unwrap();
    assert_ne!(before.id, after.id);
    let error = log.renew(before).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LeaseLost);
}

#[tokio::test]
async fn it_runs_no_task() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let log = MemoryLog::new();
    let lease = log.grant(Duration::from_millis(1)).await.unwrap().id;
    let leased = Transaction::new().put_leased(&keyspace(), "key", "value", lease);
    log.commit(leased).await.unwrap();
    let mut tail = tail(&log).await;
    tail.next().await.unwrap();
    assert_eq!(tasks(), before);
}

#[tokio::test]
async fn clones_are_one_log_and_others_are_not() {
    let log = MemoryLog::new();
    assert_eq!(log.id(), log.clone().id());
    assert_ne!(log.id(), MemoryLog::new().id());
    assert_ne!(
        log.head_position().epoch,
        MemoryLog::new().head_position().epoch
    );
}

#[tokio::test]
async fn no_debug_shows_a_value() {
    let log = MemoryLog::new();
    let secret = Transaction::new().put(&keyspace(), "key", "s3cret");
    log.commit(secret.clone()).await.unwrap();
    let tail = tail(&log).await;
    let shown = format!("{log:?} {:?} {secret:?} {tail:?}", log.backup());
    assert!(!shown.contains("s3cret"), "{shown}");
}
