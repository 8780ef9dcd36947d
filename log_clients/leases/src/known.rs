//! What this client knows of the leases, from its own commits and from what it follows.
//!
//! Never the last word: a lease that is not here may live, and one that is here may have changed. Whoever acts on it has the
//! log compare.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use globe_log_client::{Epoch, LeaseId, Position, Revision};

use crate::lease_record::Entry;

/// Leases as they were in one life of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) epoch: Epoch,
    pub(crate) leases: BTreeMap<LeaseId, Entry>,
}

/// The leases known to live.
#[derive(Default)]
pub(crate) struct Known(Mutex<Option<Life>>);

/// What is known of one life of the log.
struct Life {
    epoch: Epoch,
    /// Everything up to here was followed: what is older than that, and not here, is gone.
    reached: Revision,
    entries: HashMap<LeaseId, Entry>,
}

impl Life {
    fn new(epoch: Epoch) -> Life {
        Life {
            epoch,
            reached: Revision::ZERO,
            entries: HashMap::new(),
        }
    }

    fn note(&mut self, id: LeaseId, entry: Entry) {
        let known = self.entries.get(&id).map(|known| known.modified);
        if entry.modified > self.reached.max(known.unwrap_or(Revision::ZERO)) {
            self.entries.insert(id, entry);
        }
    }
}

impl Known {
    fn life(&self) -> MutexGuard<'_, Option<Life>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of these leases, if all are known, and in this life, if in a certain one.
    pub(crate) fn all(&self, ids: &BTreeSet<LeaseId>, within: Option<Epoch>) -> Option<Stand> {
        let life = self.life();
        let life = life.as_ref()?;
        if within.is_some_and(|epoch| epoch != life.epoch) {
            return None;
        }
        let known = |id: &LeaseId| Some((*id, life.entries.get(id)?.clone()));
        Some(Stand {
            epoch: life.epoch,
            leases: ids.iter().map(known).collect::<Option<_>>()?,
        })
    }

    /// What a commit or a look has shown. Of another life than is known, it is passed over.
    pub(crate) fn note(&self, epoch: Epoch, id: LeaseId, entry: Entry) {
        let mut life = self.life();
        let life = life.get_or_insert_with(|| Life::new(epoch));
        if life.epoch == epoch {
            life.note(id, entry);
        }
    }

    /// A lease is gone.
    pub(crate) fn remove(&self, epoch: Epoch, id: LeaseId) {
        if let Some(life) = self.life().as_mut().filter(|life| life.epoch == epoch) {
            life.entries.remove(&id);
        }
    }

    /// A life of the log is over.
    pub(crate) fn forget(&self, epoch: Epoch) {
        let mut life = self.life();
        if life.as_ref().is_some_and(|life| life.epoch == epoch) {
            *life = None;
        }
    }

    /// A snapshot of all leases.
    pub(crate) fn load(&self, at: Position, entries: HashMap<LeaseId, Entry>) {
        let mut loaded = Life {
            epoch: at.epoch,
            reached: at.revision,
            entries,
        };
        let mut life = self.life();
        // What was committed since the snapshot is newer than it.
        let known = life.take().filter(|life| life.epoch == at.epoch);
        let newer = known.into_iter().flat_map(|known| known.entries);
        newer.for_each(|(id, entry)| loaded.note(id, entry));
        *life = Some(loaded);
    }

    /// A step of the tail: which leases it has put, and which are gone.
    pub(crate) fn follow(
        &self,
        at: Position,
        gone: impl IntoIterator<Item = LeaseId>,
        put: impl IntoIterator<Item = (LeaseId, Entry)>,
    ) {
        let mut life = self.life();
        let life = life.get_or_insert_with(|| Life::new(at.epoch));
        if life.epoch != at.epoch {
            return;
        }
        for id in gone {
            life.entries.remove(&id);
        }
        put.into_iter().for_each(|(id, entry)| life.note(id, entry));
        life.reached = life.reached.max(at.revision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease_record::LeaseRecord;

    const ID: LeaseId = LeaseId::new(1);

    fn entry(modified: u64) -> Entry {
        Entry {
            modified: Revision(modified),
            record: LeaseRecord::new(1),
        }
    }

    fn at(revision: u64) -> Position {
        Position::new(Epoch::new(1), Revision(revision))
    }

    fn known(known: &Known) -> Option<u64> {
        let stand = known.all(&[ID].into(), None)?;
        stand.leases.get(&ID).map(|entry| entry.modified.0)
    }

    #[test]
    fn an_answer_that_comes_after_the_end_does_not_bring_a_lease_back() {
        let leases = Known::default();
        leases.note(at(5).epoch, ID, entry(5));
        leases.follow(at(7), [ID], []);
        leases.note(at(6).epoch, ID, entry(6));
        assert_eq!(known(&leases), None);
    }

    #[test]
    fn an_answer_is_newer_than_a_snapshot_before_it() {
        let leases = Known::default();
        leases.note(at(5).epoch, ID, entry(5));
        leases.load(at(4), HashMap::from([(ID, entry(3))]));
        assert_eq!(known(&leases), Some(5));
        leases.load(at(6), HashMap::new());
        assert_eq!(known(&leases), None);
    }

    #[test]
    fn what_is_known_of_one_life_says_nothing_of_another() {
        let leases = Known::default();
        leases.note(at(5).epoch, ID, entry(5));
        leases.note(Epoch::new(2), ID, entry(9));
        assert_eq!(known(&leases), Some(5));
        let other = leases.all(&[ID].into(), Some(Epoch::new(2)));
        assert!(other.is_none());
        leases.forget(Epoch::new(1));
        assert_eq!(known(&leases), None);
    }
}
