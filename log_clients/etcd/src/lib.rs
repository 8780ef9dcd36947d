//! The etcd log: a [`LogClient`](globe_log_client::LogClient) on an etcd cluster of version 3.4 or newer.
//!
//! It never follows a server blindly: every linearizable answer is checked against what this client saw before, and no
//! write is ever sent a second time before the outcome of the first copy is known.
//!
//! # What belongs together
//!
//! | to … | there is |
//! |---|---|
//! | **open** a log | [`EtcdLog::connect`] with the addresses; [`EtcdLog::from_url`] by one text; [`EtcdLog::builder`] and [`EtcdBuilder`] with every setting. None waits for a server |
//! | find the **cluster** | [`endpoints`](EtcdBuilder::endpoints); part of it alone: [`namespace`](EtcdBuilder::namespace), [`key_prefix`](EtcdBuilder::key_prefix) |
//! | be **let in** | [`user`](EtcdBuilder::user); with a password that changes [`user_name`](EtcdBuilder::user_name) and [`password_file`](EtcdBuilder::password_file), or [`credentials`](EtcdBuilder::credentials); by a certificate [`tls`](EtcdBuilder::tls) and [`Tls::client_files`] |
//! | **trust** servers | [`Tls`]: [`ca_file`](Tls::ca_file), [`domain_name`](Tls::domain_name); by default the system's authorities |
//! | say **how long** | [`deadline`](EtcdBuilder::deadline) for a call, [`request_timeout`](EtcdBuilder::request_timeout) for a member of it, [`tail_timeout`](EtcdBuilder::tail_timeout) for a tail |
//! | say **how much** | [`max_operations`](EtcdBuilder::max_operations) and [`max_transaction_bytes`](EtcdBuilder::max_transaction_bytes) for a commit, [`page_size`](EtcdBuilder::page_size) and [`max_message_bytes`](EtcdBuilder::max_message_bytes) for an answer |
//! | **use** it | the verbs of [`LogClient`](globe_log_client::LogClient), which [`EtcdLog`] lists with what each costs |
//! | know **how it goes** | [`status`](globe_log_client::LogClient::status), [`last_failure`](globe_log_client::LogClient::last_failure), [`EtcdLog::member`]; and what is told to `tracing`, below |
//! | **end** it | [`EtcdLog::close`] before the process does; else dropping it is enough |
//!
//! [Settings](#settings) has all of them in one table, [how it keeps the contract](#how-it-keeps-the-contract) what it
//! promises and why, [known gaps](#known-gaps) and [not there](#not-there) where it stops. What to do about an error is
//! told by [`ErrorKind`](globe_log_client::ErrorKind).
//!
//! # What it costs
//!
//! | what | at the cluster | here |
//! |---|---|---|
//! | a log | nothing before its first use; then one login, if there is a user | up to three connections to the member in use: one for calls, one for watches, one for leases |
//! | a snapshot | one read a page | one page: about 2 MiB, or one larger record |
//! | a difference | one read for 15,000 known keys, which goes through all records there, and one for each page of what has changed; of 100 changes, a third of them deletes, in 100,000 records of 100 bytes, 171 KB where a snapshot is 12.6 MB; of a million, 560 KB of 126 MB. If everything has changed, a fifth more than a snapshot | one page, and the keys of one read |
//! | a tail | one watch on a shared stream, and one or two reads when it opens; at rest nothing | what is unread, up to 4 MiB |
//! | a head | one read for all who ask at the same time | – |
//! | a commit | one request; it writes one small record besides, a slot of the fence | – |
//! | a reply that was lost | a few requests more | – |
//! | a lease | one grant; each renewal a stream with two messages; over a new connection one read more | – |
//! | the lease of the fence | one grant with the first commit, then at most one renewal in twenty seconds, with a commit | – |
//! | an outage | about one dial a second, however many calls wait | – |
//!
//! # What is told to `tracing`
//!
//! No event holds a value or a credential. The fields are `endpoint` (the member), `keyspace`, `key`, `revision`,
//! `epoch`, `reason` (what went wrong), `attempt`, `version`.
//!
//! | level | event | what to do |
//! |---|---|---|
//! | error | a record is larger than this client accepts, and is left out | raise [`max_message_bytes`](EtcdBuilder::max_message_bytes), or write a smaller one |
//! | warn | etcd member put aside | nothing, if it answers again; once for each outage of a member |
//! | warn | etcd server: … (a version with known faults) | upgrade it; once for each version of a member |
//! | warn | the etcd log was restored, wiped or replaced | nothing, if that was meant: maps resync |
//! | warn | the epoch record is none that a client of this log wrote | find out who writes below `.globe/` |
//! | warn | the new epoch cannot be told to other clients | give the role the right to `.globe/`, or make room |
//! | warn | this role cannot write below `.globe/` | as above: commits are not fenced; once |
//! | warn | a keyspace of the etcd log overlaps with a namespace | use another name; once for each keyspace |
//! | info | etcd member answers again; the etcd log begins another epoch; etcd member does not answer progress requests; the etcd server takes less than that | nothing |
//! | debug | request failed; tail opened; going back to the preferred member; what was left without an answer may still land | nothing |
//!
#![doc = include_str!("../README.md")]

mod cluster;
mod commit;
mod fault;
mod fence;
mod heads;
mod lease;
mod life;
mod limits;
mod log;
mod members;
mod queue;
mod read;
mod records;
mod runtime;
mod settings;
mod streams;
mod tail;

pub use log::EtcdLog;
pub use settings::builder::EtcdBuilder;
pub use settings::tls::Tls;
