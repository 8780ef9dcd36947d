#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod mutant;

mod builder;
mod connect;
mod entry;
mod follow;
mod globe;
mod ground;
mod read;
mod replica;
mod settings;
mod transaction;
mod write;
mod writing;

pub use builder::Builder;
pub use connect::connect;
pub use entry::Entry;
pub use entry::change::{Change, ResyncReason};
#[cfg(feature = "messagepack")]
pub use entry::codec::MessagePack;
pub use entry::codec::{Codec, CodecError, Json};
pub use entry::key::{Key, key_error};
pub use entry::quarantine::{LastGood, Quarantined};
pub use globe::Globe;
pub use read::consistency::Consistency;
pub use read::view::View;
pub use read::watch::{Cause, Changes, Watch};
pub use replica::health::{Phase, Status};
pub use transaction::Txn;
pub use write::expected::Expected;
pub use write::written::{Committed, Edit, Updated, Written, WrittenAll};

#[cfg(feature = "etcd")]
pub use globe_etcd::EtcdLog;
pub use globe_memory::MemoryLog;

pub use globe_log_client::{
    Capabilities, Conflict, Epoch, Error, ErrorKind, FailedPrecondition, Keyspace, LeaseId,
    LogClient, Position, Precondition, Result, Revision, Standing, Version,
};

/// The contract of a log, for those who write a backend: every noun of it is here.
pub use globe_log_client as log_client;
