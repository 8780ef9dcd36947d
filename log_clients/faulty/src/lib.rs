#![doc = include_str!("../README.md")]
//! It does to a log what networks, servers and operators do; it never invents a record, and never draws a number that
//! does not come from its seed.

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
