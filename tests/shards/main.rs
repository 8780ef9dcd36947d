//! Shard tables: who owns what, and how that moves, whatever goes wrong.
//!
//! On the memory log, on paused time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a storm that fails says its seed")]

mod cluster;
mod deaths;
mod failures;
mod hearing;
mod misuse;
mod moves;
mod operators;
mod plans;
#[path = "../rig/mod.rs"]
mod rig;
mod rolling;
mod running;
mod says;
mod storm;
