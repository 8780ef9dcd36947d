//! A copy of a keyspace kept by a snapshot and the tail after it, which checks every batch at the door.
//!
//! Never mends what it sees: whatever breaks the contract fails the case.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;

use super::space::{Space, by_key, soon};
use crate::error::Result;
use crate::position::{Position, Revision};
use crate::record::{Batch, Change, Record};
use crate::tail::Tail;

pub(crate) struct Mirror {
    pub(crate) records: BTreeMap<Bytes, Record>,
    pub(crate) position: Position,
    tail: Tail,
    /// The log delivers every commit, so that each change follows from the record before it.
    is_exact: bool,
}

impl Mirror {
    /// What is there now, and everything after it.
    pub(crate) async fn open(space: &Space) -> Mirror {
        let (position, records) = space.snapshot().await;
        Mirror::of(space, position, by_key(records)).await.unwrap()
    }

    /// Follows from a state known to be true at `position`.
    pub(crate) async fn of(
        space: &Space,
        position: Position,
        records: BTreeMap<Bytes, Record>,
    ) -> Result<Mirror> {
        Ok(Mirror {
            records,
            position,
            tail: space.tail(position).await?,
            is_exact: space.capabilities().every_commit,
        })
    }

    /// Tails on from where it is.
    pub(crate) async fn reopen(&mut self, space: &Space) -> Result<()> {
        self.tail = space.log.tail(&space.keyspace, self.position).await?;
        Ok(())
    }

    /// The next batch or progress, applied, however long it takes. Cancel safe, as the tail is.
    pub(crate) async fn step_at_leisure(&mut self) -> Result<Batch> {
        let batch = self.tail.next().await?;
        self.apply(&batch);
        Ok(batch)
    }

    /// The next batch or progress, applied.
    pub(crate) async fn step(&mut self) -> Result<Batch> {
        soon("a batch", self.step_at_leisure()).await
    }

    /// The next batch that holds changes.
    pub(crate) async fn next(&mut self) -> Batch {
        loop {
            let batch = self.step().await.expect("a batch");
            if !batch.is_progress() {
                return batch;
            }
        }
    }

    /// Follows until everything up to `position` was delivered, and says which batches held changes.
    pub(crate) async fn try_reach(&mut self, position: Position) -> Result<Vec<Batch>> {
        assert_eq!(self.position.epoch, position.epoch, "the epoch changed");
        let mut batches = Vec::new();
        while !self.position.covers(position) {
            let batch = self.step().await?;
            if !batch.is_progress() {
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    pub(crate) async fn reach(&mut self, position: Position) -> Vec<Batch> {
        let batches = self.try_reach(position).await;
        batches.expect("everything up to a position")
    }

    fn apply(&mut self, batch: &Batch) {
        let before = self.position.revision;
        assert!(
            batch.revision > before,
            "revision {} after {before}",
            batch.revision
        );
        let mut seen = HashSet::new();
        for change in &batch.changes {
            assert!(seen.insert(change.key()), "{change:?} twice in one batch");
            match change {
                Change::Put(record) => self.put(record, batch.revision),
                Change::Delete { key } => self.delete(key),
            }
        }
        self.position.revision = batch.revision;
    }

    fn put(&mut self, record: &Record, revision: Revision) {
        let old = self.records.insert(record.key.clone(), record.clone());
        if self.is_exact {
            assert_eq!(record.modified, revision, "{record:?} in another's batch");
            let created = old.map_or(revision, |old| old.created);
            assert_eq!(record.created, created, "{record:?}: created");
        }
    }

    fn delete(&mut self, key: &Bytes) {
        let old = self.records.remove(key);
        assert!(
            old.is_some() || !self.is_exact,
            "{key:?} was deleted and never there"
        );
    }
}

/// The revisions of batches.
pub(crate) fn revisions(batches: &[Batch]) -> Vec<Revision> {
    batches.iter().map(|batch| batch.revision).collect()
}
