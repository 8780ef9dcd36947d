//! Stand-ins for what a model checker has no words for: each operation is one step, under a lock of that checker.
//!
//! Each does what the real one promises, and nothing more cleverly.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::{Mutex, lock};

/// An `Arc` that is replaced in one step.
pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> ArcSwap<T> {
        ArcSwap(Mutex::new(Arc::new(value)))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        Arc::clone(&lock(&self.0))
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        self.load()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        drop(self.swap(value));
    }

    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        std::mem::replace(&mut lock(&self.0), value)
    }
}

/// A map whose every operation is one step; who looks something up finds it locked at times, as by other readers of the real one
/// he does not.
pub(crate) struct KeyTable<K, V>(Mutex<HashMap<Arc<K>, V>>);

impl<K: Eq + Hash, V: Clone> KeyTable<K, V> {
    pub(crate) fn with_capacity(_: usize) -> KeyTable<K, V> {
        KeyTable(Mutex::new(HashMap::new()))
    }

    pub(crate) fn try_get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Option<V>>
    where
        K: Borrow<Q>,
    {
        let table = self.0.try_lock().ok()?;
        let mut all = table.iter();
        let found = all.find(|(kept, _)| (***kept).borrow() == key);
        Some(found.map(|(_, value)| value.clone()))
    }

    pub(crate) fn insert(&self, key: Arc<K>, value: V) {
        lock(&self.0).insert(key, value);
    }

    pub(crate) fn remove(&self, key: &K) {
        lock(&self.0).remove(key);
    }
}
