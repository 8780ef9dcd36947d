//! The map at exactly one position: what every read looks at.
//!
//! A view never changes, never waits, and never talks to anything.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use globe_log_client::Position;

use crate::entry::Entry;
use crate::entry::change::Change;
use crate::entry::key::Key;
use crate::entry::quarantine::Quarantined;
use crate::replica::state::{State, differences};

/// The whole map at exactly one position of the log.
///
/// Taking and cloning one costs O(1), whatever the size of the map; holding one keeps only what has changed since in
/// memory. Two views taken one after the other never go back.
pub struct View<K, V> {
    pub(crate) state: Arc<State<K, V>>,
}

impl<K: Key, V> View<K, V> {
    pub(crate) fn new(state: Arc<State<K, V>>) -> View<K, V> {
        View { state }
    }

    /// The value of a key. O(log n), without decoding or copying it.
    pub fn get<Q>(&self, key: &Q) -> Option<&Arc<V>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.entry(key).map(Entry::value)
    }

    /// The value of a key with the version it is of.
    pub fn entry<Q>(&self, key: &Q) -> Option<&Entry<V>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.state.entries.get(key)
    }

    /// Whether there is such a key.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.state.entries.contains_key(key)
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

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &Entry<V>)> {
        self.state.entries.iter()
    }

    /// The entries of a range of keys, in their order. O(log n) to begin, whatever lies outside the range.
    pub fn range<R, Q>(&self, range: R) -> impl DoubleEndedIterator<Item = (&K, &Entry<V>)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
        R: RangeBounds<Q>,
    {
        self.state.entries.range(range)
    }

    /// The entries whose key begins with `prefix`, in their order.
    pub fn prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a K, &'a Entry<V>)>
    where
        K: Borrow<str>,
    {
        self.range::<_, str>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| Borrow::<str>::borrow(*key).starts_with(prefix))
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
    pub fn diff(&self, older: &View<K, V>) -> Vec<Change<K, V>> {
        differences(&older.state, &self.state, |_| true)
            .flatten()
            .collect()
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
