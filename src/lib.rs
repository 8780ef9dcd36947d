#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod mutant;

mod builder;
mod cached;
mod connect;
mod consistent_views;
mod entry;
mod follow;
mod globe;
mod ground;
mod hearing;
mod read;
mod reader;
mod replica;
mod settings;
mod transaction;
mod write;
mod writing;

pub use builder::Builder;
pub use cached::Cached;
pub use connect::connect;
pub use consistent_views::{AnyMap, Maps, consistent_views};
pub use entry::Entry;
pub use entry::change::{Change, ResyncReason};
#[cfg(feature = "messagepack")]
pub use entry::codec::MessagePack;
pub use entry::codec::{Codec, CodecError, Decode, Encode, Json};
pub use entry::into_key::IntoKey;
pub use entry::key::{Key, key_error};
pub use entry::lookup::{Finder, Lookup};
pub use entry::prefix::KeyPrefix;
pub use entry::quarantine::{LastGood, Quarantined};
pub use globe::Globe;
pub use read::consistency::Consistency;
pub use read::iter::{Iter, Range};
pub use read::phase_watch::PhaseWatch;
pub use read::quarantine_watch::{QuarantineChanges, QuarantineWatch};
pub use read::stream::WatchStream;
pub use read::value_watch::ValueWatch;
pub use read::view::View;
pub use read::watch::{Cause, Changes, Watch};
pub use reader::Reader;
pub use replica::status::{Phase, Status};
pub use transaction::Txn;
pub use write::expected::Expected;
pub use write::written::{Committed, Edit, Updated, Written, WrittenAll};

/// What it takes to build an etcd log that differs from the default.
#[cfg(feature = "etcd")]
pub mod etcd {
    pub use globe_etcd::{EtcdBuilder, EtcdLog, Tls};
}

/// Logs to test one's own code on: one that lives in the process, with the verbs of its operator, and one around any log that
/// fails by a seed.
///
/// ```
/// # use globe::{Globe, Result};
/// use globe::testing::{FaultyLog, Faults, MemoryLog};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let log = FaultyLog::builder(MemoryLog::new()).seed(7).faults(Faults::none()).build();
/// let flags: Globe<String, bool> = Globe::open(log.clone(), "flags").await?;
/// log.set_faults(Faults::legal()); // From here on it is a bad day.
/// # log.heal();
/// # flags.put("dark-mode", true).await?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "testing")]
pub mod testing {
    pub use globe_faulty::{Fault, Faults, FaultyLog, FaultyLogBuilder, Operator, Restore};
    pub use globe_memory::{MemoryBackup, MemoryLog, MemoryLogBuilder};
}

#[cfg(feature = "etcd")]
pub use globe_etcd::EtcdLog;
pub use globe_memory::MemoryLog;

pub use globe_log_client::{
    Capabilities, Conflict, Epoch, Error, ErrorKind, FailedPrecondition, Keyspace, LeaseId,
    LogClient, Position, Precondition, Result, Revision, Standing, Version,
};

/// The contract of a log, for those who write a backend: every noun of it is here.
pub use globe_log_client as log_client;
