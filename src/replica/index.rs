//! The point index: a cache of the view that makes `get` as fast as a bare concurrent map.
//!
//! It is never the truth: while it lags behind the view it says so, and the view is read instead. Dropping it would
//! change nothing but the speed.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use crate::ground::sync::{AtomicBool, DashMap};

/// What an index knows of a key.
pub(crate) enum Lookup<V> {
    /// The index is level with the view: this is what stands there.
    Level(Option<Arc<V>>),
    /// The index is being brought up to the view: look there.
    Behind,
}

pub(crate) struct Index<K, V> {
    /// Made for as many entries as there are at first: growing takes long, and readers would wait for it.
    values: OnceLock<DashMap<K, Arc<V>>>,
    behind: AtomicBool,
}

impl<K: Eq + Hash, V> Index<K, V> {
    pub(crate) fn new() -> Index<K, V> {
        Index {
            values: OnceLock::new(),
            behind: AtomicBool::new(false),
        }
    }

    /// Looks a key up. The guard of the map is gone before this returns.
    pub(crate) fn find<Q>(&self, key: &Q) -> Lookup<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // Pairs with the store in `mark_behind`: whoever has seen the newer view also sees the mark.
        if self.behind.load(Ordering::Acquire) {
            return Lookup::Behind;
        }
        let found = self.values.get().and_then(|values| values.get(key));
        Lookup::Level(found.map(|value| Arc::clone(value.value())))
    }

    /// Sends readers to the view. Called before a newer view is published.
    pub(crate) fn mark_behind(&self) {
        self.behind.store(true, Ordering::SeqCst);
    }

    /// So many entries are about to be put, if they are the first.
    pub(crate) fn make_room(&self, count: usize) {
        self.values.get_or_init(|| DashMap::with_capacity(count));
    }

    pub(crate) fn put(&self, key: K, value: Arc<V>) {
        let values = self.values.get_or_init(DashMap::new);
        values.insert(key, value);
    }

    pub(crate) fn remove(&self, key: &K) {
        if let Some(values) = self.values.get() {
            values.remove(key);
        }
    }

    /// Calls readers back. Called when the index holds what the published view holds.
    pub(crate) fn mark_level(&self) {
        self.behind.store(false, Ordering::Release);
    }
}
