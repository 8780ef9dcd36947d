//! What is done to a cluster, by theme. Each breaks, and leaves the mending to the round unless mending is its point.
//!
//! None of them judges.

pub(crate) mod access;
pub(crate) mod crash;
pub(crate) mod fronts;
pub(crate) mod history;
pub(crate) mod links;
pub(crate) mod meddlers;
pub(crate) mod network;
pub(crate) mod owners;
pub(crate) mod storage;
