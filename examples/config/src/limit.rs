//! How many requests are let in: a bucket that fills at the rate of a live setting.
//!
//! Never keeps a limit of its own: whoever lets a request in shows it the one of this moment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The limit, as it is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    /// How many requests a second.
    pub(crate) per_second: u32,
    /// How many at once, after a pause.
    pub(crate) burst: u32,
}

/// As long as nobody has set anything, and while the log is away at start.
pub(crate) const DEFAULT: Limit = Limit {
    per_second: 1_000,
    burst: 100,
};

/// Refuses what would let nobody in. It says what is wrong, and not what was said: it is shown to people.
pub(crate) fn check(limit: &Limit) -> Result<(), String> {
    match limit {
        Limit { per_second: 0, .. } => Err("per_second is zero: nobody would be let in".to_owned()),
        Limit { burst: 0, .. } => Err("burst is zero: nobody would be let in".to_owned()),
        _ => Ok(()),
    }
}

/// Lets requests in, as a limit says.
#[derive(Debug)]
pub(crate) struct Limiter {
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    filled: Instant,
    tokens: f64,
}

impl Limiter {
    pub(crate) fn new() -> Limiter {
        let bucket = Bucket {
            filled: Instant::now(),
            tokens: f64::INFINITY, // As full as the limit allows.
        };
        Limiter {
            bucket: Mutex::new(bucket),
        }
    }

    /// Lets a request in, or says after what time to come again.
    pub(crate) fn admit(&self, limit: &Limit) -> Result<(), Duration> {
        let (rate, burst) = (f64::from(limit.per_second), f64::from(limit.burst));
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = now.duration_since(bucket.filled).as_secs_f64();
        bucket.filled = now;
        bucket.tokens = (bucket.tokens + since * rate).min(burst);
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / rate));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}
