//! Time, as threads of their own have it that must not be stopped: a test that pauses tokio's clock pauses no disk.
//!
//! Never decides anything by the wall clock but how much of the past is kept.
#![allow(
    clippy::disallowed_methods,
    reason = "no runtime runs on these threads"
)]

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// By the clock that nobody sets.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Blocks this thread.
pub(crate) fn sleep(time: Duration) {
    thread::sleep(time);
}

/// By the wall clock, in milliseconds.
pub(crate) fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
