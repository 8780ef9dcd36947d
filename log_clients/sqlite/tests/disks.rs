//! A disk that fails, or is full: what was refused is not there, what was acknowledged is, and it goes on when the disk does.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use globe_log_client::{ErrorKind, Keyspace, LogClient, Precondition, Transaction};
use globe_sqlite::SqliteLog;
use tokio::process::Command;
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(60);
const FILE: &str = "GLOBE_TEST_FILE";
const WRITES: &str = "GLOBE_TEST_WRITES";

fn keyspace() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

#[tokio::test]
#[ignore = "a part of the tests below, which run it on a disk that fails"]
async fn who_writes() {
    let log = SqliteLog::open(std::env::var(FILE).unwrap()).await.unwrap();
    let writes: u32 = std::env::var(WRITES).unwrap().parse().unwrap();
    for number in 0..writes {
        let key = number.to_string();
        let write = Transaction::new()
            .when(&keyspace(), key.clone(), Precondition::Absent)
            .put(&keyspace(), key, "value".repeat(2_000));
        let outcome = match log.commit(write).await {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        say(&format!("{number} {outcome}."));
    }
}

#[allow(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "it is heard by the test"
)]
fn say(line: &str) {
    println!("wrote {line}");
}

/// What became of each write, by who wrote it, where some calls of the operating system fail.
async fn written(file: &Path, fault: &str, writes: u32) -> BTreeMap<u32, String> {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-e", fault])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "who_writes", "--ignored", "--nocapture"])
        .env(FILE, file)
        .env(WRITES, writes.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(BOUND, strace.output()).await.unwrap();
    let output = output.unwrap_or_else(|error| panic!("strace (apt-get install strace): {error}"));
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines().filter_map(|line| line.strip_prefix("wrote "));
    let outcomes = lines.filter_map(|line| line.strip_suffix('.')?.split_once(' '));
    let outcomes: BTreeMap<u32, String> = outcomes
        .map(|(number, outcome)| (number.parse().unwrap(), outcome.to_owned()))
        .collect();
    assert_eq!(outcomes.len(), writes as usize, "{said}");
    outcomes
}

/// Writes where a fault comes again and again; with what they were told, which is true.
async fn told_by(fault: &str, writes: u32, expected: &[ErrorKind]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    drop(SqliteLog::open(&file).await.unwrap());
    let outcomes = written(&file, fault, writes).await;
    let log = SqliteLog::open(&file).await.unwrap();
    let records = log.snapshot(&keyspace()).await.unwrap().collect().await;
    let there: Vec<u32> = records
        .unwrap()
        .iter()
        .map(|record| std::str::from_utf8(&record.key).unwrap().parse().unwrap())
        .collect();
    let mut failures = 0;
    for (number, outcome) in &outcomes {
        let is_there = there.contains(number);
        match outcome.as_str() {
            "ok" => assert!(is_there, "{number} was acknowledged and is not there"),
            "Indeterminate" => failures += 1,
            refused => {
                let is_expected = expected.iter().any(|kind| format!("{kind:?}") == refused);
                assert!(is_expected, "{number}: {refused}");
                assert!(!is_there, "{number} was refused and is there");
                failures += 1;
            }
        }
    }
    assert!(failures > 0, "{fault} harmed nobody");
    let went_on = outcomes.values().filter(|outcome| *outcome == "ok").count();
    assert!(went_on > 5, "{outcomes:?}");
}

#[tokio::test]
async fn a_disk_that_does_not_keep_what_it_is_given_is_told_of() {
    told_by(
        "inject=fsync,fdatasync:error=EIO:when=20+7",
        60,
        &[ErrorKind::Unavailable],
    )
    .await;
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_told_of() {
    told_by(
        "inject=pwrite64:error=EIO:when=60+97",
        60,
        &[ErrorKind::Unavailable],
    )
    .await;
}

#[tokio::test]
async fn a_full_disk_is_told_of_and_what_fits_again_is_written() {
    told_by(
        "inject=pwrite64:error=ENOSPC:when=60+97",
        60,
        &[ErrorKind::Full],
    )
    .await;
}

/// What it was given last may be found there, when the file is opened again.
#[tokio::test]
async fn a_disk_that_keeps_nothing_any_more_leaves_outcomes_unknown() {
    told_by("inject=fsync,fdatasync:error=EIO:when=20+1", 25, &[]).await;
}
