//! The etcd log: a [`LogClient`](globe_log_client::LogClient) on an etcd cluster of version 3.4 or newer.
//!
//! It never follows a server blindly: every linearizable answer is checked against what this client saw before, and no
//! write is ever sent a second time before the outcome of the first copy is known.
//!
#![doc = include_str!("../README.md")]

mod address;
mod authenticator;
mod backoff;
mod builder;
mod call;
mod class;
mod cluster;
mod commit;
mod commit_outcome;
mod commit_settings;
mod connection;
mod connections;
mod credentials;
mod dial;
mod endpoints;
mod epoch;
mod failback;
mod fault;
mod fence;
mod fencing;
mod files;
mod fragments;
mod heads;
mod identity;
mod keys;
mod learning;
mod lease;
mod life;
mod limits;
mod log;
mod mailbox;
mod marker;
mod order;
mod page_bound;
mod page_size;
mod patience;
mod preferred;
mod progress_requests;
mod proof;
mod reading;
mod records;
mod refusal;
mod reserved;
mod round;
mod route;
mod runtime;
mod server_version;
mod settings;
mod settling;
mod silence;
mod snapshot;
mod socket;
mod stream;
mod streams;
mod tail;
mod tailing;
mod tls;
mod token;
mod transport;
mod txn;
mod url;
mod watch_handle;
mod witness;
mod writer;

pub use builder::EtcdBuilder;
pub use log::EtcdLog;
pub use tls::Tls;
