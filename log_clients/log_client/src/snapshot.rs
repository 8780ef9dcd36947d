//! Every live record of a keyspace, true at one position, in pages.
//!
//! Never holds more than the page at hand.

use std::fmt;

use futures::stream::{BoxStream, Stream, StreamExt};

use crate::error::Result;
use crate::position::Position;
use crate::record::Record;

/// A keyspace at one position, delivered page by page in key order.
///
/// All pages are true at [`Snapshot::position`], however long the reading takes. If the log forgets that position in
/// between, the next page is an error of kind [`Compacted`](crate::ErrorKind::Compacted): take a new snapshot. Dropping
/// it ends the reading.
///
/// ```
/// # use globe_log_client::{Position, Record, Result, Snapshot};
/// async fn keys(mut snapshot: Snapshot) -> Result<usize> {
///     let mut count = 0;
///     while let Some(page) = snapshot.next_page().await? {
///         count += page.len();
///     }
///     Ok(count)
/// }
/// ```
pub struct Snapshot {
    position: Position,
    pages: BoxStream<'static, Result<Vec<Record>>>,
    over: bool,
}

impl Snapshot {
    /// For the author of a log: a snapshot true at `position`, whose pages come from a stream. The stream must be
    /// cancel safe; it is not asked again after its end or its first error.
    pub fn new(
        position: Position,
        pages: impl Stream<Item = Result<Vec<Record>>> + Send + 'static,
    ) -> Snapshot {
        Snapshot {
            position,
            pages: pages.boxed(),
            over: false,
        }
    }

    /// A snapshot that is all there, as one page.
    #[must_use]
    pub fn of(position: Position, records: Vec<Record>) -> Snapshot {
        Snapshot::new(position, futures::stream::iter([Ok(records)]))
    }

    /// Where in the log it is true.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next page; `None` after the last one. After an error it has no more pages.
    ///
    /// Cancel safe: a page that was not returned is returned by the next call.
    ///
    /// # Errors
    /// `Compacted`, `Unavailable`, `Denied`, …: what [`LogClient::snapshot`](crate::LogClient::snapshot) may say.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Record>>> {
        if self.over {
            return Ok(None);
        }
        let page = self.pages.next().await.transpose();
        self.over = !matches!(page, Ok(Some(_)));
        page
    }

    /// All records at once, in key order. Holds all of them in memory.
    ///
    /// # Errors
    /// As [`Snapshot::next_page`]. What was read before is dropped.
    pub async fn collect(mut self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        while let Some(page) = self.next_page().await? {
            records.extend(page);
        }
        Ok(records)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
