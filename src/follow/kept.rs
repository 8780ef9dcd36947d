//! A copy on disk that a snapshot is made of: with what has changed since, which is all that is read from the log.
//!
//! Never shows anything: what comes of it is taken in as any snapshot is.

use std::iter::Peekable;
use std::vec::IntoIter;

use futures::stream;
use globe_log_client::{Change, Keyspace, LogClient, Position, Record, Result};
use globe_offline::OfflineCopy;

use crate::follow::fetching::{Fetching, answer};
use crate::follow::known::{Known, known};

/// Records of a page.
const PAGE: usize = 1_000;

/// The records of a copy, and where in the log they stood together.
#[derive(Debug)]
pub(crate) struct Kept {
    position: Position,
    records: Vec<Record>,
    known: Known,
}

impl Kept {
    pub(crate) async fn of(copy: OfflineCopy) -> Option<Kept> {
        let records = copy.records.iter();
        let written = records.map(|record| (record.key.clone(), record.modified));
        Some(Kept {
            position: copy.position,
            known: known(written.collect()).await?,
            records: copy.records,
        })
    }

    /// What has changed since, and where in the log that leads to; nothing where it may not be the log of the copy.
    pub(crate) async fn changes(
        &self,
        log: &dyn LogClient,
        keyspace: &Keyspace,
    ) -> Result<Option<(Position, Vec<Change>)>> {
        let Some(mut difference) = self.known.difference(log, keyspace, self.position).await?
        else {
            return Ok(None);
        };
        let mut changes = Vec::new();
        while let Some(page) = answer("a page of it", difference.next_page()).await? {
            changes.extend(page);
        }
        Ok(Some((difference.position(), changes)))
    }

    /// The snapshot that both are together.
    pub(crate) fn with(self, (position, changes): (Position, Vec<Change>)) -> Fetching {
        let merge = Merge {
            records: self.records.into_iter().peekable(),
            changes: changes.into_iter().peekable(),
        };
        let pages = stream::unfold(merge, |mut merge| async {
            let page: Vec<Change> = merge.by_ref().take(PAGE).collect();
            (!page.is_empty()).then_some((Ok(page), merge))
        });
        Fetching::of(position, pages)
    }
}

/// What stands after the changes, in the order of keys; both come in it.
struct Merge {
    records: Peekable<IntoIter<Record>>,
    changes: Peekable<IntoIter<Change>>,
}

impl Iterator for Merge {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            let Some(change) = self.changes.peek() else {
                return self.records.next().map(Change::Put);
            };
            let stands = self.records.next_if(|record| record.key <= *change.key());
            match stands {
                Some(record) if record.key < *change.key() => return Some(Change::Put(record)),
                // What it was before.
                Some(_) => {}
                None => match self.changes.next()? {
                    gone @ Change::Delete { .. } => drop(gone),
                    put => return Some(put),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Epoch, Revision};

    use super::*;

    fn record(key: &'static str, revision: u64) -> Record {
        Record::new(key, "", Revision(1), Revision(revision))
    }

    #[tokio::test]
    async fn a_copy_and_what_has_changed_since_are_a_snapshot() {
        let copy = ["a", "b", "c", "e"].map(|key| record(key, 1));
        let changes = vec![
            Change::Put(record("0", 2)),
            Change::delete("a"),
            Change::Put(record("c", 2)),
            Change::delete("d"),
            Change::Put(record("f", 2)),
        ];
        let copy = copy.map(|record| (record.key.clone(), record));
        let written = copy
            .iter()
            .map(|(key, record)| (key.clone(), record.modified));
        let kept = Kept {
            position: Position::new(Epoch::new(1), Revision(1)),
            known: known(written.collect()).await.unwrap(),
            records: copy.map(|(_, record)| record).to_vec(),
        };
        let position = Position::new(Epoch::new(1), Revision(2));
        let mut fetching = kept.with((position, changes));
        assert_eq!(
            (fetching.position, fetching.is_difference),
            (position, false)
        );
        let expected = [("0", 2), ("b", 1), ("c", 2), ("e", 1), ("f", 2)];
        let expected = expected.map(|(key, revision)| Change::Put(record(key, revision)));
        assert_eq!(fetching.next_page().await.unwrap().unwrap(), expected);
        assert!(fetching.next_page().await.unwrap().is_none());
    }
}
