//! The map at exactly one position: what every read looks at.
//!
//! A view never changes, never waits, and never talks to anything.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use globe_log_client::Position;

use crate::entry::Entry;
use crate::entry::change::Change;
use crate::entry::key::Key;
use crate::entry::key_range::KeyRange;
use crate::entry::lookup::{Finder, Lookup};
use crate::entry::prefix::{KeyPrefix, range_of};
use crate::entry::quarantine::Quarantined;
use crate::read::iter::{Iter, Range};
use crate::replica::state::{State, differences};

/// The whole map at exactly one position of the log.
///
/// Taking and cloning one costs O(1), whatever the size of the map; holding one keeps only what has changed since in
/// memory. Two views taken one after the other never go back. It reads like a map of `std`, and nothing of it waits or fails.
///
/// ```
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # let shards: Globe<u32, String> = Globe::open(MemoryLog::new(), "shards").await?;
/// shards.put_all((0..4).map(|shard| (shard, format!("node-{}", shard % 2)))).await?;
///
/// // All of it is of one moment, whatever is written meanwhile.
/// let view = shards.view();
/// shards.put(0, "node-9".to_owned()).await?;
/// let of_node_0 = view.iter().filter(|(_, node)| node.as_str() == "node-0");
/// assert_eq!(of_node_0.map(|(shard, _)| *shard).collect::<Vec<_>>(), [0, 2]);
/// assert_eq!(view.range(2..).count(), 2);
/// assert_eq!(view.last().map(|(shard, _)| *shard), Some(3));
/// # Ok(()) }
/// ```
pub struct View<K, V> {
    pub(crate) state: Arc<State<K, V>>,
}

impl<K: Key, V> View<K, V> {
    pub(crate) fn new(state: Arc<State<K, V>>) -> View<K, V> {
        View { state }
    }

    /// The value of a key. O(log n), without decoding or copying it. For a reference into the view see [`View::get_entry`].
    pub fn get(&self, key: impl Lookup<K>) -> Option<Arc<V>> {
        let entry = self.get_entry(key)?;
        Some(Arc::clone(entry.value()))
    }

    /// The entry of a key: its value, which it can be read as, and the version that it is of.
    ///
    /// ```
    /// # use globe::{Globe, MemoryLog};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # let names: Globe<String, String> = Globe::open(MemoryLog::new(), "names").await?;
    /// names.put("eu", "Europe".to_owned()).await?;
    /// let view = names.view();
    /// let entry = view.get_entry("eu").ok_or_else(|| globe::key_error("no eu"))?;
    /// assert_eq!(entry.len(), 6);
    /// assert_eq!(entry.version().position(), view.position());
    /// # Ok(()) }
    /// ```
    pub fn get_entry(&self, key: impl Lookup<K>) -> Option<&Entry<V>> {
        key.look_up(Entries(&self.state))
    }

    /// Whether there is such a key. O(log n).
    pub fn contains_key(&self, key: impl Lookup<K>) -> bool {
        self.get_entry(key).is_some()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state.entries.is_empty()
    }

    /// The first key and its entry. O(log n).
    #[must_use]
    pub fn first(&self) -> Option<(&K, &Entry<V>)> {
        self.iter().next()
    }

    /// The last key and its entry. O(log n).
    #[must_use]
    pub fn last(&self) -> Option<(&K, &Entry<V>)> {
        self.iter().next_back()
    }

    /// All entries, in the order of their keys. So does `for (key, entry) in &view`.
    pub fn iter(&self) -> Iter<'_, K, V> {
        let entries = self.state.entries.iter();
        Iter { entries }
    }

    /// All keys, in their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<V>> + ExactSizeIterator {
        self.iter().map(|(_, entry)| entry.value())
    }

    /// The entries of a range of keys, in their order: [`KeyRange`] says what that can be. O(log n) to begin, whatever lies
    /// outside the range. A range that ends before it begins holds nothing.
    pub fn range(&self, range: impl KeyRange<K>) -> Range<'_, K, V> {
        let entries = self.state.entries.range(&range.into_bounds());
        Range { entries }
    }

    /// The entries whose key begins with `prefix`, in their order: a text, or the first parts of a tuple. O(log n) to begin,
    /// whatever else there is.
    ///
    /// ```
    /// # use globe::{Globe, MemoryLog};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # let limits: Globe<(String, String), u64> = Globe::open(MemoryLog::new(), "limits").await?;
    /// for (region, service) in [("eu", "api"), ("eu", "web"), ("us", "web")] {
    ///     limits.put((region, service), 100).await?;
    /// }
    /// let view = limits.view();
    /// let in_europe = view.prefix(("eu",)).map(|((_, service), _)| service.as_str());
    /// assert_eq!(in_europe.collect::<Vec<_>>(), ["api", "web"]);
    /// # Ok(()) }
    /// ```
    pub fn prefix(&self, prefix: impl KeyPrefix<K>) -> Range<'_, K, V> {
        self.with_prefix(&prefix)
    }

    pub(crate) fn with_prefix(&self, prefix: &impl KeyPrefix<K>) -> Range<'_, K, V> {
        let entries = self.state.entries.range(&range_of(prefix));
        Range { entries }
    }

    /// Where in the log this view is true: a token another service can wait for. Of the empty view of a map that is not
    /// hydrated yet it is the position before everything, `Position::default()`, which every map has reached.
    #[must_use]
    pub fn position(&self) -> Position {
        self.state.position
    }

    /// The records that are kept out of this view because they could not be decoded, by key.
    pub fn quarantine(&self) -> impl Iterator<Item = &Quarantined> {
        self.state.quarantine.values()
    }

    /// What turns `older` into this view, in the order of the keys: exact, in time that grows with the number of
    /// changes and not with the size of the map, when both come from one `Globe`. Found in one go: it never yields.
    ///
    /// ```
    /// # use globe::{Globe, MemoryLog};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # let nodes: Globe<String, u16> = Globe::open(MemoryLog::new(), "nodes").await?;
    /// nodes.put("a", 1).await?;
    /// let before = nodes.view();
    /// nodes.put("b", 2).await?;
    /// nodes.delete("a").await?;
    /// let changes = nodes.view().diff(&before);
    /// let changes = changes.iter().map(|change| (change.key().as_str(), change.new_value().is_some()));
    /// assert_eq!(changes.collect::<Vec<_>>(), [("a", false), ("b", true)]);
    /// # Ok(()) }
    /// ```
    pub fn diff(&self, older: &View<K, V>) -> Vec<Change<K, V>> {
        differences(&older.state, &self.state, |_| true)
            .flatten()
            .collect()
    }
}

impl<'a, K: Key, V> IntoIterator for &'a View<K, V> {
    type Item = (&'a K, &'a Entry<V>);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

/// Where a view looks keys up.
pub(crate) struct Entries<'a, K, V>(pub(crate) &'a State<K, V>);

impl<'a, K: Key, V> Finder<K> for Entries<'a, K, V> {
    type Found = Option<&'a Entry<V>>;

    fn find<Q>(self, key: &Q) -> Option<&'a Entry<V>>
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized,
    {
        self.0.entries.get(key)
    }
}

impl<K, V> Clone for View<K, V> {
    fn clone(&self) -> View<K, V> {
        View {
            state: Arc::clone(&self.state),
        }
    }
}

impl<K, V> fmt::Debug for View<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("position", &self.state.position)
            .field("len", &self.state.entries.len())
            .field("quarantined", &self.state.quarantine.len())
            .finish()
    }
}
