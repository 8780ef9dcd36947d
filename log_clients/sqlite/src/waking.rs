//! How the threads of the log wake those who wait for them.
//!
//! Never lets what a waker does harm a thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Wakes whoever waits. A waker that panics harms nobody but its task: the threads of the log go on.
pub(crate) fn wake(wake: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(wake)).is_err() {
        tracing::warn!("a waker has panicked");
    }
}
