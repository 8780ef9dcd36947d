//! Until when a commit must be answered.
//!
//! Never cuts anything off: it only says how long there still is to wait.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

/// A point in time, or none.
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(timeout: Option<Duration>) -> Deadline {
        Deadline(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// How long there still is.
    pub(crate) fn left(&self) -> Option<Duration> {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        self.0.map(left)
    }

    /// Waits, if there is something to wait for; false if the time was over first.
    pub(crate) async fn wait(&self, duration: Option<Duration>) -> bool {
        let Some(duration) = duration else {
            return true;
        };
        match self.0 {
            Some(end) if self.left() < Some(duration) => {
                sleep_until(end).await;
                false
            }
            _ => {
                sleep(duration).await;
                true
            }
        }
    }
}
