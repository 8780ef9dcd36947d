//! A number for each reading of a snapshot.
//!
//! Never gives one twice: pages of two readings are never taken for those of one.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number that comes next.
#[derive(Debug, Default)]
pub(crate) struct Numbers(AtomicU64);

impl Numbers {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
