//! Processes that follow one log on this host, and keep a copy of it in one folder.
//!
//! It never commits: the test does, which remembers what was true.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use globe_log_client::{LogClient, Position, Record, Revision, Transaction};
use globe_offline::{Offline, OfflineCopy, RecordedLog};
use globe_sqlite::{SqliteLog, Synchronous};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{BOUND, Follower, flags, truth};

const FOLDER: &str = "GLOBE_TEST_FOLDER";

pub(crate) async fn open(folder: &Path) -> SqliteLog {
    let builder = SqliteLog::builder(folder.join("log.db"));
    let builder = builder.synchronous(Synchronous::Normal);
    builder.open().await.unwrap()
}

/// What such a process does, until it is killed: it goes on from the copy, if there is one, and follows.
pub(crate) async fn follow() {
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let inner = open(&folder).await;
    let offline = Offline::in_folder(&folder);
    let copy = offline.read(&flags()).await.unwrap();
    let log = RecordedLog::new(Arc::new(inner), &flags(), &offline).unwrap();
    // Every fourth begins anew.
    let mut follower = match copy {
        Some(copy) if !std::process::id().is_multiple_of(4) => {
            Follower::after(&log, copy.position).await
        }
        _ => Follower::start(&log).await,
    };
    say("follows");
    tokio::spawn(async move {
        let mut writes = false;
        loop {
            // What fails is asked again, as a map does.
            let _ = log.head(&flags()).await;
            if !writes && log.written().is_some() {
                writes = true;
                say("writes");
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    loop {
        let batch = follower.tail.next().await.unwrap();
        follower.position.revision = batch.revision;
    }
}

/// In one write: a line is there whole, or not.
#[allow(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "it is heard by the test"
)]
fn say(what: &str) {
    println!("it {what}.");
}

/// One such process.
pub(crate) struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Process {
    /// Runs the test of this name, which must be ignored, and do what `follow` does.
    pub(crate) fn start(folder: &Path, test: &str) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Process { child, said }
    }

    /// Waits until it has said something.
    pub(crate) async fn hear(&mut self, what: &str) {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            let read = timeout(BOUND, self.said.read_line(&mut line)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "it has ended by itself");
        }
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A log, its folder, and all that ever was true in it.
pub(crate) struct Shared {
    pub(crate) folder: TempDir,
    pub(crate) log: SqliteLog,
    states: BTreeMap<u64, Vec<Record>>,
    head: Position,
    commits: usize,
}

impl Shared {
    pub(crate) async fn new() -> Shared {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path()).await;
        let (head, records) = truth(&log).await;
        Shared {
            folder,
            log,
            states: [(head.revision.0, records)].into(),
            head,
            commits: 0,
        }
    }

    pub(crate) fn offline(&self) -> Offline {
        Offline::in_folder(self.folder.path())
    }

    /// One more commit: large enough that the file is written anew now and then.
    pub(crate) async fn commit(&mut self) {
        self.commits += 1;
        let (n, key) = (self.commits, format!("key {}", self.commits % 13));
        let transaction = Transaction::new();
        let transaction = match n % 9 {
            8 => transaction.delete(&flags(), key),
            _ => transaction.put(&flags(), key, vec![n as u8; 3_000]),
        };
        let transaction = transaction.put(&flags(), "count", n.to_string());
        self.head = self.log.commit(transaction).await.unwrap();
        let (position, records) = truth(&self.log).await;
        assert_eq!(position, self.head, "nobody else commits");
        self.states.insert(position.revision.0, records);
    }

    /// Demands that a copy was true at the position it says.
    pub(crate) fn judge(&self, copy: &OfflineCopy) {
        assert_eq!(copy.position.epoch, self.head.epoch);
        assert!(self.head.covers(copy.position), "it is from the future");
        let states = self.states.range(..=copy.position.revision.0);
        let (_, records) = states.last().unwrap();
        assert_eq!(&copy.records, records, "at {}", copy.position);
    }

    pub(crate) async fn copy(&self) -> Option<OfflineCopy> {
        self.offline().read(&flags()).await.unwrap()
    }

    /// Waits until the copy stands where the log does.
    pub(crate) async fn is_reached(&self) {
        let reached = async {
            while self
                .copy()
                .await
                .is_none_or(|copy| copy.position != self.head)
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let reached = timeout(BOUND, reached).await;
        reached.expect("nobody brings the copy to where the log is");
        self.judge(&self.copy().await.unwrap());
    }

    pub(crate) fn head(&self) -> Revision {
        self.head.revision
    }
}
