//! Liveness with a deadline.
//!
//! A lease here is only a name and a time: keeping it alive is the caller's.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::position::Epoch;

/// The name of a lease in its log. Opaque; it travels as text (`Display`, `FromStr`, and serde alike), and is also read
/// where it is filled up with zeros to 16 digits, as `etcdctl` writes it.
///
/// ```
/// # use globe_log_client::LeaseId;
/// let lease = LeaseId::new(0xfeed);
/// assert_eq!(lease.to_string(), "feed");
/// assert_eq!("feed".parse::<LeaseId>().unwrap(), lease);
/// assert_eq!("000000000000feed".parse::<LeaseId>().unwrap(), lease);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LeaseId(u64);

impl LeaseId {
    /// For the author of a log: a name from any 64 bits that no other lease of the log has.
    #[must_use]
    pub const fn new(bits: u64) -> LeaseId {
        LeaseId(bits)
    }

    /// For the author of a log: what the name was made from.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A lease that is alive: granted by [`LogClient::grant`](crate::LogClient::grant), kept by
/// [`renew`](crate::LogClient::renew), ended by [`revoke`](crate::LogClient::revoke) or its time. Dropping this ends
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// How long it lives without a renewal: what the log granted, counted from its answer, and never shorter than
    /// asked.
    pub ttl: Duration,
    /// The life of the log it was granted in. In another it is not to be trusted: a restored log may have it as well, for
    /// others to end, and its records as they once were.
    pub epoch: Epoch,
}

impl Lease {
    /// A lease from its parts.
    #[must_use]
    pub const fn new(id: LeaseId, ttl: Duration, epoch: Epoch) -> Lease {
        Lease { id, ttl, epoch }
    }
}
