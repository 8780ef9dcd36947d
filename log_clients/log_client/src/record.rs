//! What a log holds, and how it changes.
//!
//! Values may be secrets: no `Debug` here shows one.

use std::fmt;

use bytes::Bytes;

use crate::lease::LeaseId;
use crate::position::Revision;

/// One live key of a keyspace.
///
/// Key and value are [`Bytes`]: one record goes to every tail of its keyspace, and into the copies that are kept of it, and
/// none of them copies what it holds.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The key, without the keyspace. Not empty. UTF-8 when Globe wrote it; another program may have written any bytes.
    pub key: Bytes,
    /// The value: any bytes, possibly none (an empty value is not an absent key).
    pub value: Bytes,
    /// The commit that created the key (again, if it had been deleted).
    pub created: Revision,
    /// The commit that last wrote the key, even with the same value.
    pub modified: Revision,
    /// The lease the key ends with, if any.
    pub lease: Option<LeaseId>,
}

impl Record {
    /// A record without a lease.
    pub fn new(
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        created: Revision,
        modified: Revision,
    ) -> Record {
        Record {
            key: key.into(),
            value: value.into(),
            created,
            modified,
            lease: None,
        }
    }

    /// The same record, ending with this lease, if with any.
    #[must_use]
    pub fn with_lease(mut self, lease: impl Into<Option<LeaseId>>) -> Record {
        self.lease = lease.into();
        self
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("value", &format_args!("<{} bytes>", self.value.len()))
            .field("created", &self.created)
            .field("modified", &self.modified)
            .field("lease", &self.lease)
            .finish()
    }
}

/// What stands at a key, without the key and the value: enough to compare with at the next attempt, however large the
/// value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The commit that created the key (again, if it had been deleted).
    pub created: Revision,
    /// The commit that last wrote the key, even with the same value.
    pub modified: Revision,
    /// The lease the key ends with, if any.
    pub lease: Option<LeaseId>,
}

impl Standing {
    /// What stands there without a lease.
    #[must_use]
    pub fn new(created: Revision, modified: Revision) -> Standing {
        Standing {
            created,
            modified,
            lease: None,
        }
    }

    /// The same, ending with this lease, if with any.
    #[must_use]
    pub fn with_lease(mut self, lease: impl Into<Option<LeaseId>>) -> Standing {
        self.lease = lease.into();
        self
    }
}

impl From<&Record> for Standing {
    fn from(record: &Record) -> Standing {
        Standing::new(record.created, record.modified).with_lease(record.lease)
    }
}

/// What happened to one key. Who meets a change it does not know must not pass it over: its copy would be wrong from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The key was written: this is the whole record now.
    Put(Record),
    /// The key is gone: deleted, or its lease ended.
    #[non_exhaustive]
    Delete {
        /// The key, without the keyspace.
        key: Bytes,
    },
}

impl Change {
    /// A change that leaves nothing at a key.
    pub fn delete(key: impl Into<Bytes>) -> Change {
        Change::Delete { key: key.into() }
    }

    /// The key that changed.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Change::Put(record) => &record.key,
            Change::Delete { key } => key,
        }
    }
}

/// Everything one commit did to one keyspace; with no changes it is *progress*: everything up to its revision has been
/// delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The commit.
    pub revision: Revision,
    /// At most one change a key, in no particular order.
    pub changes: Vec<Change>,
}

impl Batch {
    /// What one commit did.
    #[must_use]
    pub fn new(revision: Revision, changes: Vec<Change>) -> Batch {
        Batch { revision, changes }
    }

    /// A batch that says: everything up to `revision` has been delivered.
    #[must_use]
    pub fn progress(revision: Revision) -> Batch {
        Batch::new(revision, Vec::new())
    }

    /// Whether it holds no changes.
    #[must_use]
    pub fn is_progress(&self) -> bool {
        self.changes.is_empty()
    }
}
