//! The embedded log: durable, in one SQLite file, shared by any number of processes of one host.
//!
//! It keeps every MUST of the contract, and never needs a server: whoever opens the file is one.
//!
//! ```
//! use globe_log_client::{Keyspace, LogClient, Transaction};
//! use globe_sqlite::SqliteLog;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> globe_log_client::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let file = folder.path().join("flags.db");
//! let log = SqliteLog::open(&file).await?;
//! let flags = Keyspace::new("flags")?;
//! let position = log.commit(Transaction::new().put(&flags, "dark-mode", "on")).await?;
//!
//! // Another process, or this one again.
//! let other = SqliteLog::open(&file).await?;
//! assert!(other.head(&flags).await?.covers(position));
//! # Ok(())
//! # }
//! ```
//!
//! | the contract's word | here |
//! |---|---|
//! | keyspace | a column of every change |
//! | revision | one number a commit, across all keyspaces; the empty log stands at 1 |
//! | epoch | a random number in the file, drawn anew when it is found to be a copy, restored, or to have lost commits |
//! | history | at least so many commits as [`SqliteLogBuilder::history`] says, and none older than [`SqliteLogBuilder::history_age`], looked after once a minute |
//! | lease | ends when a process that has the file open has seen it without a renewal for its whole time, by its own steady clock |
//!
//! # What belongs together
//!
//! | file | what it is |
//! |---|---|
//! | `NAME` | the database; readable with the `sqlite3` tool, by the views `records`, `history` and `live_leases` |
//! | `NAME-wal`, `NAME-shm` | SQLite's own, while somebody has it open: they belong to it, and a copy without them is an earlier state |
//! | `NAME-mark` | how far the log has come. A file that is restored without it is told from what it was by it; it may be deleted |
//!
//! To back it up: `sqlite3 NAME "VACUUM INTO 'BACKUP'"`, while it is in use. To go back to a backup: end all processes, put it in
//! the place of the file, and delete `NAME-wal` and `NAME-shm`; or `sqlite3 NAME ".restore BACKUP"`, while it is in use. Either is
//! another life of the log, and is reported as one.
//!
//! # What it costs
//!
//! Three threads a log: one writes, one reads, one watches. What is asked at the same time is committed together, so a commit
//! costs a share of one sync of the disk. The watcher asks SQLite whether anybody has written: every millisecond while
//! somebody does, more rarely the longer nobody has, and every 30 ms from three seconds on. A tail reads what is new as one query.
//! A snapshot reads pages of history, and keeps nothing open between them; a difference reads the same pages, and hands out less.
//!
//! # What it tells `tracing`
//!
//! A warning when the log begins another life, and when a waker panics.

mod begun;
mod builder;
mod changes;
mod error;
mod file;
mod ids;
mod leases;
mod opened;
mod pages;
mod reader;
mod row;
mod schema;
mod seen;
mod shared;
mod silence;
mod sqlite_log;
mod stand;
mod tailing;
mod time;
mod url;
mod waking;
mod watcher;
mod way;
mod writer;
mod writes;

pub use builder::SqliteLogBuilder;
pub use sqlite_log::SqliteLog;
pub use way::Synchronous;
