//! One key of the map as it came from the log: decoded, or kept out because it could not be.
//!
//! It never shows a value: a `Debug` of an entry holds its revisions only.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{LeaseId, Record, Revision};

/// One entry of the map: the decoded value, and where in the log it comes from.
pub struct Entry<V> {
    value: Arc<V>,
    created: Revision,
    modified: Revision,
    lease: Option<LeaseId>,
    /// Of the value's bytes: what tells two entries apart whose revisions are equal in different epochs.
    digest: u64,
}

impl<V> Entry<V> {
    pub(crate) fn new(record: &Record, value: V) -> Entry<V> {
        Entry {
            value: Arc::new(value),
            created: record.created,
            modified: record.modified,
            lease: record.lease,
            digest: digest(&record.value),
        }
    }

    /// Whether `record` is what this entry was decoded from.
    pub(crate) fn is_from(&self, record: &Record) -> bool {
        self.modified == record.modified
            && self.created == record.created
            && self.lease == record.lease
            && (mutant!("compare_revisions_only") || self.digest == digest(&record.value))
    }

    /// The value, decoded once when it arrived.
    #[must_use]
    pub fn value(&self) -> &Arc<V> {
        &self.value
    }

    /// The commit that created the key (again, if it had been deleted).
    #[must_use]
    pub fn created(&self) -> Revision {
        self.created
    }

    /// The commit that last wrote the key: what [`Precondition::At`](crate::Precondition::At) compares.
    #[must_use]
    pub fn modified(&self) -> Revision {
        self.modified
    }

    /// The lease the entry ends with, if any.
    #[must_use]
    pub fn lease(&self) -> Option<LeaseId> {
        self.lease
    }
}

fn digest(value: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(value);
    hasher.finish()
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Entry<V> {
        Entry {
            value: Arc::clone(&self.value),
            ..*self
        }
    }
}

/// Two entries are equal when they are the same write: a rewrite of the same value is not.
impl<V> PartialEq for Entry<V> {
    fn eq(&self, other: &Entry<V>) -> bool {
        self.modified == other.modified
            && self.created == other.created
            && self.lease == other.lease
            && (mutant!("compare_revisions_only") || self.digest == other.digest)
    }
}

impl<V> fmt::Debug for Entry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("created", &self.created)
            .field("modified", &self.modified)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// A record that could not be decoded, and is therefore kept out of the map.
#[derive(Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The key as it stands in the log, without the keyspace.
    pub key: Bytes,
    /// The commit that wrote the bad record.
    pub revision: Revision,
    /// Why it could not be decoded. Never holds the value.
    pub reason: Arc<str>,
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = String::from_utf8_lossy(&self.key);
        write!(f, "{key:?} at revision {}: {}", self.revision, self.reason)
    }
}
