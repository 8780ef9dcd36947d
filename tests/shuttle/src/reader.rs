//! A handle on a map that has no log: as much of one as a cached key looks through.
//!
//! Nothing is followed through it.

use std::sync::Arc;

use crate::entry::key::Key;
use crate::replica::Replica;

pub(crate) struct Reader<K, V>(Arc<Replica<K, V>>);

impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    pub(crate) fn new(replica: Arc<Replica<K, V>>) -> Reader<K, V> {
        Reader(replica)
    }

    pub(crate) fn replica(&self) -> &Arc<Replica<K, V>> {
        &self.0
    }

    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.0.get(key)
    }
}

impl<K, V> Clone for Reader<K, V> {
    fn clone(&self) -> Reader<K, V> {
        Reader(Arc::clone(&self.0))
    }
}
