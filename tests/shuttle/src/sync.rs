//! The words of shared memory, as shuttle has them, and stand-ins for those it does not know.
//!
//! Each stand-in does what the real one promises, and nothing more cleverly.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError};

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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

/// A map whose every operation is one step.
pub(crate) struct DashMap<K, V>(Mutex<HashMap<K, V>>);

/// What was found.
pub(crate) struct Found<V>(V);

impl<V> Found<V> {
    pub(crate) fn value(&self) -> &V {
        &self.0
    }
}

impl<K: Eq + Hash, V: Clone> DashMap<K, V> {
    pub(crate) fn new() -> DashMap<K, V> {
        DashMap(Mutex::new(HashMap::new()))
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Found<V>>
    where
        K: Borrow<Q>,
    {
        lock(&self.0).get(key).cloned().map(Found)
    }

    pub(crate) fn insert(&self, key: K, value: V) -> Option<V> {
        lock(&self.0).insert(key, value)
    }

    pub(crate) fn remove(&self, key: &K) -> Option<(K, V)> {
        lock(&self.0).remove_entry(key)
    }
}

/// Tokio's bell, with a turn for others before each use: what it does inside is one step.
pub(crate) struct Notify(tokio::sync::Notify);

impl Notify {
    pub(crate) fn new() -> Notify {
        Notify(tokio::sync::Notify::new())
    }

    pub(crate) fn notify_one(&self) {
        shuttle::thread::yield_now();
        self.0.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        shuttle::thread::yield_now();
        self.0.notify_waiters();
    }

    pub(crate) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        shuttle::thread::yield_now();
        self.0.notified()
    }
}
