//! What a keyspace holds at a position that is not known, in pages.
//!
//! Never holds more than the page at hand, and what is known.

use std::fmt;

use futures::stream::{BoxStream, Stream, StreamExt, unfold};

use crate::error::{Error, ErrorKind, Result};
use crate::known_keys::KnownKeys;
use crate::position::{Position, Revision};
use crate::record::{Change, Record};
use crate::snapshot::Snapshot;

/// What makes of a keyspace as it was at one position the keyspace as it is at [`Difference::position`], delivered page by
/// page in key order: see [`LogClient::difference`](crate::LogClient::difference).
///
/// All pages are true at its position, however long the reading takes. If the log forgets that position in between, the next
/// page is an error of kind [`Compacted`](crate::ErrorKind::Compacted): take another. A page may hold no changes. Dropping it
/// ends the reading; what was read of it by then is no state of the keyspace that ever was.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use globe_log_client::{Bytes, Change, Difference, Position, Record, Result};
/// async fn apply(mut difference: Difference, map: &mut BTreeMap<Bytes, Record>) -> Result<Position> {
///     while let Some(page) = difference.next_page().await? {
///         for change in page {
///             match change {
///                 Change::Put(record) => map.insert(record.key.clone(), record),
///                 gone => map.remove(gone.key()),
///             };
///         }
///     }
///     Ok(difference.position()) // tail on from here
/// }
/// ```
pub struct Difference {
    position: Position,
    pages: BoxStream<'static, Result<Vec<Change>>>,
    over: bool,
}

impl Difference {
    /// For the author of a log: a difference true at `position`, whose pages come from a stream. The stream must be cancel
    /// safe; it is not asked again after its end or its first error.
    pub fn new(
        position: Position,
        pages: impl Stream<Item = Result<Vec<Change>>> + Send + 'static,
    ) -> Difference {
        Difference {
            position,
            pages: pages.boxed(),
            over: false,
        }
    }

    /// For the author of a log in which reading everything costs little: the difference that a snapshot makes to who knew
    /// `known` at `since`. It reads the snapshot as it is read, a page for a page.
    ///
    /// # Errors
    /// `EpochChanged` if `since` is of another life than the snapshot, or beyond it.
    pub fn of_snapshot(
        snapshot: Snapshot,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        let position = snapshot.position();
        if !position.covers(since) {
            let why = format!("position {since} is of another life: the log stands at {position}");
            return Err(Error::new(ErrorKind::EpochChanged, why));
        }
        let walk = Walk {
            since: since.revision,
            known,
            passed: 0,
        };
        let pages = unfold((snapshot, Some(walk)), |(mut snapshot, walk)| async move {
            let mut walk = walk?;
            match snapshot.next_page().await {
                Ok(Some(records)) => Some((Ok(walk.pass(records)), (snapshot, Some(walk)))),
                Ok(None) => Some((Ok(walk.end()), (snapshot, None))),
                Err(error) => Some((Err(error), (snapshot, None))),
            }
        });
        Ok(Difference::new(position, pages))
    }

    /// Where in the log it leads to.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next page, which may be empty; `None` after the last one. After an error it has no more pages.
    ///
    /// Cancel safe: a page that was not returned is returned by the next call.
    ///
    /// # Errors
    /// `Compacted`, `Unavailable`, `Denied`, …: what [`LogClient::difference`](crate::LogClient::difference) may say.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Change>>> {
        if self.over {
            return Ok(None);
        }
        let page = self.pages.next().await.transpose();
        self.over = !matches!(page, Ok(Some(_)));
        page
    }

    /// All changes at once, in key order. Holds all of them in memory.
    ///
    /// # Errors
    /// As [`Difference::next_page`]. What was read before is dropped.
    pub async fn collect(mut self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        while let Some(page) = self.next_page().await? {
            changes.extend(page);
        }
        Ok(changes)
    }
}

impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Difference")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// A walk through what is there beside what is known, both in the order of keys.
struct Walk {
    since: Revision,
    known: KnownKeys,
    /// How many of the known keys are passed.
    passed: usize,
}

impl Walk {
    /// What is not known up to the last of these records.
    fn pass(&mut self, records: Vec<Record>) -> Vec<Change> {
        let mut changes = Vec::new();
        for record in records {
            let mut is_known = false;
            while let Some(known) = self.known.as_slice().get(self.passed)
                && *known <= record.key
            {
                self.passed += 1;
                is_known = *known == record.key;
                if !is_known {
                    changes.push(Change::delete(known.clone()));
                }
            }
            if !is_known || record.modified > self.since {
                changes.push(Change::Put(record));
            }
        }
        changes
    }

    /// Nothing is there any more after what was passed.
    fn end(self) -> Vec<Change> {
        let gone = self.known.as_slice().iter().skip(self.passed);
        gone.cloned().map(Change::delete).collect()
    }
}
