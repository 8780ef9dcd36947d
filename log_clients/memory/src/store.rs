//! What the log holds: the live records, the history, and the leases.
//!
//! Pure data: it never waits, never locks, and knows nothing of clients, epochs or outages.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{
    Batch, Change, Error, ErrorKind, FailedPrecondition, Keyspace, LeaseId, Precondition, Record,
    Result, Revision, Standing, Transaction,
};
use imbl::OrdMap;
use tokio::time::Instant;

use crate::history::{Back, Commit, History, Records};
use crate::leases::{Leases, Place};

/// One write: what is put at a place, or nothing to delete what stands there.
pub(crate) struct Write {
    pub(crate) place: Place,
    pub(crate) put: Option<(Bytes, Option<LeaseId>)>,
}

/// The content of a log. Cloning it copies the list of commits, but no record.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) revision: Revision,
    pub(crate) leases: Leases,
    live: Records,
    history: History,
}

impl Store {
    /// An empty store, which keeps so many commits. It stands at revision 1, so that zero is before everything.
    pub(crate) fn new(history: usize) -> Store {
        Store {
            revision: Revision::ZERO.next(),
            leases: Leases::default(),
            live: Records::new(),
            history: History::new(history),
        }
    }

    /// The live records of a keyspace: a copy in constant time.
    pub(crate) fn records(&self, keyspace: &Keyspace) -> OrdMap<Bytes, Record> {
        self.live.get(keyspace).cloned().unwrap_or_default()
    }

    fn record(&self, keyspace: &Keyspace, key: &[u8]) -> Option<&Record> {
        self.live.get(keyspace)?.get(key)
    }

    /// The preconditions that do not hold.
    ///
    /// # Errors
    /// `Unsupported` for one that is not known here.
    pub(crate) fn failed(&self, transaction: &Transaction) -> Result<Vec<FailedPrecondition>> {
        let mut failed = Vec::new();
        for (keyspace, key, precondition) in transaction.preconditions() {
            let found = self.record(keyspace, key).map(Standing::from);
            if !holds(*precondition, found)? {
                failed.push(FailedPrecondition::new(
                    keyspace.clone(),
                    key.clone(),
                    found,
                ));
            }
        }
        Ok(failed)
    }

    /// A lease the transaction writes under that is gone.
    pub(crate) fn lost_lease(&self, writes: &[Write]) -> Option<LeaseId> {
        let put = writes.iter().filter_map(|write| write.put.as_ref());
        let mut leases = put.filter_map(|(_, lease)| *lease);
        leases.find(|lease| !self.leases.is_alive(*lease))
    }

    /// Makes one commit of the writes, whose bytes it keeps. What changes nothing makes none.
    pub(crate) fn apply(&mut self, writes: Vec<Write>) {
        let revision = self.revision.next();
        let mut commit = Commit::new();
        for Write { place, put } in writes {
            let keyspace = place.0.clone();
            let change = match put {
                Some((value, lease)) => Some(self.put(place, value, lease, revision)),
                None => self.delete(&place),
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
        let created = old.map_or(modified, |old| old.created);
        let record = Record::new(key.clone(), value, created, modified).with_lease(lease);
        let records = self.live.entry(keyspace).or_default();
        records.insert(key, record.clone());
        Change::Put(record)
    }

    fn delete(&mut self, place: &Place) -> Option<Change> {
        let old = self.live.get_mut(&place.0)?.remove(&place.1)?;
        if let Some(bound) = old.lease {
            self.leases.unbind(bound, place);
        }
        Some(Change::delete(old.key))
    }

    /// Ends a lease and deletes its records in one commit.
    pub(crate) fn end_lease(&mut self, lease: LeaseId) {
        let places = self.leases.end(lease).into_iter();
        self.apply(places.map(|place| Write { place, put: None }).collect());
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

    /// Keeps so many commits from now on, and forgets at once what is more.
    pub(crate) fn keep(&mut self, commits: usize) {
        self.history.keep(commits);
    }

    /// The next batch of a keyspace after a revision that is not forgotten.
    pub(crate) fn after(&self, revision: Revision, keyspace: &Keyspace) -> Option<Batch> {
        self.history.after(revision, keyspace)
    }

    /// What stood at a key at a revision that is not forgotten.
    pub(crate) fn at(&self, keyspace: &Keyspace, key: &[u8], revision: Revision) -> Back {
        let live = self.record(keyspace, key);
        match live.filter(|record| record.modified <= revision) {
            // Not written since.
            Some(record) => Back::Found(Some(record.clone())),
            None => self.history.at(keyspace, key, revision),
        }
    }
}

fn holds(precondition: Precondition, found: Option<Standing>) -> Result<bool> {
    match precondition {
        Precondition::Absent => Ok(found.is_none()),
        Precondition::Present => Ok(found.is_some()),
        Precondition::At(revision) => Ok(found.is_some_and(|found| found.modified == revision)),
        Precondition::Since(revision) => Ok(found.is_some_and(|found| found.created == revision)),
        unknown => {
            let why = format!("the memory log does not know the precondition {unknown:?}");
            Err(Error::new(ErrorKind::Unsupported, why))
        }
    }
}
