//! The handle a user holds: everything a [`Reader`] does, and writing.
//!
//! It only passes on: reads to the replica, writes to the writer, waits to the looker.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use globe_log_client::{Position, Result};

use crate::entry::into_key::IntoKey;
use crate::entry::key::Key;
use crate::read::consistency::Consistency;
use crate::read::view::View;
use crate::reader::Reader;
use crate::write::expected::Expected;
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
}

/// Waiting before looking.
impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    /// Waits until the first snapshot is there: at once, but for a map from [`Builder::start`](crate::Builder::start).
    ///
    /// # Errors
    /// Why the map ended, if it did first.
    pub async fn hydrated(&self) -> Result<()> {
        self.replica().hydrated().await
    }

    /// A view that has seen what `consistency` asks for, of a map that is hydrated. Waits at most for the deadline of the
    /// builder.
    ///
    /// # Errors
    /// `Stale` when it could not be had in time; `EpochChanged` for a position of another life of the log; `Unavailable`
    /// when the log cannot be asked; `Closed`.
    pub async fn view_at(&self, consistency: Consistency) -> Result<View<K, V>> {
        self.looker().look(consistency).await
    }

    /// Waits until everything committed anywhere before the call is visible here; returns up to where that is.
    ///
    /// # Errors
    /// As [`Reader::view_at`].
    pub async fn sync(&self) -> Result<Position> {
        self.looker().sync().await
    }
}

/// Writing: through the log, visible here on return.
///
/// Every write may fail with
/// - `Behind`: committed, but not visible here by the deadline;
/// - `Indeterminate`: it may or may not have been committed;
/// - `EpochChanged`: the log was restored or replaced meanwhile; whether the write is part of its new life is not known;
/// - `Unavailable`, `Full`: not committed. While the log cannot be reached it is tried again until the deadline;
/// - `Denied`, `TooLarge`, `Closed`: not committed;
/// - `Codec`: not sent, because nobody could read it: a key or value that is not read back as it was written.
///
/// A key that ends with a lease goes on doing so, whatever is written to it; only the methods named `…_detached` take it off
/// its lease.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Writes a key, whatever stands there: the last writer wins. Returns the position of this very write.
    ///
    /// # Errors
    /// `Conflict` only when others kept overwriting the key until the deadline; otherwise as every write.
    pub async fn put(&self, key: impl IntoKey<K>, value: V) -> Result<Position> {
        self.writer().put(&key.into_key(), &value, false).await
    }

    /// As [`Globe::put`], and takes the key off its lease: it ends with none any more, and stays until it is deleted.
    ///
    /// # Errors
    /// As [`Globe::put`].
    pub async fn put_detached(&self, key: impl IntoKey<K>, value: V) -> Result<Position> {
        self.writer().put(&key.into_key(), &value, true).await
    }

    /// Writes a key only if there is none.
    ///
    /// # Errors
    /// `Conflict` with what stands there, which is then visible here; otherwise as every write.
    pub async fn create(&self, key: impl IntoKey<K>, value: V) -> Result<Position> {
        self.put_if(key, value, Expected::Absent).await
    }

    /// Writes a key only if it holds what is expected: the [`version`](crate::Entry::version) of an entry is compare-and-swap.
    ///
    /// # Errors
    /// As [`Globe::create`]; `EpochChanged` for a version of another life of the log, even if the same revision stands there.
    pub async fn put_if(
        &self,
        key: impl IntoKey<K>,
        value: V,
        expected: impl Into<Expected>,
    ) -> Result<Position> {
        self.writer()
            .put_if(&key.into_key(), &value, expected.into())
            .await
    }

    /// Deletes a key, whatever stands there; whether anything did.
    ///
    /// # Errors
    /// As [`Globe::put`].
    pub async fn delete(&self, key: impl IntoKey<K>) -> Result<bool> {
        self.writer().delete(&key.into_key()).await
    }

    /// Deletes a key only if it holds what is expected.
    ///
    /// # Errors
    /// As [`Globe::put_if`].
    pub async fn delete_if(
        &self,
        key: impl IntoKey<K>,
        expected: impl Into<Expected>,
    ) -> Result<Position> {
        self.writer()
            .delete_if(&key.into_key(), expected.into())
            .await
    }

    /// Deletes every key whose text in the log begins with `prefix`, of all that was committed before the call; how many
    /// there were. One transaction when they fit into one (see [`Capabilities`](crate::Capabilities)), otherwise several.
    /// Undecodable records under the prefix are deleted as well.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<usize> {
        self.sync().await?;
        self.writer().delete_prefix(prefix).await
    }

    /// Replaces the value of a key by what a closure makes of the old one, and returns it. The closure is called again
    /// when somebody else wrote the key in between, so it should do nothing but compute.
    ///
    /// # Errors
    /// `Conflict` only when others kept coming in between until the deadline; `Codec` when what stands there cannot be
    /// decoded; otherwise as every write.
    pub async fn update(
        &self,
        key: impl IntoKey<K>,
        next: impl FnMut(Option<&V>) -> V,
    ) -> Result<Arc<V>> {
        self.writer().update(&key.into_key(), next).await
    }

    /// Writes many entries, batched to the log's limits and several transactions at a time: each transaction is seen
    /// whole, the total is not one, and the deadline is for each. Of entries with the same key the last one counts. Returns
    /// the newest position.
    ///
    /// # Errors
    /// As [`Globe::put`]; when there were several transactions, others of them may have been committed.
    pub async fn put_all(&self, entries: impl IntoIterator<Item = (K, V)>) -> Result<Position> {
        let entries = entries.into_iter().collect();
        self.writer().put_all(entries).await
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
