//! The handle a user holds.
//!
//! It only passes on: reads to the replica, writes to the writer, waits to the looker.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Keyspace, LogClient, Position, Result};
use tokio::time::Instant;

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::entry::quarantine::Quarantined;
use crate::ground::tasks::Tasks;
use crate::read::consistency::{Consistency, Looker};
use crate::read::view::View;
use crate::read::watch::Watch;
use crate::replica::Replica;
use crate::replica::health::{Phase, Status};
use crate::replica::subscribers::Interest;
use crate::settings::Settings;
use crate::write::expected::Expected;
use crate::write::writer::Writer;

/// A map that every node holds a copy of, kept current by a replicated log.
///
/// Cheap to clone and to share; all clones are one map. Reads ([`get`](Globe::get), [`view`](Globe::view) and their kin)
/// are local: they never wait, never fail and never touch the network. Writes go through the log, and are visible here
/// when they return. When the last clone is dropped, its tasks stop.
///
/// Before the first snapshot (a map from [`Builder::start`](crate::Builder::start)) every read shows an empty map: nothing is
/// known yet. [`Globe::try_view`] tells that apart; [`Globe::wait_for`] and [`Globe::view_at`] wait.
///
/// Every `async` method is cancel safe. A write that was dropped before it returned may or may not have been committed,
/// as with any request whose answer was not awaited; it is never committed in part, and never repeated later.
pub struct Globe<K, V> {
    inner: Arc<Inner<K, V>>,
}

struct Inner<K, V> {
    writer: Writer<K, V>,
    settings: Settings,
    tasks: Tasks,
}

impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    pub(crate) fn new(writer: Writer<K, V>, settings: Settings, tasks: Tasks) -> Globe<K, V> {
        Globe {
            inner: Arc::new(Inner {
                writer,
                settings,
                tasks,
            }),
        }
    }

    pub(crate) fn writer(&self) -> &Writer<K, V> {
        &self.inner.writer
    }

    pub(crate) fn replica(&self) -> &Arc<Replica<K, V>> {
        &self.inner.writer.replica
    }

    /// The log this map lives in.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn LogClient> {
        &self.inner.writer.log
    }

    /// The keyspace this map lives in.
    #[must_use]
    pub fn keyspace(&self) -> &Keyspace {
        self.replica().keyspace()
    }

    fn looker(&self) -> Looker<'_, K, V> {
        Looker {
            log: self.log(),
            replica: self.replica(),
            deadline: Instant::now() + self.deadline(),
        }
    }

    /// How long a call that waits may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.inner.settings.deadline
    }
}

/// Reading: local, without waiting.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// The value of a key. As fast as a concurrent hash map; never blocks the replica, nor is blocked by it.
    pub fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized,
    {
        self.replica().get(key)
    }

    /// The value of a key with its version: what [`Globe::put_if`] can be guarded by.
    pub fn entry<Q>(&self, key: &Q) -> Option<Entry<V>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.replica().state().entries.get(key).cloned()
    }

    /// Whether there is such a key.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized,
    {
        self.get(key).is_some()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.replica().state().entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole map at exactly one position of the log. O(1), whatever the size. Empty before the first snapshot.
    #[must_use]
    pub fn view(&self) -> View<K, V> {
        View::new(self.replica().state())
    }

    /// As [`Globe::view`]; `None` before the first snapshot, when nothing is known yet.
    #[must_use]
    pub fn try_view(&self) -> Option<View<K, V>> {
        // Asked before looking: what is published by then is what is looked at, or older.
        self.replica().position()?;
        Some(self.view())
    }

    /// Where in the log this map stands: a small serialisable token. A service that is handed it can wait with
    /// [`Consistency::AtLeast`] until it has seen everything this one has. `None` before the first snapshot.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let view = self.try_view()?;
        Some(view.position())
    }

    /// The records that are kept out of the map because they cannot be decoded.
    #[must_use]
    pub fn quarantine(&self) -> Vec<Quarantined> {
        self.view().quarantine().cloned().collect()
    }

    /// How the map is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let replica = self.replica();
        let mut status = replica.health().status();
        let last_failure = || self.log().last_failure();
        status.last_error = status.last_error.or_else(last_failure);
        let position = replica.position();
        let state = replica.state();
        status.position = position;
        status.entries = state.entries.len();
        status.quarantined = state.quarantine.len();
        status.resyncs = state.resyncs.saturating_sub(1);
        status.phase = match replica.ended() {
            Some(end) if *end.kind() == ErrorKind::Closed => Phase::Closed,
            Some(_) => Phase::Failed,
            None if position.is_none() => Phase::Hydrating,
            None if status.staleness.is_some_and(|age| {
                age <= self.inner.settings.stale_after || mutant!("always_live")
            }) =>
            {
                Phase::Live
            }
            None => Phase::Stale,
        };
        status
    }
}

