//! Tells of an outage once, however many attempts it costs.
//!
//! It only tells: nothing is decided here.

use globe_log_client::{Error, Keyspace};

/// The failures since the log was last followed.
#[derive(Debug)]
pub(crate) struct Outage {
    keyspace: Keyspace,
    attempts: u32,
}

impl Outage {
    pub(crate) fn new(keyspace: Keyspace) -> Outage {
        Outage {
            keyspace,
            attempts: 0,
        }
    }

    /// One more attempt failed.
    pub(crate) fn attempt(&mut self, error: &Error) {
        let keyspace = &self.keyspace;
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts == 1 {
            tracing::warn!(%keyspace, %error, "following the log broke; serving the last state and trying again");
        } else {
            tracing::debug!(%keyspace, attempt = self.attempts, %error, "the log is still out of reach");
        }
    }

    /// The log is followed again, or still.
    pub(crate) fn ends(&mut self) {
        let attempts = std::mem::take(&mut self.attempts);
        if attempts > 0 {
            tracing::info!(keyspace = %self.keyspace, attempts, "following the log again");
        }
    }
}
