//! The settings of an SQLite log.
//!
//! Never opens the file before it is told to.

use std::path::PathBuf;
use std::time::Duration;

use globe_log_client::{Capabilities, Result};

use crate::shared::Shared;
use crate::sqlite_log::SqliteLog;
use crate::way::{Synchronous, Way};
use crate::writes::History;

impl SqliteLog {
    /// Opens the log in a file, with the default settings: see [`SqliteLogBuilder::open`].
    ///
    /// # Errors
    /// As there.
    pub async fn open(path: impl Into<PathBuf>) -> Result<SqliteLog> {
        SqliteLog::builder(path).open().await
    }

    /// Opens the log that a URL names: see [`SqliteLogBuilder::from_url`].
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong; and as [`SqliteLogBuilder::open`].
    pub async fn from_url(url: &str) -> Result<SqliteLog> {
        SqliteLogBuilder::from_url(url)?.open().await
    }

    /// Settings that differ from the default.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteLogBuilder {
        SqliteLogBuilder::new(path.into())
    }
}

/// Builds a [`SqliteLog`] that differs from the default.
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteLogBuilder {
    pub(crate) way: Way,
    pub(crate) history: History,
    page_size: usize,
}

impl SqliteLogBuilder {
    pub(crate) fn new(path: PathBuf) -> SqliteLogBuilder {
        SqliteLogBuilder {
            way: Way {
                path,
                synchronous: Synchronous::Full,
                read_only: false,
            },
            history: History {
                commits: 10_000,
                age: Duration::from_secs(24 * 60 * 60),
            },
            page_size: 4000,
        }
    }

    /// What a commit waits for; [`Synchronous::Full`] if not set. Processes that share a file may differ in it.
    pub fn synchronous(mut self, synchronous: Synchronous) -> SqliteLogBuilder {
        self.way.synchronous = synchronous;
        self
    }

    /// How many commits are remembered at least, from 1 on (zero counts as one); 10,000 if not set. What is more, by an eighth,
    /// is forgotten bit by bit. Of the processes that share a file, the one that keeps least decides.
    ///
    /// A tail that was left behind further, and a snapshot that is still being read so much later, fail with `Compacted`; a
    /// map then takes a new snapshot by itself, and shows the exact difference.
    pub fn history(mut self, commits: u64) -> SqliteLogBuilder {
        self.history.commits = commits.max(1);
        self
    }

    /// How long commits are remembered at most, by the wall clock; a day if not set. It is looked after once a minute, while
    /// something is written.
    pub fn history_age(mut self, age: Duration) -> SqliteLogBuilder {
        self.history.age = age;
        self
    }

    /// Whether the file is opened for reading alone; false if not set. Whatever writes is then `Denied`, and a file that is not
    /// there is not made.
    pub fn read_only(mut self, read_only: bool) -> SqliteLogBuilder {
        self.way.read_only = read_only;
        self
    }

    /// The records in one page of a snapshot, 4000 if not set; zero counts as one.
    pub fn page_size(mut self, records: usize) -> SqliteLogBuilder {
        self.page_size = records.max(1);
        self
    }

    /// Opens the log; makes the file, if there is none, in a folder that is there.
    ///
    /// # Errors
    /// `Invalid` for a file that is no log of Globe's; `Unsupported` for one of a newer Globe, or on a file system of a
    /// network; `Denied` where it may not be made, opened or written, and for one that is damaged; `Unavailable` where there is
    /// none to read, or another process holds it for too long.
    pub async fn open(self) -> Result<SqliteLog> {
        let capabilities = Capabilities::full("sqlite");
        let shared = Shared::open(self.way, self.history, self.page_size, capabilities);
        Ok(SqliteLog::of(shared.await?))
    }
}
