//! The entries of one state, in the order of their keys: what is copied is only what the next state changes.
//!
//! A key is kept once and shared by all who hold it, so that to copy a piece of the map copies no key.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use equivalent::{Comparable, Equivalent};
use imbl::OrdMap;
use imbl::ordmap::{self, DiffItem};
use imbl::shared_ptr::DefaultSharedPtr;

use crate::entry::Entry;
use crate::entry::key::Key;

pub(crate) struct Entries<K, V>(OrdMap<Arc<K>, Entry<V>>);

/// Goes through all of them.
pub(crate) type Iter<'a, K, V> = ordmap::Iter<'a, Arc<K>, Entry<V>, DefaultSharedPtr>;

/// Goes through those of a range.
pub(crate) type Range<'a, K, V> = ordmap::RangedIter<'a, Arc<K>, Entry<V>, DefaultSharedPtr>;

/// What differs at one key.
pub(crate) type Difference<'a, K, V> = DiffItem<'a, 'a, Arc<K>, Entry<V>>;

impl<K, V> Entries<K, V> {
    pub(crate) fn new() -> Entries<K, V> {
        Entries(OrdMap::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V> Entries<K, V> {
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&Entry<V>>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.0.get(&At(key))
    }

    /// The key as it is kept, and its entry.
    pub(crate) fn get_key_value(&self, key: &K) -> Option<(&Arc<K>, &Entry<V>)> {
        self.0.get_key_value(&At(key))
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(&At(key))
    }

    pub(crate) fn last_key(&self) -> Option<&K> {
        self.0.get_max().map(|(key, _)| &**key)
    }

    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        self.0.iter()
    }

    /// Those between two ends, which need not be keys.
    pub(crate) fn range<C>(&self, ends: &(Bound<C>, Bound<C>)) -> Range<'_, K, V>
    where
        C: Comparable<K>,
    {
        let ends = (ends.start_bound().map(At), ends.end_bound().map(At));
        self.0.range(ends)
    }

    /// What turns these into `newer`, without a look at what both share.
    pub(crate) fn diff<'a>(
        &'a self,
        newer: &'a Entries<K, V>,
    ) -> impl Iterator<Item = Difference<'a, K, V>> {
        self.0.diff(&newer.0)
    }
}

impl<K: Ord, V> Entries<K, V> {
    /// The key as it is kept, if there is an equal one; else one that can be shared from now on. Of keys that are written
    /// alike: which of two is shown whose texts differ is decided elsewhere.
    pub(crate) fn share(&self, key: K) -> Arc<K> {
        match self.get_key_value(&key) {
            Some((kept, _)) => Arc::clone(kept),
            None => Arc::new(key),
        }
    }

    pub(crate) fn insert(&mut self, key: Arc<K>, entry: Entry<V>) {
        self.0.insert(key, entry);
    }

    /// Takes an entry out; its key, if there was one.
    pub(crate) fn remove(&mut self, key: &K) -> Option<Arc<K>> {
        self.0.remove_with_key(&At(key)).map(|(key, _)| key)
    }
}

impl<K, V> Clone for Entries<K, V> {
    fn clone(&self) -> Entries<K, V> {
        Entries(self.0.clone())
    }
}

impl<K: Key, V> Entries<K, V> {
    /// The key that is written like this, as it is kept, if there is one and it can be told without reading the text.
    pub(crate) fn written_as(&self, text: &str) -> Option<&Arc<K>> {
        // If one key cannot tell, none can.
        self.last_key()?.cmp_text(text)?;
        let (key, _) = self.0.get_key_value(&Written(text))?;
        key.is_written(text).then_some(key)
    }
}

/// The text of a key, compared with keys that are shared.
struct Written<'a>(&'a str);

impl<K: Key> Equivalent<Arc<K>> for Written<'_> {
    fn equivalent(&self, key: &Arc<K>) -> bool {
        self.compare(key).is_eq()
    }
}

impl<K: Key> Comparable<Arc<K>> for Written<'_> {
    fn compare(&self, key: &Arc<K>) -> Ordering {
        // Whatever is found is looked at, so one that cannot tell does no harm.
        let beside = key.cmp_text(self.0);
        beside.map_or(Ordering::Equal, Ordering::reverse)
    }
}

/// What is compared with keys, compared with keys that are shared.
struct At<'a, C: ?Sized>(&'a C);

impl<K, C: Comparable<K> + ?Sized> Equivalent<Arc<K>> for At<'_, C> {
    fn equivalent(&self, key: &Arc<K>) -> bool {
        self.0.equivalent(key)
    }
}

impl<K, C: Comparable<K> + ?Sized> Comparable<Arc<K>> for At<'_, C> {
    fn compare(&self, key: &Arc<K>) -> Ordering {
        self.0.compare(key)
    }
}
