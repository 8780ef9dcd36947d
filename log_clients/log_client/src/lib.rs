//! The contract between Globe and a replicated log: what a backend must do, and the nouns it speaks in.
//!
//! This crate never knows a backend, a type of the user's, or the map built on top of it: it is bytes in, bytes out.
//!
//! A backend implements [`LogClient`]; each MUST stands as a bullet on its method and is at least one named case of
//! the conformance suite (feature `conformance`).
//!
//! | to … | there is |
//! |---|---|
//! | name what a log holds | [`Keyspace`], [`Record`], [`Standing`], [`Lease`] and [`LeaseId`] |
//! | say where in it | [`Position`]: a [`Revision`] in an [`Epoch`]; [`Version`] of one key; [`RecentHead`]; [`LogId`] |
//! | read it | [`Snapshot`]; [`Tail`] of [`Batch`]es of [`Change`]s; [`Difference`] to what is known, by [`KnownKeys`] |
//! | write it | [`Transaction`] of [`Precondition`]s and [`Write`]s |
//! | say what it cannot do | [`Capabilities`] |
//! | fail | [`Error`] with an [`ErrorKind`]; [`Conflict`] with its [`FailedPrecondition`]s |
//!
//! ```
//! use globe_log_client::{Keyspace, Precondition, Transaction};
//!
//! # fn main() -> globe_log_client::Result<()> {
//! let flags = Keyspace::new("flags")?;
//! let transaction = Transaction::new()
//!     .when(&flags, "dark-mode", Precondition::Absent)
//!     .put(&flags, "dark-mode", "on");
//! assert_eq!(transaction.writes().len(), 1);
//! # Ok(())
//! # }
//! ```

mod advice;
mod capabilities;
mod client;
mod conflict;
#[cfg(feature = "conformance")]
pub mod conformance;
mod difference;
mod error;
mod keyspace;
mod known_keys;
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
pub use difference::Difference;
pub use error::{Error, ErrorKind, Result};
pub use keyspace::Keyspace;
pub use known_keys::KnownKeys;
pub use lease::{Lease, LeaseId};
pub use position::{Epoch, Position, RecentHead, Revision, Version};
pub use record::{Batch, Change, Record, Standing};
pub use snapshot::Snapshot;
pub use status::LogStatus;
pub use tail::Tail;
pub use transaction::{Precondition, Transaction, Write};
