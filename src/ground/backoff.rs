//! How long to wait before the next attempt.
//!
//! It only computes: its owner does the waiting.

use std::time::Duration;

/// Doubling pauses between a shortest and a longest one, each with jitter, so that many clients of a log that comes back
/// do not all arrive at once.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    shortest: Duration,
    longest: Duration,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Backoff {
        Backoff {
            shortest,
            longest: longest.max(shortest),
            attempt: 0,
        }
    }

    /// The next pause: between half and the whole of `shortest * 2^attempt`, at most `longest`.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self
            .shortest
            .saturating_mul(1 << self.attempt.min(20))
            .min(self.longest);
        self.attempt = self.attempt.saturating_add(1);
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// The next pause is a short one again.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }
}

/// How long a silent tail may owe what the log has: doubled each time a tail was replaced and the next one owed as well,
/// so that a slow link is not mistaken for a dead one for ever.
#[derive(Debug)]
pub(crate) struct Patience {
    first: Duration,
    now: Duration,
}

impl Patience {
    const LONGEST: Duration = Duration::from_secs(30);

    pub(crate) fn new(first: Duration) -> Patience {
        Patience { first, now: first }
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn grow(&mut self) {
        self.now = (self.now * 2).min(Self::LONGEST.max(self.first));
    }

    pub(crate) fn reset(&mut self) {
        self.now = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        for whole in [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000] {
            let pause = backoff.next().as_millis();
            assert!((whole / 2..=whole).contains(&pause), "{pause} of {whole}");
        }
        (0..100).for_each(|_| assert!(backoff.next() <= Duration::from_secs(2)));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(50));
    }

    #[test]
    fn patience_grows_to_a_bound_and_comes_back() {
        let mut patience = Patience::new(Duration::from_secs(1));
        (0..10).for_each(|_| patience.grow());
        assert_eq!(patience.now(), Patience::LONGEST);
        patience.reset();
        assert_eq!(patience.now(), Duration::from_secs(1));
    }
}
