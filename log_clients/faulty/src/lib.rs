#![doc = include_str!("../README.md")]
//! It does to a log what networks, servers and operators do; it never invents a record, and never draws a number that
//! does not come from its seed.
//!
//! # What belongs together
//!
//! | to … | there is |
//! |---|---|
//! | **make** one | [`FaultyLog::new`] with a seed and everything the contract allows; [`FaultyLog::builder`] and [`FaultyLogBuilder`] for the rest |
//! | say **what goes wrong** | [`Faults`]: the chance of each [`Fault`], and for how long; [`Faults::legal`], [`Faults::none`] |
//! | **change** it meanwhile | [`FaultyLog::set_faults`], [`FaultyLog::heal`] |
//! | know **what happened** | [`FaultyLog::injected`], [`FaultyLogBuilder::on_fault`], and `faults` in the log's [`status`](globe_log_client::LogClient::status) |
//! | have it **compacted and restored** | [`FaultyLogBuilder::operator`] with an [`Operator`]: a [`MemoryLog`](globe_memory::MemoryLog), or your own with its [`Restore`] |
//!
//! It costs one draw for each thing that could go wrong, and a task for each commit that is late; what the log inside
//! costs comes on top. It tells `tracing` nothing.

mod builder;
mod deadline;
mod dice;
mod fault;
mod faults;
mod faulty_log;
mod fence;
mod ledger;
mod operator;
mod paging;
mod tailing;

pub use builder::FaultyLogBuilder;
pub use fault::Fault;
pub use faults::Faults;
pub use faulty_log::FaultyLog;
pub use operator::{Operator, Restore};
