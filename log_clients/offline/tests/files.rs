//! The file costs what changes, is its owner's alone, and is there again when somebody takes it away.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Keyspace, LogClient, Transaction};
use globe_offline::{Offline, RecordedLog, Refusal};
use rig::{Follower, Rig, delete, flags, put, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_with_the_file_and_asks_for_nothing_it_has() {
    let rig = Rig::new();
    rig.commit(put("key", "one")).await;
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    follower.reach(rig.commit(put("key", "two")).await).await;
    log.flush().await.unwrap();
    drop((follower, log));
    rig.is_let_go().await;
    let length = fs::metadata(rig.file()).unwrap().len();

    let copy = rig.copy().await;
    let log = rig.recorded();
    let mut follower = Follower::after(&log, copy.position).await;
    follower.reach(rig.commit(put("key", "three")).await).await;
    rig.reached(&log).await;
    rig.is_whole().await;
    let grown = fs::metadata(rig.file()).unwrap().len() - length;
    assert_eq!(grown, commit_bytes(&[("key", "three")]));
}

/// What a commit of puts costs in the file.
fn commit_bytes(puts: &[(&str, &str)]) -> u64 {
    let each = |put: &(&str, &str)| 34 + put.0.len() + put.1.len();
    (17 + puts.iter().map(each).sum::<usize>()) as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_costs_its_own_size() {
    let rig = Rig::new();
    for n in 0..1_000 {
        rig.commit(put(&format!("key {n}"), vec![0; 500])).await;
    }
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    log.flush().await.unwrap();
    let before = fs::metadata(rig.file()).unwrap().len();
    assert!((500_000..560_000).contains(&before), "{before}");

    let mut expected = before;
    for n in 0..200 {
        let (key, value) = (format!("key {n}"), "v".repeat(n));
        let two = put(&key, value.clone()).put(&flags(), "other", "w");
        follower.reach(rig.commit(two).await).await;
        expected += commit_bytes(&[(&key, &value), ("other", "w")]);
        follower.reach(rig.commit(delete(&key)).await).await;
        expected += 17 + 9 + key.len() as u64;
    }
    rig.reached(&log).await;
    assert_eq!(fs::metadata(rig.file()).unwrap().len(), expected);
    rig.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_has_grown_long_is_written_anew_and_holds_the_same() {
    let rig = Rig::new();
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    let (mut longest, mut times, mut last) = (0, 0, 0);
    for n in 0..400 {
        let key = format!("key {}", n % 5);
        let change = match n % 11 {
            10 => delete(&key),
            _ => put(&key, vec![n as u8; 4_000]),
        };
        follower.reach(rig.commit(change).await).await;
        rig.reached(&log).await;
        let length = fs::metadata(rig.file()).unwrap().len();
        times += usize::from(length < last);
        (longest, last) = (longest.max(length), length);
        if n % 50 == 0 {
            rig.is_whole().await;
        }
    }
    rig.is_whole().await;
    assert!(times >= 4, "it was written anew {times} times");
    assert!(longest < 300_000, "it was {longest} bytes long");
    assert!(!rig.folder.path().join("flags.globe.new").exists());
}

/// What was there when it was restarted does not count as the records it began with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_do_not_make_a_file_longer_and_longer() {
    let rig = Rig::new();
    let log = rig.recorded();
    let mut position = Follower::start(&log).await.position;
    log.flush().await.unwrap();
    drop(log);
    for _ in 0..12 {
        rig.is_let_go().await;
        let log = rig.recorded();
        let mut follower = Follower::after(&log, position).await;
        for _ in 0..60 {
            follower
                .reach(rig.commit(put("key", vec![1; 4_000])).await)
                .await;
        }
        rig.reached(&log).await;
        log.flush().await.unwrap();
        position = follower.position;
        let length = fs::metadata(rig.file()).unwrap().len();
        assert!(length < 540_000, "{length}");
    }
    rig.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_readable_by_its_owner_alone() {
    let rig = Rig::new();
    let folder = rig.folder.path().join("new").join("folder");
    let offline = Offline::in_folder(&folder);
    // One that was left there, which others can read.
    let log = rig.recorded_by(&offline);
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("flags.globe")), 0o600);
    assert_eq!(mode(&folder.join("flags.globe.lock")), 0o600);

    // What somebody has made readable, or left in the way of a new one, is not after the next start.
    drop(log);
    let lock = fs::File::open(folder.join("flags.globe.lock")).unwrap();
    wait_for(|| lock.try_lock().is_ok()).await;
    drop(lock);
    let everybody = || fs::Permissions::from_mode(0o666);
    fs::set_permissions(folder.join("flags.globe"), everybody()).unwrap();
    fs::write(folder.join("flags.globe.new"), "").unwrap();
    fs::set_permissions(folder.join("flags.globe.new"), everybody()).unwrap();
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    let log = rig.recorded_by(&offline);
    let mut follower = Follower::after(&log, copy.position).await;
    follower.reach(rig.commit(put("key", "")).await).await;
    rig.reached(&log).await;
    assert_eq!(mode(&folder.join("flags.globe")), 0o600);
    Follower::start(&log).await;
    log.flush().await.unwrap();
    assert_eq!(mode(&folder.join("flags.globe")), 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keyspaces_of_any_name_have_each_a_copy_of_their_own_in_one_folder() {
    let rig = Rig::new();
    let longest = ":".repeat(Keyspace::MAX_LEN);
    let names = ["a", "A-b_c", "a.globe", "a:b", "a.b", &longest];
    for name in names {
        let keyspace = Keyspace::new(name).unwrap();
        rig.commit(Transaction::new().put(&keyspace, "name", name.to_owned()))
            .await;
        let log = RecordedLog::new(Arc::new(rig.memory.clone()), &keyspace, &rig.offline());
        let log = log.unwrap();
        rig::read(log.snapshot(&keyspace).await.unwrap()).await;
        log.flush().await.unwrap();
    }
    for name in names {
        let keyspace = Keyspace::new(name).unwrap();
        let copy = rig.offline().read(&keyspace).await.unwrap().unwrap();
        assert_eq!(copy.records[0].value, name);
    }
    // Another's file is none of this one's, whatever its name is.
    let folder = rig.folder.path();
    fs::copy(folder.join("a.b.globe"), folder.join("a.globe")).unwrap();
    let refused = rig.offline().read(&Keyspace::new("a").unwrap()).await;
    assert_eq!(refused, Err(Refusal::Elsewhere("a.b".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_taken_away_comes_back() {
    let rig = Rig::new();
    rig.commit(put("key", "1")).await;
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    log.flush().await.unwrap();
    fs::remove_dir_all(rig.folder.path()).unwrap();
    follower.reach(rig.commit(put("key", "2")).await).await;
    // It looks once in 10 s.
    wait_for_head(&log, || rig.file().exists()).await;
    rig.reached(&log).await;
    rig.is_whole().await;
}

async fn wait_for_head(log: &RecordedLog, is_so: impl Fn() -> bool) {
    for _ in 0..300 {
        log.head(&flags()).await.unwrap();
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never became so");
}
