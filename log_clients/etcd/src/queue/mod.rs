//! Commits of several callers that wait for each other, to be sent together.
//!
//! Never sends anything: what is to be sent is handed over.

pub(crate) mod footprint;
pub(crate) mod group;
pub(crate) mod turns;
pub(crate) mod waiting;
