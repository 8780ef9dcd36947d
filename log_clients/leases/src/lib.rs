#![doc = include_str!("../README.md")]
//! It ends leases and deletes what hangs on them; it never ends one early, and never touches a record that hangs on none.
//!
//! # What belongs together
//!
//! | to … | there is |
//! |---|---|
//! | **have** leases on a log without | [`LeasedLog::new`] around a client of it |
//! | **look** at them by hand | the keyspace [`LeasedLog::KEYSPACE`] of the log inside |
//! | everything else | the verbs of [`LogClient`](globe_log_client::LogClient) |

mod capabilities;
mod chance;
mod deadline;
mod ending;
mod error;
mod granting;
mod guarding;
mod known;
mod lease_record;
mod leased_log;
mod leases;
mod sweeper;
mod view;

pub use leased_log::LeasedLog;
