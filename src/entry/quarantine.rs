//! Records that are kept out of the map because they cannot be decoded.
//!
//! It never holds a value.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{LeaseId, Record, Version};

/// A record that could not be decoded, and is therefore kept out of the map.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The key as it stands in the log, without the keyspace.
    pub key: Bytes,
    /// The write that is bad.
    pub version: Version,
    /// The lease the record ends with, if any.
    pub lease: Option<LeaseId>,
    /// Why it could not be decoded. Never holds the value.
    pub reason: Arc<str>,
    /// What the map shows in its place.
    pub last_good: LastGood,
}

/// What a map shows at a key whose record cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastGood {
    /// Nothing: no good value stood there before, since the key was last created.
    None,
    /// The value of this version, which was the last good one: every node shows the same.
    Shown(Version),
    /// The value of this version, the last good one this node has seen. The log could not tell whether there was a later
    /// one, so another node may show that.
    Seen(Version),
    /// Nothing, although there may have been a good value: this node came after the bad one, and the log could not tell
    /// what stood there before (it was compacted, keeps no history, or had too many bad records).
    Forgotten,
}

impl Quarantined {
    pub(crate) fn new(
        record: &Record,
        version: Version,
        reason: &str,
        last_good: LastGood,
    ) -> Quarantined {
        Quarantined {
            key: record.key.clone(),
            version,
            lease: record.lease,
            reason: reason.into(),
            last_good,
        }
    }
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = String::from_utf8_lossy(&self.key);
        write!(f, "{key:?}, {}: {}", self.version, self.reason)
    }
}
