//! What a slow disk has left out is never written over, and is fetched: from the history if it is there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::LogClient;
use globe_offline::RecordedLog;
use rig::counted::Counted;
use rig::stage::{Disk, LARGE, MANY, Stage};
use rig::{Follower, Rig, flags, put, wait_for};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_stands_still_slows_nobody_and_what_it_missed_is_fetched_from_the_history() {
    let mut stage = Stage::new().await;
    stage.lose().await;
    stage.disk.go_on();
    stage.is_mended().await;
    // A snapshot and a tail of the follower, and one tail and one question of who mended.
    assert_eq!(stage.inner.counts.all(), [1, 2, 1]);
    // It has ended: what comes now comes by the follower.
    let head = stage.rig.commit(put("key", "last")).await;
    stage.follower.reach(head).await;
    stage.log.flush().await.unwrap();
    stage.is_mended().await;
    assert_eq!(stage.inner.counts.all(), [1, 2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_a_gap_is_not_written_before_what_was_in_it() {
    let mut stage = Stage::new().await;
    stage.lose().await;
    stage.disk.go_on();
    // Before anybody mends.
    let head = stage.rig.commit(put("key", "after the gap")).await;
    stage.follower.reach(head).await;
    stage.log.flush().await.unwrap();
    let copy = stage.copy().await;
    assert!(!copy.position.covers(head));
    assert!(copy.records.iter().all(|one| one.value != "after the gap"));
    stage.is_mended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_history_does_not_hold_any_more_is_fetched_by_a_snapshot() {
    let mut stage = Stage::new().await;
    stage.lose().await;
    let head = stage.follower.position;
    stage.rig.memory.compact(head.revision).unwrap();
    stage.disk.go_on();
    stage.is_mended().await;
    let [snapshots, ..] = stage.inner.counts.all();
    assert_eq!(snapshots, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_when_another_life_began_is_fetched_by_a_snapshot_of_it() {
    let mut stage = Stage::new().await;
    let backup = stage.rig.memory.backup();
    stage.lose().await;
    stage.rig.memory.restore(&backup);
    // Nothing of the new life's snapshot reaches the disk in time.
    let snapshot = stage.log.snapshot(&flags()).await.unwrap();
    let mut follower = Follower::after(&stage.log, rig::read(snapshot).await).await;
    follower
        .reach(stage.rig.commit(put("key", "new life")).await)
        .await;
    stage.disk.go_on();
    stage.is_mended().await;
}

/// A snapshot that does not fit on the way, because the disk stands still while it is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_did_not_fit_is_taken_again_without_haste() {
    let rig = Rig::new();
    for n in 0..MANY {
        rig.commit(put(&format!("key {n}"), vec![n as u8; LARGE]))
            .await;
    }
    let disk = Disk::default();
    disk.stop();
    let offline = rig.offline().sealed(disk.clone());
    let inner = Counted::new(rig.memory.clone());
    let log = RecordedLog::new(Arc::new(inner.clone()), &flags(), &offline).unwrap();
    let mut follower = Follower::start(&log).await;
    follower.reach(rig.commit(put("key", "after")).await).await;
    disk.go_on();
    let (position, records) = rig.truth().await;
    wait_for(|| log.written().is_some_and(|at| at.covers(position))).await;
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    assert_eq!((copy.position, copy.records), (position, records));
    assert_eq!(inner.counts.all()[0], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_again_while_it_is_mended_is_mended_later() {
    let mut stage = Stage::new().await;
    stage.disk.fail(2);
    let head = stage.rig.commit(put("key", "poison")).await;
    stage.follower.reach(head).await;
    stage.log.flush().await.unwrap_err();
    stage.is_mended().await;
    assert_eq!(stage.inner.counts.all()[0], 1);
}

/// The last of it, after which nothing more is committed for a long time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_while_it_is_mended_is_mended_later() {
    let mut stage = Stage::new().await;
    stage.lose().await;
    stage.disk.go_on();
    let (log, position) = (stage.log.clone(), stage.follower.position);
    wait_for(|| log.written().is_some_and(|at| at.covers(position))).await;
    // The task keeps its tail for a moment.
    stage.lose().await;
    sleep(Duration::from_secs(6)).await;
    stage.disk.go_on();
    stage.is_mended().await;
}

#[tokio::test]
async fn what_comes_in_another_life_is_not_written_after_what_came_in_this_one() {
    let rig = Rig::new();
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    let head = rig.commit(put("first", "1")).await;
    follower.reach(head).await;
    log.flush().await.unwrap();
    let before = rig.copy().await;
    rig.memory.restore(&rig.memory.backup());
    let again = rig.memory.head(&flags()).await.unwrap();
    let mut follower = Follower::after(&log, again).await;
    let head = rig.commit(put("second", "2")).await;
    follower.reach(head).await;
    log.flush().await.unwrap();
    let after = rig.copy().await;
    // Who mends it may have fetched all of that life meanwhile.
    let is_mended = after.position == head && after.records == rig.truth().await.1;
    let is_as_before = (after.position, after.records) == (before.position, before.records);
    assert!(is_mended || is_as_before);
}
