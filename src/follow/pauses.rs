//! How long the tailer waits before it tries again.
//!
//! It only computes, from what broke and how long all went well before: the tailer does the waiting.

use std::time::Duration;

use crate::follow::verdict::{Break, Next};
use crate::ground::backoff::Backoff;

/// A tail that lived this long was no mere interlude between two snapshots: the next one is taken without a long pause.
pub(crate) const STEADY: Duration = Duration::from_secs(5);

/// Longer each time, for tails and for snapshots.
#[derive(Debug)]
pub(crate) struct Pauses {
    /// Before another tail is opened, and before a snapshot that failed is begun again.
    tails: Backoff,
    /// Before another snapshot is taken.
    snapshots: Backoff,
}

impl Pauses {
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Pauses {
        Pauses {
            tails: Backoff::new(shortest, longest),
            snapshots: Backoff::new(shortest, longest),
        }
    }

    /// Before the snapshot that failed is begun again.
    pub(crate) fn after_a_failed_snapshot(&mut self) -> Duration {
        self.tails.next()
    }

    /// Before what is next after a break, when the map was hydrated so long ago. None after a request of the prober.
    pub(crate) fn after(
        &mut self,
        why: &Break,
        next: Next,
        since_hydrated: Duration,
    ) -> Option<Duration> {
        let pauses = match next {
            Next::Reopen => &mut self.tails,
            Next::Resync(_) => &mut self.snapshots,
        };
        let was_of_use = since_hydrated >= STEADY;
        if matches!(next, Next::Resync(_)) && was_of_use {
            pauses.reset();
        }
        (!matches!(why, Break::Asked(_))).then(|| pauses.next())
    }

    /// The log is followed: the next tail that breaks is replaced soon.
    pub(crate) fn followed(&mut self) {
        self.tails.reset();
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Error, ErrorKind};

    use super::*;
    use crate::entry::change::ResyncReason;

    const SHORTEST: Duration = Duration::from_millis(50);
    const RESYNC: Next = Next::Resync(ResyncReason::Compacted);

    fn pauses() -> Pauses {
        Pauses::new(SHORTEST, Duration::from_secs(2))
    }

    fn broken() -> Break {
        Break::Log(Error::new(ErrorKind::Unavailable, "the tail broke"))
    }

    #[test]
    fn snapshots_that_break_at_once_are_taken_ever_more_slowly_and_useful_ones_are_not() {
        let mut pauses = pauses();
        for _ in 0..9 {
            pauses.after(&broken(), RESYNC, Duration::ZERO);
        }
        let late = pauses.after(&broken(), RESYNC, STEADY / 2);
        assert!(late >= Some(Duration::from_secs(1)), "{late:?}");
        let soon = pauses.after(&broken(), RESYNC, STEADY);
        assert!(soon <= Some(SHORTEST), "{soon:?}");
    }

    #[test]
    fn tails_are_opened_ever_more_slowly_until_one_is_followed() {
        let mut pauses = pauses();
        for _ in 0..9 {
            pauses.after(&broken(), Next::Reopen, STEADY);
        }
        assert!(pauses.after_a_failed_snapshot() >= Duration::from_secs(1));
        pauses.followed();
        assert!(pauses.after(&broken(), Next::Reopen, STEADY) <= Some(SHORTEST));
    }

    #[test]
    fn what_the_prober_asks_for_is_not_waited_for() {
        for next in [Next::Reopen, RESYNC] {
            let pause = pauses().after(&Break::Asked(next), next, Duration::ZERO);
            assert_eq!(pause, None, "{next:?}");
        }
    }
}
