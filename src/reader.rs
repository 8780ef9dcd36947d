//! The handle of those who only read: everything that looks, waits and watches.
//!
//! It never writes, and does not know how a value is written.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Keyspace, LogClient, Position, Result};
use tokio::time::Instant;

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::entry::lookup::{Finder, Lookup};
use crate::entry::quarantine::Quarantined;
use crate::ground::tasks::Tasks;
use crate::map_settings::{MapSettings, check_time};
use crate::read::barrier::Barrier;
use crate::read::consistency::Consistency;
use crate::read::view::{Entries, View};
use crate::replica::Replica;
use crate::replica::state::State;
use crate::replica::status::Status;

/// A map as it is read: a handle that cannot write.
///
/// Had from a map by [`Globe::reader`](crate::Globe::reader), or opened by itself: then its values need only be
/// `Deserialize`, and its codec only [`Decode`](crate::Decode). Cheap to clone and to share. The map follows its log for as
/// long as any handle on it is there, of this kind or the other.
///
/// ```
/// # use globe::{Globe, MemoryLog, Reader};
/// #[derive(serde::Deserialize)]
/// struct Limit { percent: u8 }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # let log = MemoryLog::new();
/// # let writer: Globe<String, std::collections::BTreeMap<String, u8>> = Globe::open(log.clone(), "limits").await?;
/// # writer.put("web", [("percent".to_owned(), 25)].into()).await?;
/// let limits: Reader<String, Limit> = Reader::open(log, "limits").await?;
/// assert_eq!(limits.get("web").map(|limit| limit.percent), Some(25));
/// # Ok(()) }
/// ```
pub struct Reader<K, V> {
    inner: Arc<Inner<K, V>>,
    /// How long a call through this handle may take: the builder's, or this handle's own.
    deadline: Duration,
}

struct Inner<K, V> {
    log: Arc<dyn LogClient>,
    replica: Arc<Replica<K, V>>,
    settings: MapSettings,
    tasks: Tasks,
}

impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    pub(crate) fn new(
        log: Arc<dyn LogClient>,
        replica: Arc<Replica<K, V>>,
        settings: MapSettings,
        tasks: Tasks,
    ) -> Reader<K, V> {
        Reader {
            deadline: settings.deadline,
            inner: Arc::new(Inner {
                log,
                replica,
                settings,
                tasks,
            }),
        }
    }

    pub(crate) fn replica(&self) -> &Arc<Replica<K, V>> {
        &self.inner.replica
    }

    /// The log this map lives in.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn LogClient> {
        &self.inner.log
    }

    /// The keyspace this map lives in.
    #[must_use]
    pub fn keyspace(&self) -> &Keyspace {
        self.replica().keyspace()
    }

    pub(crate) fn barrier(&self) -> Result<Barrier<'_, K, V>> {
        Ok(Barrier {
            log: self.log(),
            replica: self.replica(),
            deadline: Instant::now() + self.deadline()?,
        })
    }

    /// How old what is shown may be without being stale.
    pub(crate) fn stale_after(&self) -> Duration {
        self.inner.settings.stale_after
    }

    /// How long a call that waits may take.
    pub(crate) fn deadline(&self) -> Result<Duration> {
        check_time("the deadline", self.deadline)?;
        Ok(self.deadline)
    }

    /// The same map through a handle of its own, whose [`sync`](Reader::sync) and [`view_at`](Reader::view_at) may take
    /// this long in all, as [`Globe::with_deadline`](crate::Globe::with_deadline) for a map that can write.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Reader<K, V> {
        Reader {
            inner: Arc::clone(&self.inner),
            deadline,
        }
    }

    /// Stops following the log, and waits until the tasks have stopped. Reads go on showing the last state; watches show
    /// what came until then and end; writes and waits are answered with `Closed`. All handles on the map are closed, of either kind.
    ///
    /// Closing twice is no error: whoever closes waits. Dropped half-way, it goes on by itself. It waits for at most five
    /// seconds: tasks that are held up longer by code of the caller's (a codec that blocks, say) end when that returns.
    pub async fn close(&self) {
        if !self.inner.tasks.stop().await {
            let keyspace = self.keyspace();
            tracing::warn!(%keyspace, "the tasks of the map did not stop in time: something of the caller's holds them up");
            self.replica().close();
        }
    }
}

