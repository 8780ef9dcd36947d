//! Writes of one map that are committed together, each with what is known to stand at its key: its guard, and the lease it
//! keeps.
//!
//! It never talks to a log: it is what a transaction is made of.

use bytes::Bytes;
use globe_log_client::{Conflict, Epoch, Keyspace, Lease, LeaseId, Transaction};

use crate::write::draft::{Draft, Guarded, Stands};
use crate::write::writes::Writes;

/// Writes of one map, by the key in the log, to be committed together or not at all.
#[derive(Clone)]
pub(crate) struct WriteSet {
    /// The life of the log that the guards are from; `None` when they name no revision.
    pub(crate) life: Option<Epoch>,
    pub(crate) writes: Writes,
}

impl WriteSet {
    /// A write of one key.
    pub(crate) fn one(life: Option<Epoch>, text: Bytes, stands: Stands, draft: Draft) -> WriteSet {
        let writes = Writes::one(text, Guarded { stands, draft });
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
        let mut transaction = Transaction::with_capacity(self.writes.len()).within(self.life);
        for (text, Guarded { stands, draft }) in self.writes.iter() {
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
        let stands = self.writes.iter().map(|(_, guarded)| guarded.stands);
        stands.filter(|stands| *stands != Stands::Nothing).count()
    }

    /// The same guards, of nothing that is written.
    pub(crate) fn comparison(&self) -> WriteSet {
        let keep = |guarded: &Guarded| Guarded {
            stands: guarded.stands,
            draft: Draft::Keep,
        };
        let mut writes = Writes::default();
        for (text, guarded) in self.writes.iter() {
            writes.push(text.clone(), keep(guarded));
        }
        let life = self.life;
        WriteSet { life, writes }
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
