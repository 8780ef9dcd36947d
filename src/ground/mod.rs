//! What every room stands on: locks and wakers, turns, pauses, tasks.
//!
//! Nothing here knows a key, a value or a log.

pub(crate) mod backoff;
pub(crate) mod careful;
pub(crate) mod clock;
pub(crate) mod key_table;
pub(crate) mod pace;
pub(crate) mod runtime;
pub(crate) mod sync;
pub(crate) mod tasks;
