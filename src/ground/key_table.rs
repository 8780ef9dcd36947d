//! A concurrent hash map whose keys are shared with others who keep them as well.
//!
//! Whoever looks something up never waits for who writes, and no `Drop` of what was in it is run while it is locked.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::ops::RangeInclusive;
use std::sync::Arc;

use dashmap::DashMap;
use foldhash::fast::RandomState;

/// Into how many parts it is divided, each with a lock: into as many as there are keys, so that two threads seldom want the
/// same one at once, but into no more than it takes for that. An empty part takes 128 bytes.
const SHARDS: RangeInclusive<usize> = 16..=128;

/// By its keys, a value that is cheap to clone.
pub(crate) struct KeyTable<K, V>(DashMap<Arc<K>, V, RandomState>);

impl<K: Eq + Hash, V: Clone> KeyTable<K, V> {
    pub(crate) fn with_capacity(count: usize) -> KeyTable<K, V> {
        let hasher = RandomState::default();
        let shards = count.next_power_of_two();
        let shards = shards.clamp(*SHARDS.start(), *SHARDS.end());
        KeyTable(DashMap::with_capacity_and_hasher_and_shard_amount(
            count, hasher, shards,
        ))
    }

    /// The value of a key, if it has one; `None` where somebody writes just now, who may take long, or not be running.
    ///
    /// It is what `DashMap::try_get` does, which would need an `Arc<K>` to look for.
    #[inline]
    pub(crate) fn try_get<Q>(&self, key: &Q) -> Option<Option<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.0.hasher().hash_one(key);
        let shard = self.0.determine_shard(hash as usize);
        let shard = self.0.shards().get(shard)?.try_read()?;
        let found = shard.get(hash, |(kept, _)| (**kept).borrow() == key);
        Some(found.map(|(_, value)| value.get().clone()))
    }

    pub(crate) fn insert(&self, key: Arc<K>, value: V) {
        self.0.insert(key, value);
    }

    pub(crate) fn remove(&self, key: &K) {
        self.0.remove(key);
    }
}
