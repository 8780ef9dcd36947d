//! Liveness with a deadline.
//!
//! A lease here is only a number and a time: keeping it alive is the caller's.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The name of a lease in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub i64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A granted lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// How long it lives without a renewal: what the log granted, never less than what was asked.
    pub ttl: Duration,
}
