//! The last known good copy of a map, on disk: a process starts while its log is down, and a restart costs the difference.
//!
//! It works for every log and every codec, for it knows neither: it keeps records as the log holds them, and never decodes one.
//!
//! ```
//! use std::sync::Arc;
//! use globe_log_client::{Keyspace, LogClient, Transaction};
//! use globe_memory::MemoryLog;
//! use globe_offline::{Offline, RecordedLog};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let (flags, offline) = (Keyspace::new("flags")?, Offline::in_folder(folder));
//! let log = RecordedLog::new(Arc::new(MemoryLog::new()), &flags, &offline)?;
//! log.commit(Transaction::new().put(&flags, "dark-mode", "on")).await?;
//! log.snapshot(&flags).await?.collect().await?; // as a map does when it starts
//! log.flush().await?;
//!
//! // Another process, or this one again.
//! let copy = offline.read(&flags).await?.ok_or("there is none")?;
//! assert!(offline.allows(&copy));
//! assert_eq!(copy.records[0].value, "on");
//! # Ok(()) }
//! ```
//!
//! # What belongs together
//!
//! | to … | there is |
//! |---|---|
//! | say **where** it is kept, and what may be begun with it | [`Offline`], with a [`Start`] |
//! | **write** it | [`RecordedLog`] around the log; no more than was [confirmed](RecordedLog::confirm), if that is asked for |
//! | **read** it | [`Offline::read`]: an [`OfflineCopy`], or a [`Refusal`] |
//! | **encrypt** it | [`Seal`] |
//!
//! | file | what it is |
//! |---|---|
//! | `KEYSPACE.globe` | the copy; it may be copied at any time, and deleted |
//! | `KEYSPACE.globe.new` | a snapshot on its way; it may be deleted |
//! | `KEYSPACE.globe.lock` | who has it locked writes; it is empty |
//! | `KEYSPACE.globe.refused` | what lay in the place of the copy and was not believed, the last such; it may be deleted |
//!
//! What is not a letter, a digit, `-`, `_` or `.` in the name of a keyspace is percent-encoded, and a name that becomes longer
//! than 200 bytes is cut and gets a checksum.
//!
//! # What is in a file
//!
//! Sixteen bytes: `GlobeCpy`, the version (1) and whether it is sealed (0, 1), as 32 bits each, the low byte first. Then frames:
//! 32 bits of length, 32 bits of CRC-32 over the checksum before it, the length and the body, and the body. First a frame with
//! the keyspace and the position, frames with records, one with their number, and one with the time at which they were asked
//! for. After that one for each commit, and at most every 10 s one that says up to where nothing else was committed, and one with
//! the time at which the log was known to stand there. A commit costs 17 bytes, and each change in it the key, the value, and 34
//! bytes; 42 with a lease; a delete costs the key and 9 bytes.
//!
//! # What it costs
//!
//! A thread a keyspace, and a file that is at most about twice as long as the records it began with, or
//! 256 KiB longer. A reader of the log pays
//! about 2 µs for each batch, and 0.2 µs for each record of a snapshot. The log is asked nothing more, as long as the disk keeps up.
//! A million records of 120 bytes are a file of 153 MB, written 0.4 s after their snapshot is asked for and read in 1 s (two cores,
//! a disk that takes 3 ms to sync).
//!
//! # What can be lost
//!
//! What is written reaches the system as soon as nothing more is on the way, and so survives the death of the process. It
//! reaches the disk when the system sees fit, or by [`RecordedLog::flush`]: after a crash of the machine, the copy may be one of
//! some time before, and says so. A snapshot is synced before it takes the place of the copy.
//!
//! When the log begins another life, the copy stays that of the former one until a snapshot of the new one was read to its end.
//!
//! Locks must work between the processes that share a folder: that is so on one host, and on few file systems of a network.
//!
//! # What it tells `tracing`
//!
//! A warning when a copy is refused, when it cannot be written (once, and when it can be again), when the disk is too slow, and
//! when the file was taken away.

mod body;
mod chain;
mod file;
mod frame;
mod frames;
mod gate;
mod image;
mod lack;
mod mender;
mod note;
mod numbers;
mod offline;
mod offline_copy;
mod open_copy;
mod output;
mod place;
mod queue;
mod recorded_log;
mod recorder;
mod refusal;
mod right;
mod seal;
mod staged;
mod standing;
mod tee;
mod time;

pub use offline::{Offline, Start};
pub use offline_copy::OfflineCopy;
pub use recorded_log::RecordedLog;
pub use refusal::Refusal;
pub use seal::Seal;
