//! The point index: a cache of the view that makes `get` as fast as a bare concurrent map.
//!
//! It is never the truth: while it lags behind the view it says so, and the view has the first word. Dropping it would
//! change nothing but the speed.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use crate::ground::sync::{AtomicU64, KeyTable};
use crate::replica::delta::Delta;

/// What an index knows of a key.
pub(crate) enum Lookup<V> {
    /// The index is level with the view: this is what stands there.
    Level(Option<Arc<V>>),
    /// The index is being brought up to the view: look there first.
    Behind,
}

pub(crate) struct Index<K, V> {
    /// Made for as many entries as there are at first: growing takes long, and readers would wait for it.
    values: OnceLock<KeyTable<K, Arc<V>>>,
    /// Counts the steps: odd while the index is being brought up to the view, even while it is level with it.
    steps: AtomicU64,
}

impl<K: Eq + Hash, V> Index<K, V> {
    pub(crate) fn new() -> Index<K, V> {
        Index {
            values: OnceLock::new(),
            steps: AtomicU64::new(0),
        }
    }

    /// The step the index is level with; `None` while it is behind.
    ///
    /// Whoever has seen what a later step published finds another answer here than before it: the mark was set before that
    /// was published. So what was looked up after this answer is the newest for as long as the answer stays the same.
    #[inline]
    pub(crate) fn step(&self) -> Option<u64> {
        let step = self.steps.load(Ordering::Acquire);
        step.is_multiple_of(2).then_some(step)
    }

    /// Looks a key up. The guard of the map is gone before this returns.
    pub(crate) fn find<Q>(&self, key: &Q) -> Lookup<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // Pairs with the store in `mark_behind`: whoever has seen the newer view also sees the mark.
        if self.step().is_none() {
            return Lookup::Behind;
        }
        // Where somebody writes, he has marked it by now.
        self.kept(key).map_or(Lookup::Behind, Lookup::Level)
    }

    /// Looks a key up in an index that is being brought up to a view, by what that changed of the one before it.
    ///
    /// All before that view is in the index already, so what it did not change is there; or something newer, which has been
    /// published by then. A look-up in the view would take longer, and a map that is written all the time is often found
    /// behind: by every reader, when the applier loses its core in the middle.
    ///
    /// `None` where it is being written: the view knows.
    pub(crate) fn find_behind<Q>(&self, key: &Q, delta: &Delta<K, V>) -> Option<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match delta.find(key) {
            Some(changed) => Some(changed.cloned()),
            None => self.kept(key),
        }
    }

    /// `None` where it is being written.
    #[inline]
    fn kept<Q>(&self, key: &Q) -> Option<Option<Arc<V>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self.values.get() {
            Some(values) => values.try_get(key),
            None => Some(None),
        }
    }

    /// Sends readers to the view. Called before a newer view is published.
    pub(crate) fn mark_behind(&self) {
        // Not twice, after a publication that was dropped half-way.
        if self.step().is_some() {
            self.steps.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// So many entries are about to be put, if they are the first.
    pub(crate) fn make_room(&self, count: usize) {
        self.values.get_or_init(|| KeyTable::with_capacity(count));
    }

    pub(crate) fn put(&self, key: Arc<K>, value: Arc<V>) {
        let values = self.values.get_or_init(|| KeyTable::with_capacity(1));
        values.insert(key, value);
    }

    pub(crate) fn remove(&self, key: &K) {
        if let Some(values) = self.values.get() {
            values.remove(key);
        }
    }

    /// Calls readers back. Called when the index holds what the published view holds.
    ///
    /// Whoever sees the index level must find it: the map itself by this release, which [`step`](Index::step) acquires. Its
    /// entries would be found by the locks of the map alone.
    pub(crate) fn mark_level(&self) {
        if self.step().is_none() {
            self.steps.fetch_add(1, Ordering::Release);
        }
    }
}
