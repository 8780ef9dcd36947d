//! That somebody doubts a replica, until a snapshot has shown how it is.
//!
//! It never says what is wrong: only a snapshot that was begun after the doubt settles it.

use std::sync::atomic::Ordering;

use crate::ground::sync::{AtomicU64, Notify};

pub(crate) struct Doubt {
    raised: AtomicU64,
    settled: AtomicU64,
    bell: Notify,
}

impl Doubt {
    pub(crate) fn new() -> Doubt {
        Doubt {
            raised: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            bell: Notify::new(),
        }
    }

    /// An answer of the log showed something missing here.
    pub(crate) fn raise(&self) {
        self.raised.fetch_add(1, Ordering::AcqRel);
        self.bell.notify_one();
    }

    /// How many were raised so far: asked before a snapshot is begun.
    pub(crate) fn count(&self) -> u64 {
        self.raised.load(Ordering::Acquire)
    }

    /// A snapshot that was begun after this many is installed.
    pub(crate) fn settle(&self, count: u64) {
        self.settled.fetch_max(count, Ordering::AcqRel);
    }

    /// Whether there is one that no snapshot has settled.
    pub(crate) fn is_raised(&self) -> bool {
        self.settled.load(Ordering::Acquire) < self.count()
    }

    /// Waits until there is one that no snapshot has settled. Only the tailer waits.
    pub(crate) async fn raised(&self) {
        while !self.is_raised() {
            self.bell.notified().await;
        }
    }
}