/// Reading: local, without waiting.
impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    /// The value of a key: local, without waiting. As fast as a concurrent hash map; never blocks the replica, nor is blocked
    /// by it. It was decoded when it arrived, and is shared, not copied. For a key that is read on every request there is
    /// [`Reader::cached`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
    /// map.put("a", 1).await?;
    /// assert_eq!(map.get("a").as_deref(), Some(&1));
    /// assert_eq!(map.get("b").map_or(0, |number| *number), 0); // with a default
    /// # Ok(()) }
    /// ```
    pub fn get(&self, key: impl Lookup<K>) -> Option<Arc<V>> {
        key.look_up(Values(self.replica()))
    }

    /// The entry of a key: its value, which it can be read as, and its version: what [`Globe::put_if`](crate::Globe::put_if) can be guarded by.
    /// O(log n).
    pub fn get_entry(&self, key: impl Lookup<K>) -> Option<Entry<V>> {
        self.replica()
            .look(|state| key.look_up(Entries(state)).cloned())
    }

    /// Whether there is such a key. As fast as [`Reader::get`].
    pub fn contains_key(&self, key: impl Lookup<K>) -> bool {
        self.get(key).is_some()
    }

    /// How many entries there are, without those that are kept out. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.replica().look(|state| state.entries.len())
    }

    /// Whether there are none: also before the first snapshot, when nothing is known yet. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole map at exactly one position of the log. O(1), whatever the size. Empty before the first snapshot. What
    /// several look-ups of one request must agree on is read from one view.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// # let shards: Globe<u32, String> = Globe::open(MemoryLog::new(), "shards").await?;
    /// shards.put_all([(1, "node-a".to_owned()), (2, "node-b".to_owned())]).await?;
    /// let view = shards.view();
    /// shards.delete(2).await?;
    /// assert_eq!((view.len(), shards.len()), (2, 1)); // a view stands still
    /// let from_2 = view.range(2..).map(|(shard, _)| *shard);
    /// assert_eq!(from_2.collect::<Vec<_>>(), [2]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn view(&self) -> View<K, V> {
        View::new(self.replica().state())
    }

    /// As [`Reader::view`]; `None` before the first snapshot, when nothing is known yet.
    #[must_use]
    pub fn try_view(&self) -> Option<View<K, V>> {
        self.replica().hydrated_state().map(View::new)
    }

    /// Where in the log this map stands: a small serialisable token. A service that is handed it can wait with
    /// [`Consistency::AtLeast`](crate::Consistency::AtLeast) until it has seen everything this one has. `None` before the first snapshot.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.replica().look(State::known_position)
    }

    /// The records that are kept out of the map because they cannot be decoded, in the order of their keys. Costs a copy of
    /// the list, without their values; [`Quarantined`] has an example.
    #[must_use]
    pub fn quarantine(&self) -> Vec<Quarantined> {
        self.view().quarantine().cloned().collect()
    }

    /// How the map is doing: whether it follows its log, how old it may be, what went wrong. Local, without waiting, and cheap
    /// enough for every health check. To hear of a change, [`Reader::watch_phase`].
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = self.replica().status(self.stale_after());
        // While a call of the log still tries, only the log knows why it does not get through.
        status.last_error = status.last_error.or_else(|| self.log().last_failure());
        status
    }

    /// Shows what the [guard](crate::Builder::guard) of the map withholds, whatever that is by now; false when it withholds
    /// nothing. It is shown soon afterwards, by the map's own task: a [watch](Reader::watch_withheld) says when. While the log is
    /// away that is at the next attempt to reach it. This map alone follows: the others of the cluster have guards of their own.
    pub fn accept_withheld(&self) -> bool {
        self.replica().withholding().accept()
    }
}

/// Waiting before looking.
impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    /// Waits until the first snapshot is there: at once, but for a map from [`Builder::start`](crate::Builder::start). Has no
    /// deadline: bound it with `tokio::time::timeout`. Cancel safe.
    ///
    /// # Errors
    /// Why the map ended, if it did first.
    pub async fn hydrated(&self) -> Result<()> {
        self.replica().hydrated().await
    }

    /// A view that has seen what `consistency` asks for, of a map that is hydrated. Waits at most for the deadline of
    /// this handle. Cancel safe. What each costs stands at [`Consistency`], with an example.
    ///
    /// # Errors
    /// `Stale` when it could not be had in time; `EpochChanged` for a position of another life of the log; `Unavailable`
    /// when the log cannot be asked; `Closed`.
    pub async fn view_at(&self, consistency: Consistency) -> Result<View<K, V>> {
        self.barrier()?.view_at(consistency).await
    }

    /// Waits until everything committed anywhere before the call is visible here; returns up to where that is. Costs a round
    /// trip to the log, and the wait until its answer is applied. Cancel safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// # let log = MemoryLog::new();
    /// let here: Globe<String, u64> = Globe::open(log.clone(), "numbers").await?;
    /// let there: Globe<String, u64> = Globe::open(log, "numbers").await?;
    /// here.put("a", 1).await?;
    /// there.sync().await?;
    /// assert!(there.contains_key("a"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Reader::view_at`].
    pub async fn sync(&self) -> Result<Position> {
        self.barrier()?.sync().await
    }
}

/// Where a map looks values up.
struct Values<'a, K, V>(&'a Replica<K, V>);

impl<K: Key, V> Finder<K> for Values<'_, K, V> {
    type Found = Option<Arc<V>>;

    fn find<Q>(self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized,
    {
        self.0.get(key)
    }
}

impl<K, V> Clone for Reader<K, V> {
    fn clone(&self) -> Reader<K, V> {
        Reader {
            inner: Arc::clone(&self.inner),
            deadline: self.deadline,
        }
    }
}

impl<K, V> fmt::Debug for Reader<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("log", &self.inner.log)
            .finish_non_exhaustive()
    }
}
