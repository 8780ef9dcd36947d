//! Several processes may point at one folder: one writes, another goes on when it dies, and anybody may copy the file.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use globe_offline::Offline;
use rig::shared::{Process, Shared, follow};
use rig::{BOUND, Follower, Rig, flags, put};
use tokio::time::timeout;

/// So many states are seen by who copies.
const STATES: usize = 100;

#[tokio::test]
#[ignore = "a part of the test below, which runs it in a process of its own"]
async fn who_shares() {
    follow().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_processes_one_writes_and_another_goes_on_when_it_dies() {
    let mut shared = Shared::new().await;
    let start = |shared: &Shared| Process::start(shared.folder.path(), "who_shares");
    let mut writer = start(&shared);
    writer.hear("follows").await;
    shared.commit().await;
    shared.commit().await;
    writer.hear("writes").await;
    for _ in 0..5 {
        let mut next = start(&shared);
        next.hear("follows").await;
        for _ in 0..30 {
            shared.commit().await;
            shared.judge(&shared.copy().await.unwrap());
        }
        shared.is_reached().await;
        let before = shared.head();
        writer.kill().await;
        // What is committed while nobody writes is fetched.
        for _ in 0..5 {
            shared.commit().await;
        }
        shared.is_reached().await;
        assert!(shared.head() > before);
        shared.commit().await;
        next.hear("writes").await;
        writer = next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_copied_at_any_time_was_true() {
    let rig = Rig::new();
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    log.flush().await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (from, to) = (rig.file(), elsewhere.path().join("flags.globe"));
    let offline = Offline::in_folder(elsewhere.path());
    let seen = Arc::new(AtomicUsize::new(0));
    let seeing = Arc::clone(&seen);
    let copying = tokio::spawn(async move {
        let mut before = 0;
        while seeing.load(Ordering::SeqCst) < STATES {
            fs::copy(&from, &to).unwrap();
            let copy = offline.read(&flags()).await.unwrap().unwrap();
            let numbers = copy.records.iter().map(|record| {
                let value = String::from_utf8(record.value.to_vec()).unwrap();
                value.trim_end().parse::<u64>().unwrap()
            });
            // The numbers that were put last, one for each key, the last of them by the last commit.
            let mut numbers: Vec<u64> = numbers.collect();
            numbers.sort_unstable();
            let last = numbers.last().copied().unwrap_or(0);
            let first = last.saturating_sub(6) + 1;
            assert_eq!(numbers, (first..=last).collect::<Vec<_>>());
            assert!(before <= last, "it went back");
            seeing.fetch_add(usize::from(before < last), Ordering::SeqCst);
            before = last;
            tokio::task::yield_now().await;
        }
    });
    let writing = async {
        for n in 1.. {
            let value = format!("{n:<1000}");
            let head = rig.commit(put(&format!("key {}", n % 6), value)).await;
            follower.reach(head).await;
            if seen.load(Ordering::SeqCst) >= STATES || copying.is_finished() {
                return;
            }
        }
    };
    timeout(BOUND, writing)
        .await
        .expect("the copy stands still");
    copying.await.unwrap();
}

#[tokio::test]
async fn who_closes_lets_another_write_at_once() {
    let rig = Rig::new();
    for n in 0..50 {
        let log = rig.recorded();
        let mut follower = Follower::start(&log).await;
        let head = rig.commit(put("key", n.to_string())).await;
        follower.reach(head).await;
        log.close().await.unwrap();
        rig.is_whole().await;
        // Again, and it is no matter any more.
        log.close().await.unwrap();
        assert_eq!(log.written(), None);
        rig.commit(put("key", "is not written")).await;
        follower.next().await;
    }
}
