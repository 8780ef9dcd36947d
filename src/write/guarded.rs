//! A write of one key, with what is known to stand there: its guard, and the lease it keeps.
//!
//! It never talks to a log: it is what a transaction is made of.

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
        }
    }

    fn lease(self) -> Option<LeaseId> {
        match self {
            Stands::Nothing => None,
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
    Delete,
}

impl Draft {
    /// The bytes it carries.
    pub(crate) fn len(&self) -> usize {
        match self {
            Draft::Put(value) | Draft::PutDetached(value) => value.len(),
            Draft::Delete => 0,
        }
    }

    /// The write, of a key at which this stands.
    pub(crate) fn write(&self, stands: Stands) -> Write {
        let (value, lease) = match self {
            Draft::Delete => return Write::Delete,
            Draft::PutDetached(value) => (value, None),
            Draft::Put(value) => (value, stands.lease()),
        };
        let lease = lease.filter(|_| !mutant!("take_keys_off_their_lease"));
        Write::put(value.clone(), lease)
    }
}

/// A write that is made only while what is known still stands.
#[derive(Clone)]
pub(crate) struct Guarded {
    pub(crate) stands: Stands,
    pub(crate) draft: Draft,
}

impl Guarded {
    pub(crate) fn write(&self) -> Write {
        self.draft.write(self.stands)
    }
}
