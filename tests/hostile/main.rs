//! A hostile user: keys, values, codecs, closures, predicates and wakers that panic, block, come back in or lie, and a
//! restore between every read and its write.
//!
//! Never a hostile log: that is `broken_contract.rs` and the storms. Beside each hostile map a well-behaved one is open on
//! the same keyspace, and must not notice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod closures;
mod crowds;
mod keys;
mod lies;
mod restores;
#[path = "../rig/mod.rs"]
mod rig;
mod traps;
mod values;
mod wakers;
