//! What is known to stand at a key, and what is to become of it.
//!
//! It never says of which key: that is said where such writes are gathered.

use bytes::Bytes;
use globe_log_client::{LeaseId, Precondition, Revision, Standing, Write};

use crate::entry::Entry;
use crate::entry::quarantine::Quarantined;

/// What is known to stand at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    Nothing,
    /// A record of this revision, which ends with this lease.
    Record(Revision, Option<LeaseId>),
    /// A record that was created by this commit, whatever has become of it since.
    Since(Revision),
}

impl Stands {
    pub(crate) fn entry<V>(entry: &Entry<V>) -> Stands {
        Stands::Record(entry.version().revision(), entry.lease())
    }

    pub(crate) fn bad(bad: &Quarantined) -> Stands {
        Stands::Record(bad.version.revision(), bad.lease)
    }

    /// What a conflict found.
    pub(crate) fn found(standing: Option<Standing>) -> Stands {
        standing.map_or(Stands::Nothing, |standing| {
            Stands::Record(standing.modified, standing.lease)
        })
    }

    pub(crate) fn precondition(self) -> Precondition {
        match self {
            Stands::Nothing => Precondition::Absent,
            Stands::Record(revision, _) => Precondition::At(revision),
            Stands::Since(revision) => Precondition::Since(revision),
        }
    }

    /// The revision of a record.
    pub(crate) fn revision(self) -> Option<Revision> {
        match self {
            Stands::Nothing | Stands::Since(_) => None,
            Stands::Record(revision, _) => Some(revision),
        }
    }

    pub(crate) fn lease(self) -> Option<LeaseId> {
        match self {
            Stands::Nothing | Stands::Since(_) => None,
            Stands::Record(_, lease) => lease,
        }
    }
}

/// What is to become of a key.
#[derive(Clone)]
pub(crate) enum Draft {
    /// A value, which ends with the lease the key has.
    Put(Bytes),
    /// A value that ends with no lease, whatever the key had.
    PutDetached(Bytes),
    /// A value that ends with this lease.
    PutLeased(Bytes, LeaseId),
    Delete,
    /// What it is: only compared.
    Keep,
}

impl Draft {
    /// The bytes it carries.
    pub(crate) fn bytes(&self) -> Bytes {
        match self {
            Draft::Put(value) | Draft::PutDetached(value) | Draft::PutLeased(value, _) => {
                value.clone()
            }
            Draft::Delete | Draft::Keep => Bytes::new(),
        }
    }

    pub(crate) fn is_put(&self) -> bool {
        matches!(
            self,
            Draft::Put(_) | Draft::PutDetached(_) | Draft::PutLeased(..)
        )
    }

    /// Whether it ends what a session may want of the key.
    pub(crate) fn leaves(&self) -> bool {
        matches!(self, Draft::PutDetached(_) | Draft::Delete)
    }

    /// The write, if it is one, of a key at which this stands.
    pub(crate) fn write(&self, stands: Stands) -> Option<Write> {
        let (value, lease) = match self {
            Draft::Keep => return None,
            Draft::Delete => return Some(Write::Delete),
            Draft::PutDetached(value) => (value, None),
            Draft::PutLeased(value, lease) => (value, Some(*lease)),
            Draft::Put(value) => (value, stands.lease()),
        };
        Some(Write::put(value.clone(), lease))
    }
}

/// A write that is made only while what is known still stands.
#[derive(Clone)]
pub(crate) struct Guarded {
    pub(crate) stands: Stands,
    pub(crate) draft: Draft,
}
