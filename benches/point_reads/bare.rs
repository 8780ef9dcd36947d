//! Maps that live in the process and follow nothing: whoever has them writes to them.
//!
//! None of them has a view, a history, or an order.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use globe_bench::key;

use crate::subject::{Done, Read, Subject, Walk, reading};

/// A map that is written through a shared reference.
trait Shared: Send + Sync + 'static {
    fn get(&self, key: &str) -> Option<Arc<u64>>;
    fn put(&self, key: String, value: Arc<u64>);
}

/// A subject of such a map.
struct Bare<M> {
    name: &'static str,
    map: Arc<M>,
    keys: Arc<Vec<String>>,
    writes: Walk<String>,
    count: u64,
}

/// All of them, filled.
pub(crate) fn all(keys: &Arc<Vec<String>>) -> Vec<Box<dyn Subject>> {
    let entries = keys.len();
    let hasher = RandomState::default;
    vec![
        filled("DashMap", DashMap::<_, _>::with_capacity(entries), keys),
        filled(
            "DashMap, foldhash",
            DashMap::with_capacity_and_hasher(entries, hasher()),
            keys,
        ),
        filled(
            "papaya, foldhash",
            papaya::HashMap::with_capacity_and_hasher(entries, hasher()),
            keys,
        ),
        filled(
            "`RwLock<HashMap>`, foldhash",
            RwLock::new(HashMap::with_capacity_and_hasher(entries, hasher())),
            keys,
        ),
        filled("moka", moka::sync::Cache::builder().build(), keys),
    ]
}

/// In the order of the keys, as a node that reads a snapshot.
fn filled<M: Shared>(name: &'static str, map: M, keys: &Arc<Vec<String>>) -> Box<dyn Subject> {
    for number in 0..keys.len() {
        map.put(key(number), Arc::new(number as u64));
    }
    Box::new(Bare {
        name,
        map: Arc::new(map),
        keys: Arc::clone(keys),
        writes: Walk::from(keys, 0),
        count: 0,
    })
}

impl<M: Shared> Subject for Bare<M> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn reader(&self, place: usize) -> Done<Read> {
        let map = Arc::clone(&self.map);
        let walk = Walk::from(&self.keys, place);
        Ok(reading(walk, move |key| map.get(key)))
    }

    fn write(&mut self) -> Done {
        self.count += 1;
        let key = self.writes.next().clone();
        self.map.put(key, Arc::new(self.count));
        Ok(())
    }

    fn shown(&self) -> u64 {
        self.count
    }
}

impl<S: BuildHasher + Clone + Send + Sync + 'static> Shared for DashMap<String, Arc<u64>, S> {
    fn get(&self, key: &str) -> Option<Arc<u64>> {
        DashMap::get(self, key).map(|value| Arc::clone(&value))
    }

    fn put(&self, key: String, value: Arc<u64>) {
        self.insert(key, value);
    }
}

impl Shared for papaya::HashMap<String, Arc<u64>, RandomState> {
    fn get(&self, key: &str) -> Option<Arc<u64>> {
        self.pin().get(key).map(Arc::clone)
    }

    fn put(&self, key: String, value: Arc<u64>) {
        self.pin().insert(key, value);
    }
}

impl Shared for RwLock<HashMap<String, Arc<u64>, RandomState>> {
    fn get(&self, key: &str) -> Option<Arc<u64>> {
        let map = self.read().unwrap_or_else(PoisonError::into_inner);
        map.get(key).map(Arc::clone)
    }

    fn put(&self, key: String, value: Arc<u64>) {
        let mut map = self.write().unwrap_or_else(PoisonError::into_inner);
        map.insert(key, value);
    }
}

impl Shared for moka::sync::Cache<String, Arc<u64>> {
    fn get(&self, key: &str) -> Option<Arc<u64>> {
        moka::sync::Cache::get(self, key)
    }

    fn put(&self, key: String, value: Arc<u64>) {
        self.insert(key, value);
    }
}
