//! The ways to hear of changes of a map: of all of it, of a part, of one value, of how it is doing.
//!
//! It only makes the watches: what each shows, and when, is its own to say.

use std::sync::Arc;

use globe_log_client::Result;

use crate::entry::into_key::IntoKey;
use crate::entry::key::Key;
use crate::entry::key_range::KeyRange;
use crate::entry::prefix::KeyPrefix;
use crate::read::phase_watch::PhaseWatch;
use crate::read::quarantine_watch::QuarantineWatch;
use crate::read::value_watch::ValueWatch;
use crate::read::view::View;
use crate::read::watch::Watch;
use crate::read::withheld_watch::WithheldWatch;
use crate::reader::Reader;
use crate::replica::subscribers::Interest;

/// Hearing of changes.
impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    /// Watches the whole map, from what it holds now. Making a watch costs the same whatever the size of the map; [`Watch`]
    /// says what an idle one keeps, [`Changes`](crate::Changes) how to read what it shows.
    #[must_use]
    pub fn watch(&self) -> Watch<K, V> {
        Watch::new(Arc::clone(self.replica()), Interest::All)
    }

    /// Watches one key, which need not be there yet. Other keys' changes do not wake it.
    #[must_use]
    pub fn watch_key(&self, key: impl IntoKey<K>) -> Watch<K, V> {
        Watch::new(Arc::clone(self.replica()), Interest::Key(key.into_key()))
    }

    /// Watches the keys that begin with `prefix`: a text, or the first parts of a tuple. Others' changes do not wake it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// let log = MemoryLog::new();
    /// let hosts: Globe<(String, u16), bool> = Globe::open(log, "hosts").await?;
    /// let mut in_europe = hosts.watch_prefix(("eu",));
    /// hosts.put(("us", 1), true).await?;
    /// hosts.put(("eu", 7), true).await?;
    /// let changes = in_europe.next().await.expect("the map is open");
    /// assert_eq!(changes.as_slice()[0].key(), &("eu".to_owned(), 7));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn watch_prefix(&self, prefix: impl KeyPrefix<K>) -> Watch<K, V> {
        let prefix = prefix.keep();
        let covers = move |key: &K| prefix.place(key).is_eq();
        Watch::new(
            Arc::clone(self.replica()),
            Interest::Prefix(Box::new(covers)),
        )
    }

    /// Watches the keys of a range ([`KeyRange`] says what that can be). Others' changes do not wake it. A range whose end
    /// lies before its start has no keys.
    ///
    /// ```
    /// # use globe::{Globe, MemoryLog};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> globe::Result<()> {
    /// let map: Globe<u64, String> = Globe::open(MemoryLog::new(), "ports").await?;
    /// let mut system = map.watch_range(..1024);
    /// map.put(8080_u64, "proxy".to_owned()).await?;
    /// map.put(80_u64, "web".to_owned()).await?;
    /// let changes = system.next().await.expect("the map is open");
    /// let keys: Vec<u64> = changes.iter().map(|change| *change.key()).collect();
    /// assert_eq!(keys, [80]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn watch_range(&self, range: impl KeyRange<K>) -> Watch<K, V> {
        let range = Interest::Range(range.into_bounds());
        Watch::new(Arc::clone(self.replica()), range)
    }

    /// Watches the keys for which a predicate is true. It is asked by the watch, never by the replica, so a slow one slows
    /// only its watch down.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// # let shards: Globe<u64, String> = Globe::open(MemoryLog::new(), "shards").await?;
    /// let mut mine = shards.watch_where(|shard| shard % 3 == 0);
    /// shards.put(4_u64, "other".to_owned()).await?;
    /// shards.put(6_u64, "mine".to_owned()).await?;
    /// let changes = mine.next().await.expect("the map is open");
    /// assert_eq!(changes.iter().map(|change| *change.key()).collect::<Vec<_>>(), [6]);
    /// # Ok(()) }
    /// ```
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

    /// Watches the entries whose value satisfies a predicate: it shows the changes whose old or new value does, so that one
    /// that begins to and one that no longer does are both seen. As that of [`Reader::watch_where`] the predicate is asked by
    /// the watch, and every change of the map counts until it was.
    ///
    /// ```
    /// # use globe::{Globe, MemoryLog};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> globe::Result<()> {
    /// let loads: Globe<String, u64> = Globe::open(MemoryLog::new(), "loads").await?;
    /// let mut overloaded = loads.watch_values(|load| *load > 90);
    /// loads.put("a", 50).await?;
    /// loads.put("b", 95).await?;
    /// let changes = overloaded.next().await.expect("the map is open");
    /// assert_eq!(changes.as_slice().len(), 1);
    /// assert_eq!(changes.as_slice()[0].key(), "b");
    /// loads.put("b", 40).await?;
    /// let changes = overloaded.next().await.expect("the map is open");
    /// assert_eq!(changes.as_slice()[0].new_value().map(|load| **load), Some(40));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn watch_values(
        &self,
        predicate: impl Fn(&V) -> bool + Send + Sync + 'static,
    ) -> Watch<K, V> {
        Watch::new(
            Arc::clone(self.replica()),
            Interest::Values(Box::new(predicate)),
        )
    }

    /// Follows the value of one key, which need not be there yet: the present one first, then the newest one whenever it has
    /// changed. What a setting that may change at any time wants; [`ValueWatch`] has an example.
    #[must_use]
    pub fn watch_value(&self, key: impl IntoKey<K>) -> ValueWatch<K, V> {
        ValueWatch::new(Arc::clone(self.replica()), key.into_key())
    }

    /// Follows which records are kept out of the map because they cannot be decoded, from those that are now.
    /// [`QuarantineWatch`] has an example.
    #[must_use]
    pub fn watch_quarantine(&self) -> QuarantineWatch<K, V> {
        QuarantineWatch::new(Arc::clone(self.replica()))
    }

    /// Follows the [`phase`](crate::Status::phase) of the map, from what it is now. [`PhaseWatch`] has an example.
    #[must_use]
    pub fn watch_phase(&self) -> PhaseWatch<K, V> {
        let stale_after = self.stale_after();
        PhaseWatch::new(Arc::clone(self.replica()), stale_after)
    }

    /// Follows what the [guard](crate::Builder::guard) of the map withholds, from what it withholds now.
    /// [`Guard`](crate::Guard) has an example.
    #[must_use]
    pub fn watch_withheld(&self) -> WithheldWatch<K, V> {
        WithheldWatch::new(Arc::clone(self.replica()))
    }

    /// Waits until the map satisfies a predicate, and returns the view that does. The predicate is first asked when the map
    /// is hydrated, and then whenever something was published, be it a newer position or a snapshot of the same one. Waits
    /// for as long as it takes: bound it with `tokio::time::timeout`. Cancel safe. Each asking is a view, O(1), and whatever
    /// the predicate does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// # let log = MemoryLog::new();
    /// let nodes: Globe<String, u64> = Globe::open(log.clone(), "nodes").await?;
    /// # let other: Globe<String, u64> = Globe::open(log, "nodes").await?;
    /// # other.put_all(["a", "b", "c"].map(|node| (node.to_owned(), 1))).await?;
    /// let quorum = nodes.wait_for(|view| view.len() >= 3).await?;
    /// assert!(quorum.contains_key("a"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Closed` (or why the map ended) when it never will.
    pub async fn wait_for(
        &self,
        mut predicate: impl FnMut(&View<K, V>) -> bool,
    ) -> Result<View<K, V>> {
        self.hydrated().await?;
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
