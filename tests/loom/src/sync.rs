//! The words of shared memory, as loom has them, and stand-ins for those it does not know.
//!
//! A stand-in hands over what was written before it, as the real one does (`ArcSwap` and `KeyTable` acquire and release).

#[path = "../../shuttle/src/stand_ins.rs"]
mod stand_ins;

use std::sync::PoisonError;

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use stand_ins::{ArcSwap, KeyTable};
pub(crate) use tokio::sync::Notify;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
