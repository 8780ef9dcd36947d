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
use crate::settings::{Settings, check_time};
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
    /// How long a call through this handle may take: the builder's, or this handle's own.
    deadline: Duration,
}

struct Inner<K, V> {
    writer: Writer<K, V>,
    settings: Settings,
    tasks: Tasks,
}

impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    pub(crate) fn new(writer: Writer<K, V>, settings: Settings, tasks: Tasks) -> Globe<K, V> {
        Globe {
            deadline: settings.deadline,
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

    fn looker(&self) -> Result<Looker<'_, K, V>> {
        Ok(Looker {
            log: self.log(),
            replica: self.replica(),
            deadline: Instant::now() + self.bound()?,
        })
    }

    /// How long a call that waits may take.
    pub(crate) fn bound(&self) -> Result<Duration> {
        check_time("the deadline", self.deadline)?;
        Ok(self.deadline)
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
    /// The same map through a handle of its own, whose writes, [`sync`](Globe::sync) and [`view_at`](Globe::view_at) may
    /// take this long in all, with every retry, instead of the builder's deadline. O(1): everything but this number is
    /// shared, and other handles keep theirs. Zero, or more than 24 hours, is refused as `Invalid` by each call that would
    /// wait so long; reads, [`hydrated`](Globe::hydrated) and [`wait_for`](Globe::wait_for) have no deadline.
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
            inner: Arc::clone(&self.inner),
            deadline,
        }
    }

    /// Waits until the first snapshot is there: at once, but for a map from [`Builder::start`](crate::Builder::start).
    ///
    /// # Errors
    /// Why the map ended, if it did first.
    pub async fn hydrated(&self) -> Result<()> {
        self.replica().hydrated().await
    }

    /// A view that has seen what `consistency` asks for, of a map that is hydrated. Waits at most for the deadline of the
    /// builder, or of [`Globe::with_deadline`].
    ///
    /// # Errors
    /// `Stale` when it could not be had in time; `EpochChanged` for a position of another life of the log; `Unavailable`
    /// when the log cannot be asked; `Closed`.
    pub async fn view_at(&self, consistency: Consistency) -> Result<View<K, V>> {
        self.looker()?.look(consistency).await
    }

    /// Waits until everything committed anywhere before the call is visible here; returns up to where that is.
    ///
    /// # Errors
    /// As [`Globe::view_at`].
    pub async fn sync(&self) -> Result<Position> {
        self.looker()?.sync().await
    }
}

/// Closing.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
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
            deadline: self.deadline,
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
