//! The map at exactly one position: what every read looks at.
//!
//! A view never changes, never waits, and never talks to anything.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{LeaseId, Position, Record, Revision};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::key::Key;
use crate::watch::Change;

/// One entry of the map: the decoded value, and where in the log it comes from.
pub struct Entry<V> {
    value: Arc<V>,
    created: Revision,
    modified: Revision,
    lease: Option<LeaseId>,
    /// Of the value's bytes: what tells two entries apart whose revisions are equal in different epochs.
    digest: u64,
}

impl<V> Entry<V> {
    pub(crate) fn new(record: &Record, value: V) -> Entry<V> {
        Entry {
            value: Arc::new(value),
            created: record.created,
            modified: record.modified,
            lease: record.lease,
            digest: digest(&record.value),
        }
    }

    /// Whether `record` is what this entry was decoded from.
    pub(crate) fn is_from(&self, record: &Record) -> bool {
        self.modified == record.modified
            && self.created == record.created
            && self.lease == record.lease
            && self.digest == digest(&record.value)
    }

    /// The value, decoded once when it arrived.
    #[must_use]
    pub fn value(&self) -> &Arc<V> {
        &self.value
    }

    /// The commit that created the key (again, if it had been deleted).
    #[must_use]
    pub fn created(&self) -> Revision {
        self.created
    }

    /// The commit that last wrote the key: what [`Precondition::At`](crate::Precondition::At) compares.
    #[must_use]
    pub fn modified(&self) -> Revision {
        self.modified
    }

    /// The lease the entry ends with, if any.
    #[must_use]
    pub fn lease(&self) -> Option<LeaseId> {
        self.lease
    }
}

fn digest(value: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(value);
    hasher.finish()
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Entry<V> {
        Entry {
            value: Arc::clone(&self.value),
            ..*self
        }
    }
}

/// Two entries are equal when they are the same write: a rewrite of the same value is not.
impl<V> PartialEq for Entry<V> {
    fn eq(&self, other: &Entry<V>) -> bool {
        self.modified == other.modified
            && self.created == other.created
            && self.lease == other.lease
            && self.digest == other.digest
    }
}

impl<V> fmt::Debug for Entry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("created", &self.created)
            .field("modified", &self.modified)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// A record that could not be decoded, and is therefore kept out of the map.
#[derive(Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The key as it stands in the log, without the keyspace.
    pub key: Bytes,
    /// The commit that wrote the bad record.
    pub revision: Revision,
    /// Why it could not be decoded. Never holds the value.
    pub reason: Arc<str>,
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = String::from_utf8_lossy(&self.key);
        write!(f, "{key:?} at revision {}: {}", self.revision, self.reason)
    }
}

/// What is published, whole, by the one applier.
pub(crate) struct State<K, V> {
    pub(crate) entries: OrdMap<K, Entry<V>>,
    pub(crate) quarantine: OrdMap<Bytes, Quarantined>,
    pub(crate) position: Position,
    /// Counts the publications that changed the entries: one more is the very next step.
    pub(crate) sequence: u64,
    /// Counts the snapshots that were installed, and why the last one was.
    pub(crate) resyncs: u64,
    pub(crate) resync_reason: crate::watch::ResyncReason,
}

impl<K: Key, V> State<K, V> {
    pub(crate) fn empty() -> State<K, V> {
        State {
            entries: OrdMap::new(),
            quarantine: OrdMap::new(),
            position: Position::default(),
            sequence: 0,
            resyncs: 0,
            resync_reason: crate::watch::ResyncReason::Hydration,
        }
    }

    /// The same map, in the applier's hands: the copy shares everything with this one.
    pub(crate) fn successor(&self) -> State<K, V> {
        State {
            entries: self.entries.clone(),
            quarantine: self.quarantine.clone(),
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

    /// The value of a key with the revisions that wrote it.
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

    /// Where in the log this view is true: a token another service can wait for.
    #[must_use]
    pub fn position(&self) -> Position {
        self.state.position
    }

    /// The revision of [`View::position`].
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.state.position.revision
    }

    /// The records that are kept out of this view because they could not be decoded, by key.
    pub fn quarantine(&self) -> impl Iterator<Item = &Quarantined> {
        self.state.quarantine.values()
    }

    /// What turns `older` into this view, in the order of the keys: exact, in time that grows with the number of
    /// changes and not with the size of the map, when both come from one `Globe`.
    pub fn diff(&self, older: &View<K, V>) -> Vec<Change<K, V>> {
        difference(&older.state, &self.state, |_| true)
    }
}

/// The changes between two states, of the keys that `covers`.
pub(crate) fn difference<K: Key, V>(
    older: &State<K, V>,
    newer: &State<K, V>,
    covers: impl Fn(&K) -> bool,
) -> Vec<Change<K, V>> {
    let gone_by = newer.position.revision;
    let changes = older.entries.diff(&newer.entries).filter_map(|item| {
        let (key, old, new) = match item {
            DiffItem::Add(key, new) => (key, None, Some(new)),
            DiffItem::Update {
                old: (_, old),
                new: (key, new),
            } => (key, Some(old), Some(new)),
            DiffItem::Remove(key, old) => (key, Some(old), None),
        };
        covers(key).then(|| Change::new(key.clone(), old.cloned(), new.cloned(), gone_by))
    });
    changes.collect()
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
