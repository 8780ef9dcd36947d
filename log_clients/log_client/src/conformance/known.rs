//! What somebody knows of a keyspace, brought up to date by differences.
//!
//! Never mends what it sees: whatever breaks the contract fails the case.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::harness::Harness;
use super::space::{Space, by_key, in_bounded_time, soon};
use crate::difference::Difference;
use crate::error::{ErrorKind, Result};
use crate::known_keys::KnownKeys;
use crate::position::Position;
use crate::record::{Change, Record};

/// A keyspace of a log that tells differences. Of one that does not, sees that it says so.
pub(super) async fn telling(harness: &dyn Harness) -> Option<Space> {
    let space = Space::fresh(harness);
    if space.capabilities().differences {
        return Some(space);
    }
    let known = Known::of(&space).await;
    let error = known.ask(&space).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unsupported, "{error}");
    None
}

/// What somebody knows of a keyspace.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) position: Position,
    pub(super) records: BTreeMap<Bytes, Record>,
}

impl Known {
    pub(super) async fn of(space: &Space) -> Known {
        let (position, records) = space.snapshot().await;
        let records = by_key(records);
        Known { position, records }
    }

    pub(super) async fn ask(&self, space: &Space) -> Result<Difference> {
        let keys = self.records.keys().cloned().collect();
        let keys = KnownKeys::new(keys).expect("keys in order");
        let difference = space.log.difference(&space.keyspace, self.position, keys);
        soon("a difference", difference).await
    }

    /// Takes in what is there now, which must be what a snapshot says. How many changes that took.
    pub(super) async fn catch_up(&mut self, space: &Space) -> usize {
        let difference = self.ask(space).await.expect("a difference");
        let position = difference.position();
        let changes = soon("its pages", difference.collect()).await;
        let changes = changes.expect("its pages");
        self.apply(&changes, position);
        assert_eq!(self.records, space.records().await, "at {position}");
        changes.len()
    }

    pub(super) fn apply(&mut self, changes: &[Change], position: Position) {
        assert!(position.covers(self.position), "it leads back");
        let in_order = changes.windows(2).all(|pair| pair[0].key() < pair[1].key());
        assert!(in_order, "changes out of order, or twice");
        for change in changes {
            match change {
                Change::Put(record) => {
                    let (since, at) = (self.position.revision, position.revision);
                    assert!(record.modified <= at, "{record:?} is from after {at}");
                    let old = self.records.insert(record.key.clone(), record.clone());
                    let is_news = record.modified > since || old.is_none();
                    assert!(is_news, "{record:?} was known");
                }
                Change::Delete { key } => {
                    let old = self.records.remove(key);
                    assert!(old.is_some(), "{key:?} was not known");
                }
            }
        }
        self.position = position;
    }
}

/// Reads what is left of a difference.
pub(super) async fn rest(difference: &mut Difference, changes: &mut Vec<Change>) -> Result<()> {
    while let Some(page) = in_bounded_time("a page", difference.next_page()).await? {
        changes.extend(page);
    }
    Ok(())
}

pub(super) async fn compact(harness: &dyn Harness, at: Position) {
    soon("a compaction", harness.compact(at.revision)).await;
}

/// Numbers that look like chance, and are the same each time.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
