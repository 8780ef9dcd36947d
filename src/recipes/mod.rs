//! What is built on sessions and the map: locks, permits, elections, barriers, counters, settings.
//!
//! Never talks to a log, nor to a replica: only to the map and the session, as a user could.

pub(crate) mod barrier;
pub(crate) mod claim;
pub(crate) mod counter;
pub(crate) mod double_barrier;
pub(crate) mod election;
pub(crate) mod hash;
pub(crate) mod hold;
pub(crate) mod ids;
pub(crate) mod latch;
pub(crate) mod lock;
pub(crate) mod name;
pub(crate) mod order;
pub(crate) mod partition;
pub(crate) mod queue;
pub(crate) mod registry;
pub(crate) mod request;
pub(crate) mod rw_lock;
pub(crate) mod semaphore;
pub(crate) mod settings;
pub(crate) mod shards;
