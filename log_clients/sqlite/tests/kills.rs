//! Processes that share a file and are killed at any moment: nothing acknowledged is lost, and nothing is there in part.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use globe_log_client::{Change, Keyspace, LogClient, Precondition, Revision, Transaction};
use globe_sqlite::SqliteLog;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How many are killed, and how many write at a time.
const KILLS: usize = 500;
const WRITERS: usize = 3;

const BOUND: Duration = Duration::from_secs(60);

const FILE: &str = "GLOBE_TEST_FILE";
const NAME: &str = "GLOBE_TEST_NAME";

fn keyspaces() -> [Keyspace; 2] {
    ["left", "right"].map(|name| Keyspace::new(name).unwrap())
}

/// One that keeps all that is written here.
async fn open(file: impl Into<PathBuf>) -> SqliteLog {
    let builder = SqliteLog::builder(file).history(u64::MAX);
    builder.open().await.unwrap()
}

/// The number that stands under a name, the same on both sides.
async fn number(log: &SqliteLog, name: &str) -> (u64, Option<Revision>) {
    let [left, right] = keyspaces();
    let at = log.head(&left).await.unwrap();
    let mut found = Vec::new();
    for keyspace in [&left, &right] {
        let record = log.record_at(keyspace, name.as_bytes(), at).await.unwrap();
        found.push(record.map(|record| (record.value, record.modified)));
    }
    assert_eq!(found[0], found[1], "a commit is there in part");
    match &found[0] {
        None => (0, None),
        Some((value, modified)) => {
            let number = std::str::from_utf8(value).unwrap().parse().unwrap();
            (number, Some(*modified))
        }
    }
}

#[tokio::test]
#[ignore = "a part of the test below, which runs it in a process of its own"]
async fn who_writes() {
    let told = |name| std::env::var(name).unwrap();
    let (log, name) = (open(told(FILE)).await, told(NAME));
    let (mut number, mut modified) = number(&log, &name).await;
    let [left, right] = keyspaces();
    loop {
        number += 1;
        let is_next = modified.map_or(Precondition::Absent, Precondition::At);
        let transaction = Transaction::new()
            .when(&left, name.clone(), is_next)
            .put(&left, name.clone(), number.to_string())
            .put(&right, name.clone(), number.to_string());
        modified = Some(log.commit(transaction).await.unwrap().revision);
        say(number);
    }
}

/// In one write: a line is there whole, or not.
#[allow(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "it is heard by the test"
)]
fn say(number: u64) {
    println!("wrote {number}.");
}

struct Writer {
    name: String,
    child: Child,
    said: BufReader<ChildStdout>,
    acknowledged: u64,
}

impl Writer {
    fn start(file: &Path, name: &str, acknowledged: u64) -> Writer {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "who_writes", "--ignored", "--nocapture"])
            .env(FILE, file)
            .env(NAME, name)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Writer {
            name: name.to_owned(),
            child,
            said,
            acknowledged,
        }
    }

    fn hear(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix("wrote ")
            && let Some(number) = number.strip_suffix('.')
        {
            self.acknowledged = number.parse().unwrap();
        }
    }

    /// Waits until it has written at least once more.
    async fn has_written(&mut self) {
        let before = self.acknowledged;
        while self.acknowledged == before {
            let mut line = String::new();
            let read = timeout(BOUND, self.said.read_line(&mut line)).await;
            assert_ne!(
                read.unwrap().unwrap(),
                0,
                "{} has ended by itself",
                self.name
            );
            self.hear(line.trim_end());
        }
    }

    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).await.unwrap();
        for line in rest.split_inclusive('\n') {
            if let Some(line) = line.strip_suffix('\n') {
                self.hear(line);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kills_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let log = open(&file).await;
    let names: Vec<String> = (0..WRITERS).map(|n| format!("writer {n}")).collect();
    let mut writers: Vec<Writer> = names
        .iter()
        .map(|name| Writer::start(&file, name, 0))
        .collect();
    let mut mirror = Mirror::open(&log).await;
    for kill in 0..KILLS {
        let which = fastrand::usize(..WRITERS);
        // Every fourth while it may still be opening the file.
        if kill % 4 != 0 {
            writers[which].has_written().await;
        }
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..8_000))).await;
        let writer = &mut writers[which];
        writer.kill().await;
        let (found, _) = number(&log, &writer.name).await;
        let acknowledged = writer.acknowledged;
        let may_be = acknowledged..=acknowledged + 1;
        assert!(
            may_be.contains(&found),
            "{found} is there, {acknowledged} was acknowledged"
        );
        *writer = Writer::start(&file, &writer.name.clone(), found);
    }
    for writer in &mut writers {
        writer.kill().await;
        let (found, _) = number(&log, &writer.name).await;
        mirror.reach(&writer.name, found).await;
    }
}

/// What the tails of both keyspaces have shown, one commit after the other.
struct Mirror {
    tails: Vec<globe_log_client::Tail>,
    shown: [BTreeMap<String, u64>; 2],
}

impl Mirror {
    async fn open(log: &SqliteLog) -> Mirror {
        let mut tails = Vec::new();
        for keyspace in keyspaces() {
            let snapshot = log.snapshot(&keyspace).await.unwrap();
            let at = snapshot.position();
            assert!(snapshot.collect().await.unwrap().is_empty() || at.revision > Revision(1));
            let begin = globe_log_client::Position::new(at.epoch, Revision(1));
            tails.push(log.tail(&keyspace, begin).await.unwrap());
        }
        Mirror {
            tails,
            shown: Default::default(),
        }
    }

    /// Follows until both show this number, each of them one after the other: nothing is lost, repeated or torn.
    async fn reach(&mut self, name: &str, number: u64) {
        for (tail, shown) in self.tails.iter_mut().zip(&mut self.shown) {
            while shown.get(name).copied().unwrap_or(0) < number {
                let batch = timeout(BOUND, tail.next()).await.unwrap().unwrap();
                for change in batch.changes {
                    let Change::Put(record) = change else {
                        panic!("nobody deletes");
                    };
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    let last = shown.entry(text(&record.key)).or_default();
                    assert_eq!(text(&record.value), (*last + 1).to_string());
                    *last += 1;
                }
            }
        }
    }
}
