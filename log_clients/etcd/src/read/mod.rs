//! What is read: keys and heads, each answer checked to come from the life of the log that is known, and whole keyspaces.
//!
//! Nothing here writes, but for the record by which all clients agree on that life.

pub(crate) mod difference;
pub(crate) mod epoch;
pub(crate) mod head;
pub(crate) mod look;
pub(crate) mod page_bound;
pub(crate) mod page_size;
pub(crate) mod questions;
pub(crate) mod reading;
pub(crate) mod snapshot;
pub(crate) mod start;
pub(crate) mod values;
pub(crate) mod windows;
