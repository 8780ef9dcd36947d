//! What is read and written: a map of any kind, by whatever way its readers have to it.
//!
//! None of it measures anything: when, and how often, is the round's business.

use std::hint::black_box;
use std::sync::Arc;

/// What a benchmark does, or why it could not; across threads.
pub(crate) type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Reads so many keys, one after the other, and goes on from there the next time; says how many it has found.
pub(crate) type Read = Box<dyn FnMut(usize) -> usize + Send>;

/// A map with the entries that all have.
pub(crate) trait Subject: Send {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// A reader for a thread of its own, that begins in another place than the others.
    fn reader(&self, place: usize) -> Done<Read>;

    /// How many reads there are between two looks at the clock.
    fn batch(&self) -> usize {
        512
    }

    /// Writes one entry.
    fn write(&mut self) -> Done;

    /// How many writes readers have been shown.
    fn shown(&self) -> u64;

    /// How many more there are that readers are still to be shown.
    fn behind(&self) -> u64 {
        0
    }
}

/// Keys that are walked in a circle.
pub(crate) struct Walk<K> {
    keys: Arc<Vec<K>>,
    place: usize,
}

impl<K> Walk<K> {
    pub(crate) fn from(keys: &Arc<Vec<K>>, place: usize) -> Walk<K> {
        Walk {
            keys: Arc::clone(keys),
            place: place % keys.len(),
        }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> &K {
        let here = self.place;
        self.place = if here + 1 == self.keys.len() {
            0
        } else {
            here + 1
        };
        &self.keys[here]
    }
}

/// A reader that walks keys, and keeps what it is handed until it reads the next one.
pub(crate) fn reading<K, V>(
    mut walk: Walk<K>,
    mut get: impl FnMut(&K) -> Option<V> + Send + 'static,
) -> Read
where
    K: Send + Sync + 'static,
{
    Box::new(move |times| {
        let mut found = 0;
        for _ in 0..times {
            found += usize::from(black_box(get(walk.next())).is_some());
        }
        found
    })
}
