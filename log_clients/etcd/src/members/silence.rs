//! How long a member has been silent to requests that nobody waited for to the end.
//!
//! Never counts time in which nothing was asked of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The silence of one member's connections since their last answer.
///
/// Callers with little time give up one after the other before anybody could tell a slow member from a dead one. What
/// they have waited adds up here.
#[derive(Debug, Default)]
pub(crate) struct Silence(Mutex<Unanswered>);

/// What was asked since the last answer.
#[derive(Debug, Default)]
struct Unanswered {
    /// How many requests are waiting.
    waiting: u32,
    /// Since when at least one is, or when the last answer came if that was later.
    since: Option<Instant>,
    /// How long it was silent before.
    waited: Duration,
}

impl Silence {
    /// A request is sent.
    pub(crate) fn begins(&self) {
        let mut unanswered = self.unanswered();
        unanswered.waiting += 1;
        unanswered.since.get_or_insert_with(Instant::now);
    }

    /// A request is not waited for any more, whatever became of it: how long the member has been silent by now.
    pub(crate) fn ends(&self) -> Duration {
        let mut unanswered = self.unanswered();
        let silent = unanswered.waited
            + unanswered
                .since
                .map_or(Duration::ZERO, |since| since.elapsed());
        unanswered.waiting = unanswered.waiting.saturating_sub(1);
        if unanswered.waiting == 0 {
            unanswered.waited = silent;
            unanswered.since = None;
        }
        silent
    }

    /// How long it has been silent.
    pub(crate) fn length(&self) -> Duration {
        let unanswered = self.unanswered();
        unanswered.waited
            + unanswered
                .since
                .map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The member answered.
    pub(crate) fn reset(&self) {
        let mut unanswered = self.unanswered();
        unanswered.waited = Duration::ZERO;
        unanswered.since = (unanswered.waiting > 0).then(Instant::now);
    }

    fn unanswered(&self) -> MutexGuard<'_, Unanswered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn silence_adds_up_over_requests_that_were_given_up_but_not_over_rest() {
        let silence = Silence::default();
        for turn in 1..=3 {
            silence.begins();
            silence.begins();
            advance(SECOND).await;
            assert_eq!(silence.ends(), SECOND * turn, "together they are one");
            assert_eq!(silence.ends(), SECOND * turn);
            advance(SECOND * 60).await;
        }
        silence.begins();
        silence.reset();
        advance(SECOND).await;
        assert_eq!(silence.ends(), SECOND);
    }
}
