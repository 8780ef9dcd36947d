//! What the log holds: the live records, the history, and the leases.
//!
//! Pure data: it never waits, never locks, and knows nothing of clients, epochs or outages.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{
    Batch, Change, FailedPrecondition, Keyspace, LeaseId, Precondition, Record, Revision, Standing,
    Transaction, Write,
};
use imbl::OrdMap;
use tokio::time::Instant;

use crate::history::{Back, Commit, History, Records};
use crate::leases::{Leases, Place};

/// The content of a log. Cloning it copies the list of commits, but no record.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) revision: Revision,
    pub(crate) leases: Leases,
    live: Records,
    history: History,
}

impl Store {
    /// An empty store. It stands at revision 1, so that zero is before everything.
    pub(crate) fn new() -> Store {
        Store {
            revision: Revision::ZERO.next(),
            leases: Leases::default(),
            live: Records::new(),
            history: History::new(),
        }
    }

    /// The live records of a keyspace: a copy in constant time.
    pub(crate) fn records(&self, keyspace: &Keyspace) -> OrdMap<Bytes, Record> {
        self.live.get(keyspace).cloned().unwrap_or_default()
    }

    fn record(&self, keyspace: &Keyspace, key: &Bytes) -> Option<&Record> {
        self.live.get(keyspace)?.get(key)
    }

    /// The preconditions that do not hold.
    pub(crate) fn failed(&self, transaction: &Transaction) -> Vec<FailedPrecondition> {
        let preconditions = transaction.preconditions.iter();
        let checked = preconditions.filter_map(|(keyspace, key, precondition)| {
            let found = self.record(keyspace, key);
            let holds = match precondition {
                Precondition::Absent => found.is_none(),
                Precondition::Present => found.is_some(),
                Precondition::At(revision) => {
                    found.is_some_and(|record| record.modified == *revision)
                }
            };
            (!holds).then(|| FailedPrecondition {
                keyspace: keyspace.clone(),
                key: key.clone(),
                found: found.map(Standing::from),
            })
        });
        checked.collect()
    }

    /// A lease the transaction writes under that is gone.
    pub(crate) fn lost_lease(&self, transaction: &Transaction) -> Option<LeaseId> {
        let mut leases = transaction.writes.iter().filter_map(|(_, _, w)| match w {
            Write::Put { lease, .. } => *lease,
            Write::Delete => None,
        });
        leases.find(|lease| !self.leases.is_alive(*lease))
    }

    /// Makes one commit of the writes, whose bytes it keeps. What changes nothing makes none.
    pub(crate) fn apply(&mut self, writes: Vec<(Keyspace, Bytes, Write)>) {
        let revision = self.revision.next();
        let mut commit = Commit::new();
        for (keyspace, key, write) in writes {
            let change = match write {
                Write::Put { value, lease } => {
                    Some(self.put((keyspace.clone(), key), value, lease, revision))
                }
                Write::Delete => self.delete(&(keyspace.clone(), key)),
            };
            commit.entry(keyspace).or_default().extend(change);
        }
        commit.retain(|_, changes| !changes.is_empty());
        if !commit.is_empty() {
            self.history.push(commit);
            self.revision = revision;
        }
    }

    fn put(
        &mut self,
        place: Place,
        value: Bytes,
        lease: Option<LeaseId>,
        modified: Revision,
    ) -> Change {
        let old = self.record(&place.0, &place.1).cloned();
        if let Some(bound) = old.as_ref().and_then(|old| old.lease) {
            self.leases.unbind(bound, &place);
        }
        if let Some(lease) = lease {
            self.leases.bind(lease, place.clone());
        }
        let (keyspace, key) = place;
        let record = Record {
            key: key.clone(),
            value,
            created: old.map_or(modified, |old| old.created),
            modified,
            lease,
        };
        let records = self.live.entry(keyspace).or_default();
        records.insert(key, record.clone());
        Change::Put(record)
    }

    fn delete(&mut self, place: &Place) -> Option<Change> {
        let old = self.live.get_mut(&place.0)?.remove(&place.1)?;
        if let Some(bound) = old.lease {
            self.leases.unbind(bound, place);
        }
        Some(Change::Delete { key: old.key })
    }

    /// Ends a lease and deletes its records in one commit.
    pub(crate) fn end_lease(&mut self, lease: LeaseId) {
        let places = self.leases.end(lease).into_iter();
        self.apply(places.map(|(ks, key)| (ks, key, Write::Delete)).collect());
    }

    /// Ends the leases whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(lease) = self.leases.due(now) {
            self.end_lease(lease);
        }
    }

    /// The newest forgotten revision.
    pub(crate) fn compacted(&self) -> Revision {
        self.history.compacted
    }

    /// Forgets the commits up to and including `revision`, and returns them.
    pub(crate) fn compact(&mut self, revision: Revision) -> VecDeque<Arc<Commit>> {
        self.history.forget(revision)
    }

    /// The next batch of a keyspace after a revision that is not forgotten.
    pub(crate) fn after(&self, revision: Revision, keyspace: &Keyspace) -> Option<Batch> {
        self.history.after(revision, keyspace)
    }

    /// What stood at a key at a revision that is not forgotten.
    pub(crate) fn at(&self, keyspace: &Keyspace, key: &Bytes, revision: Revision) -> Back {
        let live = self.record(keyspace, key);
        match live.filter(|record| record.modified <= revision) {
            // Not written since.
            Some(record) => Back::Found(Some(record.clone())),
            None => self.history.at(keyspace, key, revision),
        }
    }
}
