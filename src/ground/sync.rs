//! The words of shared memory that readers, watches and the applier meet at, in one place, so that `tests/shuttle` can
//! put those of a model checker in their stead.
//!
//! Nothing here is ours but the way a lock is taken.

use std::sync::PoisonError;

pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) use crate::ground::key_table::KeyTable;
pub(crate) use arc_swap::ArcSwap;
pub(crate) use tokio::sync::Notify;

/// Takes a lock. Nothing here can panic while holding one, so a poisoned one holds no half-made change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
