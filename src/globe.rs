//! The handle a user holds: everything a [`Reader`] does, and writing.
//!
//! It only passes on: reads to the replica, writes to the writer, waits to the barrier.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::entry::key::Key;
use crate::reader::Reader;
use crate::write::writer::Writer;

/// A map that every node holds a copy of, kept current by a replicated log.
///
/// Cheap to clone and to share; all clones are one map. Everything that reads is a method of [`Reader`], which this reads as:
/// [`get`](Reader::get), [`view`](Reader::view) and their kin are local, never wait, never fail and never touch the network.
/// Writes go through the log, and are visible here when they return. When the last clone is dropped, be it of this or of a
/// [`Globe::reader`], the tasks of the map stop.
///
/// Before the first snapshot (a map from [`Builder::start`](crate::Builder::start)) every read shows an empty map: nothing is
/// known yet. [`Reader::try_view`] tells that apart; [`Reader::wait_for`] and [`Reader::view_at`] wait.
///
/// Every `async` method is cancel safe. A write that was dropped before it returned may or may not have been committed,
/// as with any request whose answer was not awaited; it is never committed in part, and never repeated later.
pub struct Globe<K, V> {
    reader: Reader<K, V>,
    writer: Arc<Writer<K, V>>,
}

impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    pub(crate) fn new(reader: Reader<K, V>, writer: Writer<K, V>) -> Globe<K, V> {
        Globe {
            reader,
            writer: Arc::new(writer),
        }
    }

    pub(crate) fn writer(&self) -> &Writer<K, V> {
        &self.writer
    }

    /// The same map, through a handle that cannot write: for whoever is only to read.
    ///
    /// It is no boundary of security: a process that may read a log by these credentials may write by them.
    #[must_use]
    pub fn reader(&self) -> Reader<K, V> {
        self.reader.clone()
    }

    /// The same map through a handle of its own, whose writes, [`sync`](Reader::sync) and [`view_at`](Reader::view_at) may
    /// take this long in all, with every retry, instead of the builder's deadline. O(1): everything but this number is
    /// shared, and other handles keep theirs. Zero, or more than 24 hours, is refused as `Invalid` by each call that would
    /// wait so long; reads, [`hydrated`](Reader::hydrated) and [`wait_for`](Reader::wait_for) have no deadline.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use std::time::Duration;
    /// use globe::{ErrorKind, Globe, MemoryLog};
    ///
    /// let log = MemoryLog::new();
    /// let map: Globe<String, u64> = Globe::open(log.clone(), "numbers").await?;
    /// log.set_available(false);
    /// let hasty = map.with_deadline(Duration::from_millis(50));
    /// let error = hasty.put("a", 1).await.unwrap_err();
    /// assert_eq!(*error.kind(), ErrorKind::Unavailable);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Globe<K, V> {
        Globe {
            reader: self.reader.with_deadline(deadline),
            writer: Arc::clone(&self.writer),
        }
    }
}

impl<K, V> Deref for Globe<K, V> {
    type Target = Reader<K, V>;

    fn deref(&self) -> &Reader<K, V> {
        &self.reader
    }
}

impl<K, V> Clone for Globe<K, V> {
    fn clone(&self) -> Globe<K, V> {
        Globe {
            reader: self.reader.clone(),
            writer: Arc::clone(&self.writer),
        }
    }
}

impl<K, V> fmt::Debug for Globe<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Globe")
            .field("log", &self.writer.log)
            .finish_non_exhaustive()
    }
}
