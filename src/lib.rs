#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod mutant;

mod applier;
mod backoff;
mod builder;
mod bulk;
mod careful;
mod change;
mod chunks;
mod codec;
mod committer;
mod complaints;
mod connect;
mod consistency;
mod difference;
mod door;
mod doubt;
mod entry;
mod expected;
mod globe;
mod guarded;
mod hydration;
mod index;
mod installation;
mod key;
mod outage;
mod pace;
mod prober;
mod progress;
mod quarantine;
mod replica;
mod settings;
mod status;
mod subscribers;
mod sync;
mod tailer;
mod tasks;
mod transact;
mod view;
mod watch;
mod writer;

pub use builder::Builder;
pub use change::{Change, ResyncReason};
#[cfg(feature = "messagepack")]
pub use codec::MessagePack;
pub use codec::{Codec, CodecError, Json};
pub use connect::connect;
pub use consistency::Consistency;
pub use entry::Entry;
pub use expected::Expected;
pub use globe::Globe;
pub use key::{Key, key_error};
pub use quarantine::{LastGood, Quarantined};
pub use status::{Phase, Status};
pub use transact::Txn;
pub use view::View;
pub use watch::{Cause, Changes, Watch};

#[cfg(feature = "etcd")]
pub use globe_etcd::EtcdLog;
pub use globe_memory::MemoryLog;

pub use globe_log_client::{
    Capabilities, Conflict, Epoch, Error, ErrorKind, FailedPrecondition, Keyspace, LeaseId,
    LogClient, Position, Precondition, Result, Revision, Standing, Version,
};

/// The contract of a log, for those who write a backend: every noun of it is here.
pub use globe_log_client as log_client;
