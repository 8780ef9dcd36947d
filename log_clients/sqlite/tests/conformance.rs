//! The SQLite log keeps the contract.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use globe_log_client::conformance::Harness;
use globe_log_client::{LogClient, Revision, async_trait};
use globe_sqlite::{SqliteLog, Synchronous};
use rusqlite::Connection;
use tempfile::TempDir;

/// A log in a folder of its own, which may be elsewhere for a while.
struct SqliteHarness {
    log: SqliteLog,
    folder: TempDir,
}

impl SqliteHarness {
    /// Where the log is while it can be reached.
    fn place(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    fn file(&self) -> PathBuf {
        self.place().join("log.db")
    }

    fn backup_file(&self) -> PathBuf {
        self.folder.path().join("backup.db")
    }
}

async fn open(file: PathBuf) -> SqliteLog {
    // Durability is tried elsewhere (`kills.rs`, `disks.rs`); here a disk that is slow for a moment must not decide.
    let normal = Synchronous::Normal;
    let builder = SqliteLog::builder(file).page_size(7).synchronous(normal);
    builder.open().await.unwrap()
}

#[async_trait]
impl Harness for SqliteHarness {
    async fn start() -> SqliteHarness {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("here")).unwrap();
        let log = open(folder.path().join("here").join("log.db")).await;
        SqliteHarness { log, folder }
    }

    fn log(&self) -> Arc<dyn LogClient> {
        Arc::new(self.log.clone())
    }

    async fn another(&self) -> Arc<dyn LogClient> {
        Arc::new(open(self.file()).await)
    }

    async fn compact(&self, revision: Revision) {
        self.log.compact(revision).await.unwrap();
    }

    async fn set_reachable(&self, reachable: bool) -> bool {
        let away = self.folder.path().join("away");
        let (from, to) = match reachable {
            true => (away, self.place()),
            false => (self.place(), away),
        };
        if from.exists() {
            fs::rename(from, to).unwrap();
        }
        true
    }

    async fn wipe(&self) -> bool {
        fs::remove_dir_all(self.place()).unwrap();
        fs::create_dir(self.place()).unwrap();
        drop(open(self.file()).await);
        true
    }

    async fn backup(&self) -> bool {
        let connection = Connection::open(self.file()).unwrap();
        let into = self.backup_file();
        let into = into.to_str().unwrap();
        connection.execute("VACUUM INTO ?1", [into]).unwrap();
        true
    }

    async fn restore(&self) {
        let mut connection = Connection::open(self.file()).unwrap();
        let backup = self.backup_file();
        connection
            .restore("main", backup, None::<fn(rusqlite::backup::Progress)>)
            .unwrap();
    }
}

globe_log_client::conformance!(SqliteHarness);
