//! Writes of one map that are committed together, each with what is known to stand at its key: its guard, and the lease it
//! keeps.
//!
//! It never talks to a log: it is what a transaction is made of.

use std::collections::BTreeMap;

use bytes::Bytes;
use globe_log_client::{
    Conflict, Epoch, Keyspace, Lease, LeaseId, Precondition, Revision, Standing, Transaction, Write,
};

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

/// Writes of one map, by the key in the log, to be committed together or not at all.
#[derive(Clone)]
pub(crate) struct WriteSet {
    /// The life of the log that the guards are from; `None` when they name no revision.
    pub(crate) life: Option<Epoch>,
    pub(crate) writes: BTreeMap<Bytes, Guarded>,
}

impl WriteSet {
    /// A write of one key.
    pub(crate) fn one(life: Option<Epoch>, text: Bytes, stands: Stands, draft: Draft) -> WriteSet {
        let writes = BTreeMap::from([(text, Guarded { stands, draft })]);
        WriteSet { life, writes }
    }

    /// Puts a key under a lease, in the life of the log that the lease is of.
    pub(crate) fn put_under(&mut self, text: &Bytes, value: Bytes, lease: Lease) {
        self.life = Some(lease.epoch);
        if let Some(guarded) = self.writes.get_mut(text) {
            guarded.draft = Draft::PutLeased(value, lease.id);
        }
    }

    /// The same in the log's words.
    pub(crate) fn transaction(&self, keyspace: &Keyspace) -> Transaction {
        let mut transaction = Transaction::new().within(self.life);
        for (text, Guarded { stands, draft }) in &self.writes {
            transaction = transaction.when(keyspace, text.clone(), stands.precondition());
            if let Some(write) = draft.write(*stands) {
                transaction = transaction.write(keyspace, text.clone(), write);
            }
        }
        transaction
    }

    /// What is known to stand at a key.
    pub(crate) fn stands(&self, text: &Bytes) -> Stands {
        let guarded = self.writes.get(text);
        guarded.map_or(Stands::Nothing, |guarded| guarded.stands)
    }

    /// The lease that a key is put under.
    pub(crate) fn lease(&self, text: &Bytes) -> Option<LeaseId> {
        let guarded = self.writes.get(text)?;
        match guarded.draft {
            Draft::Put(_) => guarded.stands.lease(),
            Draft::PutLeased(_, lease) => Some(lease),
            Draft::PutDetached(_) | Draft::Delete | Draft::Keep => None,
        }
    }

    /// Of how many of its keys it is known that there are such.
    pub(crate) fn standing(&self) -> usize {
        let stands = self.writes.values().map(|guarded| guarded.stands);
        stands.filter(|stands| *stands != Stands::Nothing).count()
    }

    /// The same guards, of nothing that is written.
    pub(crate) fn comparison(&self) -> WriteSet {
        let keep = |guarded: &Guarded| Guarded {
            stands: guarded.stands,
            draft: Draft::Keep,
        };
        let writes = self.writes.iter();
        WriteSet {
            life: self.life,
            writes: writes.map(|(text, it)| (text.clone(), keep(it))).collect(),
        }
    }

    /// Guards each write by what a conflict found at its key, in the life of the log in which it was found.
    pub(crate) fn guard_by(&mut self, conflict: &Conflict) {
        self.life = Some(conflict.position.epoch);
        for failed in &conflict.failed {
            if let Some(guarded) = self.writes.get_mut(failed.key()) {
                guarded.stands = Stands::found(failed.found());
            }
        }
    }
}
