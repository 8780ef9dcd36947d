//! What comes after a position, batch by batch.
//!
//! Never reconnects by itself: when it breaks, it says so once, and its owner opens another.

use std::fmt;

use futures::stream::{BoxStream, Stream, StreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::record::Batch;

/// The batches committed in one keyspace after a position, in order, each once and whole. Dropping it frees what it
/// used at the log.
///
/// From a snapshot's position it goes on exactly where the snapshot ends. Its owner remembers the revision of the last
/// batch, progress included, and opens another after that when it breaks.
///
/// ```
/// # use globe_log_client::{Change, Result, Tail};
/// async fn follow(mut tail: Tail) -> Result<()> {
///     loop {
///         let batch = tail.next().await?;
///         for change in &batch.changes {
///             match change {
///                 Change::Put(record) => println!("{}: put {:?}", batch.revision, record.key),
///                 gone => println!("{}: deleted {:?}", batch.revision, gone.key()),
///             }
///         }
///     }
/// }
/// ```
pub struct Tail {
    batches: BoxStream<'static, Result<Batch>>,
    broken: bool,
}

impl Tail {
    /// A tail over a stream of batches. The stream must be cancel safe: dropping a pending `next` loses nothing.
    pub fn new(batches: impl Stream<Item = Result<Batch>> + Send + 'static) -> Tail {
        Tail {
            batches: batches.boxed(),
            broken: false,
        }
    }

    /// The next batch. Waits for as long as nothing is committed.
    ///
    /// Cancel safe: a batch that was not returned is returned by the next call. After an error the tail is over, and
    /// every further call says so.
    ///
    /// # Errors
    /// `Unavailable` when the stream broke (open another after the last batch), `Compacted` or `EpochChanged` when the
    /// history cannot be followed any more (take a snapshot), `Denied` when the credentials no longer allow it.
    pub async fn next(&mut self) -> Result<Batch> {
        if self.broken {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "this tail is over: open another",
            ));
        }
        let next =
            self.batches.next().await.unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Unavailable, "the log ended the tail"))
            });
        self.broken = next.is_err();
        next
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail")
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}
