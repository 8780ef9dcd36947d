//! A disk that is full, or does not let itself be written or read, is told of, and nobody who reads the log notices.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use globe_log_client::{ErrorKind, LogClient};
use globe_offline::{Offline, Refusal};
use rig::{Follower, Rig, flags, put, wait_for};

const FOLDER: &str = "GLOBE_TEST_FOLDER";

fn folder() -> PathBuf {
    PathBuf::from(std::env::var(FOLDER).unwrap())
}

/// Runs a part of this file in a process of its own, by a shell.
fn run(shell: &str, part: &str, folder: &Path) -> Output {
    // Where anybody may run it.
    let program = folder.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", shell]).arg(&program);
    command.args(["--exact", part, "--ignored", "--nocapture"]);
    let command = command.env(FOLDER, folder).current_dir("/");
    command.output().unwrap()
}

fn has_passed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{failed}");
    assert!(said.contains("1 passed"), "{said}");
}

/// So many bytes fit in a file, in the process below.
const LIMIT: u64 = 300 * 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the test below, which runs it in a process of its own"]
async fn who_has_a_small_disk() {
    let rig = Rig::new();
    let offline = Offline::in_folder(folder());
    let log = rig.recorded_by(&offline);
    let mut follower = Follower::start(&log).await;
    let mut states = vec![rig.truth().await];
    let mut error = None;
    for n in 0..200 {
        let key = format!("key {n}");
        follower
            .reach(rig.commit(put(&key, vec![7; 1_000])).await)
            .await;
        states.push(rig.truth().await);
        error = log.flush().await.err();
        if error.is_some() {
            break;
        }
    }
    assert_eq!(*error.unwrap().kind(), ErrorKind::Unavailable);
    assert!(states.len() > 100, "it fails after {}", states.len());
    // What fits is there.
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    assert!(states.contains(&(copy.position, copy.records)));
    assert_eq!(copy.position, states[states.len() - 2].0);
    // Readers go on.
    for n in 0..100 {
        follower
            .reach(rig.commit(put("more", vec![n; 1_000])).await)
            .await;
    }
    assert!(log.failure().is_some());
    // Room is made.
    let pid = std::process::id().to_string();
    let more = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &pid])
        .status();
    assert!(more.unwrap().success(), "prlimit, of util-linux");
    wait_for(|| log.written().is_some_and(|at| at.covers(follower.position))).await;
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    assert_eq!((copy.position, copy.records), rig.truth().await);
    assert!(fs::metadata(folder().join("flags.globe")).unwrap().len() > LIMIT);
    assert!(log.failure().is_none());
}

#[test]
fn on_a_disk_without_room_the_copy_stays_as_it_was_and_goes_on_when_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    // A write beyond the limit then fails, instead of ending the process. Only the soft limit: it can be raised again.
    let shell = "trap '' XFSZ; ulimit -S -f 300; exec \"$0\" \"$@\"";
    has_passed(&run(shell, "who_has_a_small_disk", folder.path()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the test below, which runs it in a process of its own"]
async fn who_may_not_write() {
    let rig = Rig::new();
    let offline = Offline::in_folder(folder().join("readable"));
    let probe = fs::File::create(folder().join("readable").join("probe"));
    assert!(
        probe.is_err(),
        "this must not run as one who may everything"
    );
    assert!(offline.read(&flags()).await.unwrap().is_some());
    let log = rig.recorded_by(&offline);
    let mut follower = Follower::start(&log).await;
    follower.reach(rig.commit(put("key", "value")).await).await;
    let error = log.flush().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Denied);
    assert!(offline.read(&flags()).await.unwrap().is_some());

    let unreadable = Offline::in_folder(folder().join("unreadable"));
    let refusal = unreadable.read(&flags()).await;
    assert!(
        matches!(refusal, Err(Refusal::Unreadable(_))),
        "{refusal:?}"
    );
    let nowhere = Offline::in_folder(folder().join("nowhere").join("below"));
    assert_eq!(nowhere.read(&flags()).await, Ok(None));
    let log = rig.recorded_by(&nowhere);
    Follower::start(&log).await;
    assert_eq!(*log.flush().await.unwrap_err().kind(), ErrorKind::Denied);
    log.head(&flags()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_may_not_be_written_is_read_and_a_file_that_may_not_be_read_is_refused() {
    let rig = Rig::new();
    let log = rig.recorded();
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, mode) in [("readable", 0o444), ("unreadable", 0o000)] {
        fs::create_dir(path.join(name)).unwrap();
        let file = path.join(name).join("flags.globe");
        fs::copy(rig.file(), &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o555)).unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    // Whoever runs the tests may be one who may everything.
    let shell = "if [ \"$(id -u)\" = 0 ]; then \
                 exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$0\" \"$@\"; \
                 else chmod 555 \"$GLOBE_TEST_FOLDER\"; exec \"$0\" \"$@\"; fi";
    let output = run(shell, "who_may_not_write", path);
    for name in ["", "readable", "unreadable"] {
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    has_passed(&output);
}
