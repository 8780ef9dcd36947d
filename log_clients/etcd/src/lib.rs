//! The etcd log: a [`LogClient`](globe_log_client::LogClient) on an etcd cluster of version 3.4 or newer.
//!
//! It never follows a server blindly: every linearizable answer is checked against what this client saw before, and no
//! write is ever sent a second time before the fate of the first copy is known.
//!
#![doc = include_str!("../README.md")]

#[macro_use]
mod mutant;

mod asking;
mod backoff;
mod builder;
mod call;
mod cluster;
mod commit;
mod connections;
mod election;
mod endpoints;
mod epoch;
mod fault;
mod fence;
mod fragments;
mod keys;
mod lease;
mod life;
mod log;
mod mailbox;
mod outcome;
mod proof;
mod reading;
mod records;
mod route;
mod runtime;
mod settings;
mod settling;
mod silence;
mod snapshot;
mod stream;
mod streams;
mod tail;
mod tailing;
mod tls;
mod url;
mod version;
mod watching;
mod witness;
mod writer;

pub use builder::EtcdBuilder;
pub use log::EtcdLog;
pub use tls::Tls;
