//! Around a log it keeps the contract of that log, whatever keyspace it records.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe_log_client::conformance::Harness;
use globe_log_client::{
    Capabilities, Difference, Error, Keyspace, KnownKeys, Lease, LeaseId, LogClient, LogId,
    LogStatus, Position, RecentHead, Record, Result, Revision, Snapshot, Tail, Transaction,
    async_trait,
};
use globe_memory::{MemoryBackup, MemoryLog};
use globe_offline::{Offline, RecordedLog};
use tempfile::TempDir;

/// The suite draws the names of its keyspaces: each is recorded as soon as it is used.
#[derive(Debug)]
struct Each {
    memory: MemoryLog,
    folder: TempDir,
    logs: Mutex<HashMap<Keyspace, RecordedLog>>,
}

impl Each {
    fn of(&self, keyspace: &Keyspace) -> RecordedLog {
        let mut logs = self.logs.lock().unwrap();
        let offline = Offline::in_folder(self.folder.path());
        let around =
            || RecordedLog::new(Arc::new(self.memory.clone()), keyspace, &offline).unwrap();
        logs.entry(keyspace.clone()).or_insert_with(around).clone()
    }

    fn any(&self) -> RecordedLog {
        self.of(&Keyspace::new("any").unwrap())
    }
}

#[async_trait]
impl LogClient for Each {
    fn id(&self) -> LogId {
        self.any().id()
    }

    fn capabilities(&self) -> Capabilities {
        self.any().capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        self.of(keyspace).snapshot(keyspace).await
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.of(keyspace).difference(keyspace, since, known).await
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.of(keyspace).tail(keyspace, after).await
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.of(keyspace).head(keyspace).await
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        self.of(keyspace).recent_head(keyspace, age).await
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.of(keyspace).record_at(keyspace, key, at).await
    }

    fn last_failure(&self) -> Option<Error> {
        self.any().last_failure()
    }

    fn status(&self) -> LogStatus {
        self.any().status()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.any().commit(transaction).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.any().grant(ttl).await
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.any().renew(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.any().revoke(lease).await
    }
}

struct Recorded {
    memory: MemoryLog,
    log: Arc<Each>,
    backup: Mutex<Option<MemoryBackup>>,
}

#[async_trait]
impl Harness for Recorded {
    async fn start() -> Recorded {
        let memory = MemoryLog::builder().page_size(7).build();
        let log = Arc::new(Each {
            memory: memory.clone(),
            folder: tempfile::tempdir().unwrap(),
            logs: Mutex::default(),
        });
        Recorded {
            memory,
            log,
            backup: Mutex::default(),
        }
    }

    fn log(&self) -> Arc<dyn LogClient> {
        Arc::clone(&self.log) as _
    }

    async fn another(&self) -> Arc<dyn LogClient> {
        self.log()
    }

    async fn compact(&self, revision: Revision) {
        self.memory.compact(revision).unwrap();
    }

    async fn set_reachable(&self, reachable: bool) -> bool {
        self.memory.set_available(reachable);
        true
    }

    async fn wipe(&self) -> bool {
        self.memory.wipe();
        true
    }

    async fn backup(&self) -> bool {
        *self.backup.lock().unwrap() = Some(self.memory.backup());
        true
    }

    async fn restore(&self) {
        let backup = self.backup.lock().unwrap().take();
        self.memory.restore(&backup.unwrap());
    }
}

globe_log_client::conformance!(Recorded);
