//! A log, a folder, and a reader of the log as a map is one.
//!
//! It never decides whether a test passes.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod counted;
pub(crate) mod shared;
pub(crate) mod stage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{
    Batch, Bytes, Keyspace, LogClient, Position, Record, Snapshot, Tail, Transaction,
};
use globe_memory::MemoryLog;
use globe_offline::{Offline, OfflineCopy, RecordedLog};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long anything may take.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) fn flags() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

pub(crate) fn put(key: &str, value: impl Into<Bytes>) -> Transaction {
    Transaction::new().put(&flags(), key.to_owned(), value)
}

pub(crate) fn delete(key: &str) -> Transaction {
    Transaction::new().delete(&flags(), key.to_owned())
}

/// A memory log, and where its copy is kept.
pub(crate) struct Rig {
    pub(crate) memory: MemoryLog,
    pub(crate) folder: TempDir,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig {
            memory: MemoryLog::builder().page_size(7).build(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn offline(&self) -> Offline {
        Offline::in_folder(self.folder.path())
    }

    /// The file of the copy.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("flags.globe")
    }

    pub(crate) fn recorded(&self) -> RecordedLog {
        self.recorded_by(&self.offline())
    }

    pub(crate) fn recorded_by(&self, offline: &Offline) -> RecordedLog {
        RecordedLog::new(Arc::new(self.memory.clone()), &flags(), offline).unwrap()
    }

    pub(crate) async fn commit(&self, transaction: Transaction) -> Position {
        self.memory.commit(transaction).await.unwrap()
    }

    /// The copy, as another process would read it.
    pub(crate) async fn copy(&self) -> OfflineCopy {
        self.offline().read(&flags()).await.unwrap().unwrap()
    }

    /// What the log holds.
    pub(crate) async fn truth(&self) -> (Position, Vec<Record>) {
        truth(&self.memory).await
    }

    /// Waits until the copy stands where the log does.
    pub(crate) async fn reached(&self, log: &RecordedLog) {
        let head = self.memory.head(&flags()).await.unwrap();
        let reached = async {
            while !log.written().is_some_and(|written| written.covers(head)) {
                sleep(Duration::from_millis(2)).await;
                // As a map does, if not as often.
                log.head(&flags()).await.unwrap();
            }
        };
        timeout(BOUND, reached).await.expect("it is not reached");
    }

    /// Waits until nobody writes the copy.
    pub(crate) async fn is_let_go(&self) {
        let lock = std::fs::File::open(self.folder.path().join("flags.globe.lock")).unwrap();
        wait_for(|| lock.try_lock().is_ok()).await;
    }

    /// Demands that the copy is what the log holds.
    pub(crate) async fn is_whole(&self) {
        let copy = self.copy().await;
        let (position, records) = self.truth().await;
        assert_eq!(copy.records, records);
        assert_eq!(copy.position, position);
    }
}

pub(crate) async fn truth(log: &dyn LogClient) -> (Position, Vec<Record>) {
    let snapshot = log.snapshot(&flags()).await.unwrap();
    (snapshot.position(), snapshot.collect().await.unwrap())
}

/// Waits until something is so.
pub(crate) async fn wait_for(mut is_so: impl FnMut() -> bool) {
    let waited = async {
        while !is_so() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(BOUND, waited).await.expect("it never became so");
}

/// Who reads a log as a map does: a snapshot, then a tail.
pub(crate) struct Follower {
    pub(crate) tail: Tail,
    pub(crate) position: Position,
}

impl Follower {
    pub(crate) async fn start(log: &dyn LogClient) -> Follower {
        let snapshot = log.snapshot(&flags()).await.unwrap();
        Follower::after(log, read(snapshot).await).await
    }

    pub(crate) async fn after(log: &dyn LogClient, position: Position) -> Follower {
        let tail = log.tail(&flags(), position).await.unwrap();
        Follower { tail, position }
    }

    pub(crate) async fn next(&mut self) -> Batch {
        let batch = timeout(BOUND, self.tail.next()).await.unwrap().unwrap();
        self.position.revision = batch.revision;
        batch
    }

    /// Reads up to a position.
    pub(crate) async fn reach(&mut self, position: Position) {
        while !self.position.covers(position) {
            self.next().await;
        }
    }
}

/// Reads all of a snapshot, and forgets it.
pub(crate) async fn read(snapshot: Snapshot) -> Position {
    let position = snapshot.position();
    snapshot.collect().await.unwrap();
    position
}
