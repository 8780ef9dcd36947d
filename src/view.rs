//! The map at exactly one position: what every read looks at.
//!
//! A view never changes, never waits, and never talks to anything.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{Epoch, Position, Revision};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::change::{Change, ResyncReason};
use crate::entry::Entry;
use crate::key::Key;
use crate::quarantine::Quarantined;

/// What is published, whole, by the one applier.
pub(crate) struct State<K, V> {
    pub(crate) entries: OrdMap<K, Entry<V>>,
    pub(crate) quarantine: OrdMap<Bytes, Quarantined>,
    /// Which replica published it: its counters compare only inside one.
    pub(crate) origin: Arc<()>,
    pub(crate) position: Position,
    /// Counts the publications that changed the entries: one more is the very next step.
    pub(crate) sequence: u64,
    /// The commit of the last publication that changed the entries: progress moves the position past it.
    pub(crate) changed: Revision,
    /// Counts the snapshots that were installed, and why the last one was.
    pub(crate) resyncs: u64,
    pub(crate) resync_reason: ResyncReason,
}

impl<K: Key, V> State<K, V> {
    pub(crate) fn empty(origin: Arc<()>) -> State<K, V> {
        State {
            entries: OrdMap::new(),
            quarantine: OrdMap::new(),
            origin,
            position: Position::default(),
            sequence: 0,
            changed: Revision::ZERO,
            resyncs: 0,
            resync_reason: ResyncReason::Hydration,
        }
    }

    /// The life of the log it is from; `None` before the first snapshot.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        (self.resyncs > 0).then_some(self.position.epoch)
    }

    /// The commit of the last publication that changed the entries.
    pub(crate) fn changed_at(&self) -> Position {
        Position::new(self.position.epoch, self.changed)
    }

    /// The same map, in the applier's hands: the copy shares everything with this one.
    pub(crate) fn successor(&self) -> State<K, V> {
        State {
            entries: self.entries.clone(),
            quarantine: self.quarantine.clone(),
            origin: Arc::clone(&self.origin),
            ..*self
        }
    }
}

/// The whole map at exactly one position of the log.
///
/// Taking and cloning one costs O(1), whatever the size of the map; holding one keeps only what has changed since in
/// memory. Two views taken one after the other never go back.
pub struct View<K, V> {
    pub(crate) state: Arc<State<K, V>>,
}

impl<K: Key, V> View<K, V> {
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

/// What differs between two states, in the order of the keys: a change, or nothing where the key is not wanted. So whoever
/// takes turns can count what is passed over as well.
pub(crate) fn differences<'a, K: Key, V>(
    older: &'a State<K, V>,
    newer: &'a State<K, V>,
    wants: impl Fn(&K) -> bool + 'a,
) -> impl Iterator<Item = Option<Change<K, V>>> + 'a {
    let gone_by = newer.changed_at();
    older.entries.diff(&newer.entries).map(move |item| {
        let (key, old, new) = match item {
            DiffItem::Add(key, new) => (key, None, Some(new)),
            DiffItem::Update {
                old: (_, old),
                new: (key, new),
            } => (key, Some(old), Some(new)),
            DiffItem::Remove(key, old) => (key, Some(old), None),
        };
        let old = old.filter(|_| !mutant!("forget_old_values"));
        wants(key).then(|| Change::new(key.clone(), old.cloned(), new.cloned(), gone_by))
    })
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
