//! The contract between Globe and a replicated log: what a backend must do, and the nouns it speaks in.
//!
//! This crate never knows a backend, a type of the user's, or the map built on top of it: it is bytes in, bytes out.
//!
//! A backend implements [`LogClient`]; each MUST stands as a bullet on its method and is at least one named case of
//! the conformance suite (feature `conformance`).

mod advice;
mod capabilities;
mod client;
mod conflict;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod keyspace;
mod lease;
mod position;
mod record;
mod snapshot;
mod status;
mod tail;
mod text;
mod transaction;

pub use async_trait::async_trait;
pub use bytes::Bytes;

pub use capabilities::Capabilities;
pub use client::{LogClient, LogId};
pub use conflict::{Conflict, FailedPrecondition};
pub use error::{Error, ErrorKind, Result};
pub use keyspace::Keyspace;
pub use lease::{Lease, LeaseId};
pub use position::{Epoch, Position, RecentHead, Revision, Version};
pub use record::{Batch, Change, Record, Standing};
pub use snapshot::Snapshot;
pub use status::LogStatus;
pub use tail::Tail;
pub use transaction::{Precondition, Transaction, Write};
