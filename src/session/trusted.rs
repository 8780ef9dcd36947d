//! Until when a session is live, on both clocks, for who asks on every request.
//!
//! Never decides that: what is under the lock of the session is put here by whoever changes it, before he lets the lock go.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use crate::ground::clock::Moment;
use crate::ground::sync::AtomicU64;

/// Until when a session is live, to be read without its lock.
///
/// While it is live, both numbers only grow. So whoever reads one before and the other after a loss, and a new beginning, reads
/// what was true between the two.
pub(super) struct Trusted {
    /// From where both count.
    base: Moment,
    /// In nanoseconds, the first that is beyond it; zero while it is not live.
    steady: AtomicU64,
    boot: AtomicU64,
}

impl Trusted {
    /// Not at all, so far.
    pub(super) fn new(base: Moment) -> Trusted {
        Trusted {
            base,
            steady: AtomicU64::new(0),
            boot: AtomicU64::new(0),
        }
    }

    /// Until the first of these, on each clock; not at all, without any.
    pub(super) fn set(&self, deadlines: impl Iterator<Item = Moment>) {
        let beyond = |time: Duration| nanos(time).saturating_add(1);
        let deadlines = deadlines.map(|deadline| deadline.since(self.base));
        let first = deadlines
            .reduce(|(steady, boot), (other, another)| (steady.min(other), boot.min(another)));
        let (steady, boot) = first.map_or((0, 0), |(steady, boot)| (beyond(steady), beyond(boot)));
        self.steady.store(steady, Release);
        self.boot.store(boot, Release);
    }

    /// Whether it is live by both clocks.
    pub(super) fn holds(&self, now: Moment) -> bool {
        let (steady, boot) = now.since(self.base);
        nanos(steady) < self.steady.load(Acquire) && nanos(boot) < self.boot.load(Acquire)
    }
}

fn nanos(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(u64::from(time.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn it_is_live_until_the_first_deadline_and_not_without_one() {
        let base = Moment::now();
        let at = |seconds: u32| base.after(SECOND * seconds);
        let trusted = Trusted::new(base);
        assert!(!trusted.holds(base));
        trusted.set([at(5), at(3)].into_iter());
        let just_beyond = at(3).after(Duration::from_nanos(1));
        for (now, is_live) in [(base, true), (at(3), true), (just_beyond, false)] {
            assert_eq!(trusted.holds(now), is_live, "{now:?}");
            // As the deadlines themselves have it.
            assert_eq!(!at(3).is_past(now), is_live, "{now:?}");
        }
        trusted.set([].into_iter());
        assert!(!trusted.holds(base));
    }
}
