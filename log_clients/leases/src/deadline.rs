//! Until when a commit must be answered.
//!
//! Never cuts off what may have been written: only a look that goes before.

use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

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

    /// A look that must be over by then, before anything is written.
    pub(crate) async fn bound<T>(&self, look: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(end) = self.0 else {
            return look.await;
        };
        timeout_at(end, look).await.unwrap_or_else(|_| {
            let why = "the look at its lease took all the time there was: nothing was written";
            Err(Error::new(ErrorKind::Unavailable, why))
        })
    }
}
