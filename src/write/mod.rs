//! What is written: encoded, guarded, committed to the log, and waited for until it is visible here.
//!
//! Nothing here touches the replica: what was written comes back down the tail like everybody else's.

pub(crate) mod bulk;
pub(crate) mod chunks;
pub(crate) mod committer;
pub(crate) mod expected;
pub(crate) mod guarded;
pub(crate) mod writer;
