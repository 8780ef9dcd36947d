//! Shard tables on a real server: processes that are restarted, killed and stopped, and deaths in each phase of a move.
//!
//! Never takes a member's word for what stands in the log: another process' map says that.

mod deaths;
mod history;
mod processes;

use std::time::Duration;

/// The ttl of the sessions of members.
const TTL: Duration = Duration::from_secs(3);
/// How long anything may take, on a busy machine.
const BOUND: Duration = Duration::from_secs(120);
