//! One key that is read all the time: its value, kept until the map takes its next step.
//!
//! It never shows what the map would not: it only leaves out the look-up where nothing can have changed.

use std::fmt;
use std::sync::Arc;

use crate::entry::into_key::IntoKey;
use crate::entry::key::Key;
use crate::reader::Reader;

/// The value of one key, for who reads it on every request: made by [`Reader::cached`].
///
/// While the map does not change, a read is one look at a counter. Each change of the map, be it of other keys, costs each
/// `Cached` one look-up at its next read, and a read while a change is being applied is a look-up.
///
/// It is as fresh as [`Reader::get`]: the counter moves before a change is published, so whoever was told of the change, by
/// this handle, another, a view or a watch, on this thread or another, finds that it moved and looks again.
///
/// Reading takes `&mut`: clone it for each thread. It keeps its value until the next read, and the map going, as every
/// handle does.
pub struct Cached<K, V> {
    map: Reader<K, V>,
    key: K,
    /// The step the value is of; none that a map is ever level with before the first look-up.
    step: Option<u64>,
    value: Option<Arc<V>>,
}

impl<K: Key, V: Send + Sync + 'static> Reader<K, V> {
    /// A handle on the value of one key, which need not be there yet, for who reads it all the time.
    ///
    /// ```
    /// # use globe::{Globe, MemoryLog};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # let limits: Globe<String, u64> = Globe::open(MemoryLog::new(), "limits").await?;
    /// let mut limit = limits.cached("requests");
    /// assert_eq!(limit.get(), None);
    /// limits.put("requests", 100).await?;
    /// assert_eq!(limit.get().map(|limit| **limit), Some(100));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn cached(&self, key: impl IntoKey<K>) -> Cached<K, V> {
        Cached {
            map: self.clone(),
            key: key.into_key(),
            step: None,
            value: None,
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Cached<K, V> {
    /// The key whose value it keeps.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The value of the key: local, without waiting, and as fresh as [`Reader::get`]. One look at a counter while the map does
    /// not change, otherwise a look-up.
    #[inline]
    pub fn get(&mut self) -> Option<&Arc<V>> {
        // Asked before looking: what is found is of this step, or newer.
        let step = self.map.replica().step();
        if step.is_none() || step != self.step {
            self.value = self.map.get(&self.key);
            self.step = step;
        }
        self.value.as_ref()
    }
}

impl<K: Clone, V> Clone for Cached<K, V> {
    fn clone(&self) -> Cached<K, V> {
        Cached {
            map: self.map.clone(),
            key: self.key.clone(),
            step: self.step,
            value: self.value.clone(),
        }
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Cached<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
