//! The log that lives in one process: the reference implementation of [`LogClient`](globe_log_client::LogClient), and
//! what an application's own tests run on.
//!
//! It keeps every MUST of the contract but durability, and never touches a disk or a network: what it holds ends with
//! its last clone.
//!
//! ```
//! use globe_log_client::{Keyspace, LogClient, Transaction};
//! use globe_memory::MemoryLog;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> globe_log_client::Result<()> {
//! let log = MemoryLog::new();
//! let flags = Keyspace::new("flags")?;
//! let put = Transaction::new().put(&flags, "dark-mode", "on");
//! let position = log.commit(put).await?;
//! assert!(log.head(&flags).await?.covers(position));
//!
//! log.set_available(false); // Every call fails, until it is true again.
//! assert!(log.head(&flags).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! | the contract's word | here |
//! |---|---|
//! | keyspace | an ordered, persistent map |
//! | revision | one number a commit, across all keyspaces; the empty log stands at 1 |
//! | epoch | a random number, drawn anew by [`MemoryLog::restore`] and [`MemoryLog::wipe`] |
//! | history | kept whole until [`MemoryLog::compact`], or so many commits as [`MemoryLogBuilder::history`] says; from there on, what stood at a key is known of every position |
//! | lease | on tokio's time, exactly as long as asked |

mod builder;
mod history;
mod leases;
mod memory_log;
mod pages;
mod server;
mod store;
mod tailing;
mod url;

pub use builder::MemoryLogBuilder;
pub use memory_log::{MemoryBackup, MemoryLog};
