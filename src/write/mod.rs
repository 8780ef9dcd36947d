//! What is written: encoded, guarded, committed to the log, and waited for until it is visible here.
//!
//! Nothing here touches the replica: what was written comes back down the tail like everybody else's.

pub(crate) mod attempt;
pub(crate) mod bulk;
pub(crate) mod committer;
pub(crate) mod draft;
pub(crate) mod due;
pub(crate) mod ending;
pub(crate) mod expected;
pub(crate) mod guarded;
pub(crate) mod leased;
pub(crate) mod leasing;
pub(crate) mod replicas;
pub(crate) mod update;
pub(crate) mod wanted;
pub(crate) mod wanted_keys;
pub(crate) mod wanted_row;
pub(crate) mod write_set;
pub(crate) mod writer;
pub(crate) mod writes;
pub(crate) mod writing;
pub(crate) mod written;
