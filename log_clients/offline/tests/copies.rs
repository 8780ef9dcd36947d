//! What is read through it is what the copy holds, at the position it says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::fs;
use std::time::Duration;

use globe_log_client::{ErrorKind, Keyspace, LogClient, Position, Revision, Transaction};
use rig::{Follower, Rig, delete, flags, put, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_is_there_for_who_starts_while_the_log_is_down() {
    let rig = Rig::new();
    assert_eq!(rig.offline().read(&flags()).await, Ok(None));
    for n in 0..20 {
        rig.commit(put(&format!("key {n}"), "before")).await;
    }
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    let lease = rig.memory.grant(Duration::from_secs(60)).await.unwrap();
    rig.commit(Transaction::new().put_leased(&flags(), "leased", "", lease.id))
        .await;
    rig.commit(delete("key 3")).await;
    let many = put("key 4", vec![0xff; 3]).delete(&flags(), "key 5");
    let head = rig.commit(many).await;
    follower.reach(head).await;
    log.flush().await.unwrap();
    rig.is_whole().await;
    rig.memory.set_available(false);
    let copy = rig.copy().await;
    assert_eq!(copy.records.len(), 19);
    assert!(rig.offline().allows(&copy));
}

#[tokio::test]
async fn a_keyspace_without_records_has_a_copy_without_records() {
    let rig = Rig::new();
    let log = rig.recorded();
    Follower::start(&log).await;
    log.flush().await.unwrap();
    assert_eq!(rig.copy().await.records, []);
    rig.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_two_snapshots_that_are_read_at_once_are_not_mixed() {
    let rig = Rig::new();
    for n in 0..30 {
        rig.commit(put(&format!("key {n:02}"), "old")).await;
    }
    let log = rig.recorded();
    let mut first = log.snapshot(&flags()).await.unwrap();
    first.next_page().await.unwrap();
    for n in 0..30 {
        rig.commit(put(&format!("key {n:02}"), "new")).await;
    }
    let mut second = log.snapshot(&flags()).await.unwrap();
    second.next_page().await.unwrap();
    while first.next_page().await.unwrap().is_some() {}
    log.flush().await.unwrap();
    assert_eq!(rig.offline().read(&flags()).await, Ok(None));
    while second.next_page().await.unwrap().is_some() {}
    log.flush().await.unwrap();
    rig.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_breaks_off_or_is_dropped_leaves_the_copy_as_it_was() {
    let rig = Rig::new();
    for n in 0..30 {
        rig.commit(put(&format!("key {n:02}"), "old")).await;
    }
    let log = rig.recorded();
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let before = fs::read(rig.file()).unwrap();
    rig.commit(put("key 05", "new")).await;
    for breaks_off in [true, false] {
        let mut snapshot = log.snapshot(&flags()).await.unwrap();
        snapshot.next_page().await.unwrap();
        if breaks_off {
            rig.memory.set_available(false);
            snapshot.next_page().await.unwrap_err();
            rig.memory.set_available(true);
        }
        drop(snapshot);
        log.flush().await.unwrap();
        assert_eq!(fs::read(rig.file()).unwrap(), before);
        assert!(!rig.folder.path().join("flags.globe.new").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_drops_the_log_leaves_what_was_read_on_the_disk() {
    let rig = Rig::new();
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    let head = rig.commit(put("key", "value")).await;
    let other = Transaction::new().put(&Keyspace::new("other").unwrap(), "k", "v");
    let beyond = rig.commit(other).await;
    follower.reach(head).await;
    log.head(&flags()).await.unwrap();
    follower.reach(beyond).await;
    drop((follower, log));
    let file = rig.file();
    let offline = rig.offline();
    let read = || async { offline.read(&flags()).await.unwrap() };
    let mut found = read().await;
    for _ in 0..1_000 {
        if found.as_ref().is_some_and(|copy| copy.position == beyond) {
            return rig.is_whole().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        found = read().await;
    }
    panic!("{} stayed at {found:?}", file.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_life_of_the_log_replaces_the_copy_when_its_snapshot_is_whole() {
    let rig = Rig::new();
    rig.commit(put("kept", "1")).await;
    let backup = rig.memory.backup();
    rig.commit(put("lost", "2")).await;
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    log.flush().await.unwrap();
    let former = rig.copy().await;
    rig.memory.restore(&backup);
    assert_eq!(
        follower.tail.next().await.unwrap_err().kind(),
        &ErrorKind::EpochChanged
    );
    // A head of the new life proves nothing of the old one.
    log.head(&flags()).await.unwrap();
    log.flush().await.unwrap();
    let copy = rig.copy().await;
    assert_eq!(
        (copy.position, &copy.records),
        (former.position, &former.records)
    );
    assert!(copy.age >= former.age);
    let mut follower = Follower::start(&log).await;
    follower.reach(rig.commit(put("new", "3")).await).await;
    log.flush().await.unwrap();
    rig.is_whole().await;
    assert_ne!(rig.copy().await.position.epoch, former.position.epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_tails_and_tails_from_long_ago_change_nothing() {
    let rig = Rig::new();
    let log = rig.recorded();
    let begin = rig.commit(put("key", "0")).await;
    let mut first = Follower::start(&log).await;
    let mut old = Follower::after(&log, begin).await;
    let mut head = begin;
    for n in 1..50 {
        head = rig
            .commit(put(&format!("key {}", n % 3), n.to_string()))
            .await;
        match n % 2 {
            0 => first.reach(head).await,
            _ => drop(old.next().await),
        }
    }
    let mut late = Follower::after(&log, begin).await;
    late.reach(head).await;
    first.reach(head).await;
    old.reach(head).await;
    log.flush().await.unwrap();
    rig.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_keyspace_is_recorded() {
    let rig = Rig::new();
    let other = Keyspace::new("other").unwrap();
    rig.commit(Transaction::new().put(&other, "key", "secret"))
        .await;
    let log = rig.recorded();
    rig::read(log.snapshot(&other).await.unwrap()).await;
    let tail = log
        .tail(
            &other,
            Position::new(rig.truth().await.0.epoch, Revision(0)),
        )
        .await;
    drop(tail);
    log.flush().await.unwrap();
    assert_eq!(rig.offline().read(&flags()).await, Ok(None));
    assert_eq!(rig.offline().read(&other).await, Ok(None));
    wait_for(|| log.written().is_none()).await;
}

#[tokio::test]
async fn it_says_of_itself_what_the_log_inside_says() {
    let rig = Rig::new();
    let at = rig.commit(put("key", "value")).await;
    let log = rig.recorded();
    let inner = &rig.memory;
    assert!(log.id() == inner.id());
    assert_eq!(log.capabilities(), inner.capabilities());
    let found = log.record_at(&flags(), b"key", at).await.unwrap();
    assert_eq!(found.unwrap().value, "value");
    assert_eq!(log.status(), inner.status());
    assert!(log.status().details.contains_key("head"));
    inner.set_available(false);
    log.head(&flags()).await.unwrap_err();
    let failure = log.last_failure().unwrap();
    assert_eq!(failure.kind(), &ErrorKind::Unavailable);
    assert_eq!(log.status(), inner.status());
    assert!(!format!("{log:?}").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn which_key_the_last_change_deleted_is_told_until_there_is_a_later_one() {
    let rig = Rig::new();
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    let write = || put("key", "1").put(&flags(), "more", "1");
    let elsewhere = Transaction::new().put(&Keyspace::new("elsewhere").unwrap(), "key", "1");
    let table = [
        (write(), None),
        (delete("key"), Some("key")),
        (elsewhere, Some("key")),
        (put("key", "2"), None),
        (put("key", "3").delete(&flags(), "more"), Some("more")),
        (delete("missing"), Some("more")),
    ];
    for (transaction, expected) in table {
        follower.reach(rig.commit(transaction).await).await;
        log.flush().await.unwrap();
        let copy = rig.copy().await;
        assert_eq!(copy.position, follower.position);
        assert_eq!(copy.deleted_last.as_deref(), expected.map(str::as_bytes));
    }
    // A snapshot does not tell what it lacks.
    Follower::start(&log).await;
    log.flush().await.unwrap();
    assert_eq!(rig.copy().await.deleted_last, None);
}
