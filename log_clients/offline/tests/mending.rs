//! Who mends a copy is gentle: he asks for no more than is missing, gives way, and ends where the readers go on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use globe_log_client::{LogClient, Transaction};
use globe_offline::{Offline, RecordedLog};
use rig::counted::Counted;
use rig::stage::Stage;
use rig::{BOUND, Follower, Rig, flags, put, wait_for};
use tokio::time::{Instant, sleep, timeout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_mends_gives_way_to_a_snapshot_that_is_read_meanwhile() {
    let mut stage = Stage::new().await;
    stage.inner.kept[0].store(2, Ordering::SeqCst);
    stage.lose().await;
    let head = stage.follower.position;
    stage.rig.memory.compact(head.revision).unwrap();
    stage.disk.go_on();
    let counts = Arc::clone(&stage.inner.counts);
    wait_for(|| counts.all()[0] == 2).await;
    stage.log.flush().await.unwrap();
    let before = stage.log.written();
    let head = stage.rig.commit(put("key", "later")).await;
    let mut snapshot = stage.log.snapshot(&flags()).await.unwrap();
    snapshot.next_page().await.unwrap();
    stage.inner.let_go.notify_one();
    // He has passed all of it on when he follows the log again.
    wait_for(|| counts.all()[1] == 3).await;
    stage.log.flush().await.unwrap();
    assert_eq!(stage.log.written(), before);
    while snapshot.next_page().await.unwrap().is_some() {}
    stage.log.flush().await.unwrap();
    let copy = stage.copy().await;
    assert_eq!(
        (copy.position, &copy.records),
        (head, &stage.rig.truth().await.1)
    );
    stage.is_mended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fetched_to_mend_it_never_leads_the_copy_back() {
    let mut stage = Stage::new().await;
    let [snapshots, tails] = &*stage.inner.kept;
    snapshots.store(2, Ordering::SeqCst);
    tails.store(4, Ordering::SeqCst);
    stage.lose().await;
    let head = stage.follower.position;
    stage.rig.memory.compact(head.revision).unwrap();
    stage.disk.go_on();
    let counts = Arc::clone(&stage.inner.counts);
    wait_for(|| counts.all()[0] == 2).await;
    // Users have it all, before what he has fetched arrives.
    let mut follower = Follower::start(&stage.log).await;
    let head = stage.rig.commit(put("key", "later")).await;
    follower.reach(head).await;
    stage.log.flush().await.unwrap();
    assert_eq!(stage.log.written(), Some(head));
    stage.inner.let_go.notify_one();
    wait_for(|| counts.all()[1] == 4).await;
    stage.log.flush().await.unwrap();
    assert_eq!(stage.log.written(), Some(head));
    stage.inner.let_go.notify_one();
    stage.is_mended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_of_another_life_do_not_keep_it_from_being_fetched() {
    let stage = Stage::new().await;
    let backup = stage.rig.memory.backup();
    stage.rig.memory.restore(&backup);
    stage.inner.kept[0].store(2, Ordering::SeqCst);
    let counts = Arc::clone(&stage.inner.counts);
    // Nobody but who mends reads the new life.
    stage.log.head(&flags()).await.unwrap();
    wait_for(|| counts.all()[0] == 2).await;
    stage.log.head(&flags()).await.unwrap();
    stage.inner.let_go.notify_one();
    stage.is_mended().await;
    assert_eq!(counts.all()[0], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_mends_goes_on_until_the_readers_go_on_from_there() {
    let mut stage = Stage::new().await;
    stage.inner.kept[1].store(2, Ordering::SeqCst);
    stage.lose().await;
    stage.disk.go_on();
    let counts = Arc::clone(&stage.inner.counts);
    // He knows by now how far he must come at least.
    wait_for(|| counts.all()[1] == 2).await;
    for n in 0..10 {
        let head = stage.rig.commit(put("key", n.to_string())).await;
        stage.follower.reach(head).await;
    }
    stage.inner.let_go.notify_one();
    stage.is_mended().await;
    for n in 0..10 {
        let head = stage.rig.commit(put("more", n.to_string())).await;
        stage.follower.reach(head).await;
    }
    stage.is_mended().await;
    assert_eq!(counts.all(), [1, 2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_commits_that_never_end_it_gets_to_where_the_readers_are_and_stays_there() {
    let mut stage = Stage::new().await;
    stage.lose().await;
    let memory = stage.rig.memory.clone();
    let writing = tokio::spawn(async move {
        for n in 0u64.. {
            let head = memory.commit(put("busy", n.to_string())).await.unwrap();
            if n % 7 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            if head.revision.0 == u64::MAX {
                return;
            }
        }
    });
    stage.disk.go_on();
    let log = stage.log.clone();
    let mut tail = stage.follower;
    let caught_up = async {
        loop {
            let position = tail.next().await;
            let at = log.written().map_or(0, |written| written.revision.0);
            if position.revision.0.saturating_sub(at) < 200 {
                return;
            }
        }
    };
    timeout(BOUND, caught_up).await.expect("it stays behind");
    // The task may go on for a moment; then it is the follower alone who brings what comes.
    sleep(Duration::from_secs(1)).await;
    let before = stage.inner.counts.all();
    let long = Instant::now();
    while long.elapsed() < Duration::from_secs(6) {
        tail.next().await;
    }
    let here = tail.position;
    wait_for(|| log.written().is_some_and(|at| at.covers(here))).await;
    assert_eq!(stage.inner.counts.all(), before);
    writing.abort();
    let _ = writing.await;
    let head = stage.rig.truth().await.0;
    tail.reach(head).await;
    log.flush().await.unwrap();
    let copy = stage.offline.read(&flags()).await.unwrap().unwrap();
    assert_eq!((copy.position, copy.records), stage.rig.truth().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nothing_can_be_written_the_log_is_asked_nothing() {
    let rig = Rig::new();
    let inner = Counted::new(rig.memory.clone());
    // A file where the folder should be.
    let folder = rig.folder.path().join("folder");
    std::fs::write(&folder, "").unwrap();
    let offline = Offline::in_folder(&folder);
    let log = RecordedLog::new(Arc::new(inner.clone()), &flags(), &offline).unwrap();
    let mut follower = Follower::start(&log).await;
    follower.reach(rig.commit(put("key", "1")).await).await;
    log.flush().await.unwrap_err();
    let before = inner.counts.all();
    sleep(Duration::from_secs(7)).await;
    assert_eq!(inner.counts.all(), before);
    // Once it can be, it is.
    std::fs::remove_file(&folder).unwrap();
    wait_for(|| log.written().is_some()).await;
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    assert_eq!((copy.position, copy.records), rig.truth().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_another_writer_goes_on_when_that_ends_and_fetches_what_lies_between() {
    let rig = Rig::new();
    let first = rig.recorded();
    let mut writer = Follower::start(&first).await;
    writer.reach(rig.commit(put("key", "1")).await).await;
    first.flush().await.unwrap();
    let second = rig.recorded();
    let mut reader = Follower::start(&second).await;
    second.flush().await.unwrap();
    assert_eq!(second.written(), None);
    // It ends without having read all that the other one has.
    let head = rig.commit(put("key", "2")).await;
    reader.reach(head).await;
    drop((writer, first));
    rig.is_let_go().await;
    rig.reached(&second).await;
    rig.is_whole().await;
    let head = rig.commit(put("key", "3")).await;
    reader.reach(head).await;
    second.flush().await.unwrap();
    rig.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_from_before_is_not_gone_on_with_while_nobody_reads() {
    let rig = Rig::new();
    let first = rig.recorded();
    let mut follower = Follower::start(&first).await;
    let copied = rig.commit(put("key", "1")).await;
    follower.reach(copied).await;
    first.close().await.unwrap();
    rig.commit(put("key", "2")).await;
    let inner = Counted::new(rig.memory.clone());
    let log = RecordedLog::new(Arc::new(inner.clone()), &flags(), &rig.offline()).unwrap();
    // As who wants to know first whether it is the same log.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        log.head(&flags()).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    let [snapshots, tails, ..] = inner.counts.all();
    assert_eq!((snapshots, tails), (0, 0));
    assert_eq!(rig.copy().await.position, copied);
    // Who reads on brings the rest.
    let head = rig.commit(put("key", "3")).await;
    Follower::after(&log, copied).await.reach(head).await;
    log.flush().await.unwrap();
    rig.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_clones_are_gone_is_mended_by_nobody() {
    let stage = Stage::new().await;
    let Stage {
        rig,
        inner,
        log,
        follower,
        ..
    } = stage;
    let before = inner.counts.all();
    drop((follower, log));
    rig.is_let_go().await;
    rig.commit(Transaction::new().put(&flags(), "key", "later"))
        .await;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(inner.counts.all(), before);
    // The task holds the log no longer.
    assert_eq!(Arc::strong_count(&inner.counts), 1);
}