/// Hearing of changes.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Watches the whole map, from what it holds now.
    #[must_use]
    pub fn watch(&self) -> Watch<K, V> {
        Watch::new(Arc::clone(self.replica()), Interest::All)
    }

    /// Watches one key, which need not be there yet. Other keys' changes do not wake it.
    #[must_use]
    pub fn watch_key(&self, key: impl Into<K>) -> Watch<K, V> {
        Watch::new(Arc::clone(self.replica()), Interest::Key(key.into()))
    }

    /// Watches the keys that begin with `prefix`.
    #[must_use]
    pub fn watch_prefix(&self, prefix: &str) -> Watch<K, V>
    where
        K: Borrow<str>,
    {
        let prefix = prefix.to_owned();
        let covers = move |key: &K| Borrow::<str>::borrow(key).starts_with(&prefix);
        Watch::new(
            Arc::clone(self.replica()),
            Interest::Prefix(Box::new(covers)),
        )
    }

    /// Watches the keys for which a predicate is true. It is asked by the watch, never by the replica, so a slow one slows
    /// only its watch down.
    #[must_use]
    pub fn watch_where(
        &self,
        predicate: impl Fn(&K) -> bool + Send + Sync + 'static,
    ) -> Watch<K, V> {
        Watch::new(
            Arc::clone(self.replica()),
            Interest::Predicate(Box::new(predicate)),
        )
    }

    /// Waits until the map satisfies a predicate, and returns the view that does. The predicate is first asked when the map
    /// is hydrated, and then whenever something was published, be it a newer position or a snapshot of the same one. Waits
    /// for as long as it takes: bound it with `tokio::time::timeout`.
    ///
    /// # Errors
    /// `Closed` (or why the map ended) when it never will.
    pub async fn wait_for(
        &self,
        mut predicate: impl FnMut(&View<K, V>) -> bool,
    ) -> Result<View<K, V>> {
        if !mutant!("take_not_yet_for_empty") {
            self.hydrated().await?;
        }
        loop {
            // Asked before looking: what is published in between ends the wait.
            let publications = self.replica().publications();
            let view = self.view();
            if predicate(&view) {
                return Ok(view);
            }
            self.replica().published_since(publications).await?;
        }
    }
}

/// Waiting before looking.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
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
    /// As [`Globe::view_at`].
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
    pub async fn put(&self, key: impl Into<K>, value: V) -> Result<Position> {
        let put = self.writer().put(&key.into(), &value, false).await;
        put.map(|(position, _)| position)
    }

    /// As [`Globe::put`], and takes the key off its lease: it ends with none any more, and stays until it is deleted.
    ///
    /// # Errors
    /// As [`Globe::put`].
    pub async fn put_detached(&self, key: impl Into<K>, value: V) -> Result<Position> {
        let put = self.writer().put(&key.into(), &value, true).await;
        put.map(|(position, _)| position)
    }

    /// Writes a key only if there is none.
    ///
    /// # Errors
    /// `Conflict` with what stands there, which is then visible here; otherwise as every write.
    pub async fn create(&self, key: impl Into<K>, value: V) -> Result<Position> {
        self.put_if(key, value, Expected::Absent).await
    }

    /// Writes a key only if it holds what is expected: the [`version`](Entry::version) of an entry is compare-and-swap.
    ///
    /// # Errors
    /// As [`Globe::create`]; `EpochChanged` for a version of another life of the log, even if the same revision stands there.
    pub async fn put_if(
        &self,
        key: impl Into<K>,
        value: V,
        expected: impl Into<Expected>,
    ) -> Result<Position> {
        let (key, expected) = (key.into(), expected.into());
        let put = self.writer().put_if(&key, &value, expected).await;
        put.map(|(position, _)| position)
    }

    /// Deletes a key, whatever stands there; whether anything did.
    ///
    /// # Errors
    /// As [`Globe::put`].
    pub async fn delete(&self, key: impl Into<K>) -> Result<bool> {
        let deleted = self.writer().delete(&key.into()).await;
        deleted.map(|(_, set)| set.standing() > 0)
    }

    /// Deletes a key only if it holds what is expected.
    ///
    /// # Errors
    /// As [`Globe::put_if`].
    pub async fn delete_if(
        &self,
        key: impl Into<K>,
        expected: impl Into<Expected>,
    ) -> Result<Position> {
        let deleted = self.writer().delete_if(&key.into(), expected.into()).await;
        deleted.map(|(position, _)| position)
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
        key: impl Into<K>,
        next: impl FnMut(Option<&V>) -> V,
    ) -> Result<Arc<V>> {
        self.writer().update(&key.into(), next).await
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

    /// Stops following the log, and waits until the tasks have stopped. Reads go on showing the last state; watches show
    /// what came until then and end; writes and waits are answered with `Closed`. All clones are closed.
    ///
    /// Closing twice is no error: whoever closes waits. Dropped half-way, it goes on by itself. It waits for at most five
    /// seconds: tasks that are held up longer by code of the caller's (a codec that blocks, say) end when that returns.
    pub async fn close(&self) {
        if !self.inner.tasks.stop().await {
            let keyspace = self.keyspace();
            tracing::warn!(%keyspace, "the tasks of the map did not stop in time: something of the caller's holds them up");
            self.replica().end(closed(keyspace));
        }
    }
}

/// What is said to those who wait for a map that was closed.
pub(crate) fn closed(keyspace: &Keyspace) -> Error {
    Error::new(ErrorKind::Closed, format!("the map {keyspace} was closed"))
}

impl<K, V> Clone for Globe<K, V> {
    fn clone(&self) -> Globe<K, V> {
        Globe {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<K, V> fmt::Debug for Globe<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Globe")
            .field("log", &self.inner.writer.log)
            .finish_non_exhaustive()
    }
}
