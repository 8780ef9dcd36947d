//! What is not confirmed does not become the copy, whoever has read it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::sync::Arc;

use globe_log_client::{LogClient, Position};
use globe_offline::RecordedLog;
use rig::counted::Counted;
use rig::{Follower, Rig, delete, flags, put, wait_for};

/// A copy of one record, by a log that writes only what is confirmed.
async fn confirmed() -> (Rig, RecordedLog, Follower, Position) {
    let rig = Rig::new();
    let head = rig.commit(put("key", "good")).await;
    let log = rig.recorded().only_confirmed();
    let follower = Follower::start(&log).await;
    log.flush().await.unwrap();
    assert_eq!(rig.offline().read(&flags()).await, Ok(None));
    log.confirm(head);
    log.flush().await.unwrap();
    rig.is_whole().await;
    (rig, log, follower, head)
}

#[tokio::test]
async fn what_is_not_confirmed_is_not_written() {
    let (rig, log, mut follower, good) = confirmed().await;
    let gone = rig.commit(delete("key")).await;
    let last = rig.commit(put("other", "")).await;
    follower.reach(last).await;
    log.flush().await.unwrap();
    let copy = rig.copy().await;
    assert_eq!((copy.position, copy.records.len()), (good, 1));
    log.confirm(gone);
    log.flush().await.unwrap();
    let copy = rig.copy().await;
    assert_eq!((copy.position, copy.records.len()), (gone, 0));
    log.confirm(last);
    log.flush().await.unwrap();
    rig.is_whole().await;
}

#[tokio::test]
async fn what_waits_is_lost_with_who_waits() {
    let (rig, log, mut follower, good) = confirmed().await;
    let gone = rig.commit(delete("key")).await;
    follower.reach(gone).await;
    log.close().await.unwrap();
    assert_eq!(rig.copy().await.position, good);
    log.confirm(gone);
    drop((log, follower));
    assert_eq!(rig.copy().await.position, good);
}

#[tokio::test]
async fn another_life_is_not_written_before_it_is_confirmed() {
    let (rig, log, follower, good) = confirmed().await;
    rig.memory.wipe();
    let first = rig.commit(put("new", "")).await;
    drop(follower);
    let mut follower = Follower::start(&log).await;
    let last = rig.commit(put("newer", "")).await;
    follower.reach(last).await;
    log.flush().await.unwrap();
    assert_eq!(rig.copy().await.position, good);
    // What is shown stays there.
    log.confirm(good);
    log.flush().await.unwrap();
    assert_eq!(rig.copy().await.position, good);
    log.confirm(first);
    log.confirm(last);
    log.flush().await.unwrap();
    rig.is_whole().await;
}

#[tokio::test]
async fn who_mends_does_not_pass_either() {
    let (rig, log, follower, good) = confirmed().await;
    log.close().await.unwrap();
    drop((log, follower));
    let gone = rig.commit(delete("key")).await;
    // Who comes newly to write has missed something, and the only tail there was is gone.
    let inner = Counted::new(rig.memory.clone());
    let log = RecordedLog::new(Arc::new(inner.clone()), &flags(), &rig.offline()).unwrap();
    let log = log.only_confirmed();
    drop(log.tail(&flags(), gone).await.unwrap());
    log.head(&flags()).await.unwrap();
    wait_for(|| inner.counts.batches() > 0).await;
    log.flush().await.unwrap();
    assert_eq!(rig.copy().await.position, good);
    log.confirm(gone);
    wait_for(|| log.written() == Some(gone)).await;
    rig.is_whole().await;
}
