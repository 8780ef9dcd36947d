//! A handle on one key, read again and again while others are written.
//!
//! Nothing is looked up where nothing has changed: that is what such handles are for.

use std::hint::black_box;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::ours::Ours;
use crate::subject::{Done, Read, Subject};

/// Ours: a cached value of the map.
pub(crate) struct Handle {
    pub(crate) map: Ours,
    pub(crate) key: String,
}

/// What it is beside: a value that is swapped, cached, and neighbours that are swapped as well.
pub(crate) struct Swapped {
    value: Arc<ArcSwap<u64>>,
    neighbours: Vec<ArcSwap<u64>>,
    count: u64,
}

impl Swapped {
    pub(crate) fn beside(neighbours: usize) -> Swapped {
        Swapped {
            value: Arc::default(),
            neighbours: (0..neighbours).map(|_| ArcSwap::default()).collect(),
            count: 0,
        }
    }
}

impl Subject for Handle {
    fn name(&self) -> &'static str {
        "Globe `cached`"
    }

    fn reader(&self, _: usize) -> Done<Read> {
        let mut cached = self.map.globe().cached(self.key.as_str());
        Ok(Box::new(move |times| {
            let mut found = 0;
            for _ in 0..times {
                found += usize::from(black_box(cached.get()).is_some());
            }
            found
        }))
    }

    fn write(&mut self) -> Done {
        self.map.write()
    }

    fn shown(&self) -> u64 {
        self.map.shown()
    }

    fn behind(&self) -> u64 {
        self.map.behind()
    }
}

impl Subject for Swapped {
    fn name(&self) -> &'static str {
        "`arc_swap::Cache`"
    }

    fn reader(&self, _: usize) -> Done<Read> {
        let mut cached = Cache::new(Arc::clone(&self.value));
        Ok(Box::new(move |times| {
            for _ in 0..times {
                black_box(cached.load());
            }
            times
        }))
    }

    fn write(&mut self) -> Done {
        self.count += 1;
        let neighbour = self.count as usize % self.neighbours.len();
        self.neighbours[neighbour].store(Arc::new(self.count));
        Ok(())
    }

    fn shown(&self) -> u64 {
        self.count
    }
}
