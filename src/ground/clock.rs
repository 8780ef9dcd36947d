//! A moment on two clocks, and how long until one that is a deadline.
//!
//! Never reads the wall clock: an operator who sets it changes nothing here.

use std::time::Duration;

use tokio::time::Instant;

/// A moment on tokio's clock, which a test may pause, and on one that goes on while the machine is suspended, where there
/// is one: the first stands still then (rust-lang/rust#87906).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    steady: Instant,
    /// Since the machine was started, suspended or not.
    boot: Option<Duration>,
}

impl Moment {
    pub(crate) fn now() -> Moment {
        Moment {
            steady: Instant::now(),
            boot: since_boot(),
        }
    }

    /// So much later.
    pub(crate) fn after(self, time: Duration) -> Moment {
        Moment {
            steady: self.steady + time,
            boot: self.boot.map(|boot| boot + time),
        }
    }

    /// Whether `now` lies beyond this on either clock.
    pub(crate) fn is_past(self, now: Moment) -> bool {
        self.left(now).is_none()
    }

    /// How much time is left from `now` on, by the clock that is further; nothing once either is beyond this.
    pub(crate) fn left(self, now: Moment) -> Option<Duration> {
        let steady = self.steady.checked_duration_since(now.steady)?;
        match (self.boot, now.boot) {
            (Some(then), Some(now)) => Some(steady.min(then.checked_sub(now)?)),
            _ => Some(steady),
        }
    }

    /// How long after another it is, on each clock; nothing on one that there is not.
    pub(crate) fn since(self, base: Moment) -> (Duration, Duration) {
        let steady = self.steady.saturating_duration_since(base.steady);
        let boot = self.boot.zip(base.boot);
        let boot = boot.map(|(boot, base)| boot.saturating_sub(base));
        (steady, boot.unwrap_or_default())
    }

    /// As tokio's timer knows it.
    pub(crate) fn steady(self) -> Instant {
        self.steady
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(now: Moment, steady: u32, boot: Option<u32>) -> Moment {
        Moment {
            steady: now.steady + SECOND * steady,
            boot: boot.map(|boot| SECOND * (1000 + boot)),
        }
    }

    #[tokio::test]
    async fn a_deadline_is_past_as_soon_as_either_clock_is_beyond_it() {
        let now = Moment::now();
        let deadline = at(now, 10, Some(10));
        let table = [
            (at(now, 9, Some(9)), Some(SECOND)),
            (at(now, 10, Some(10)), Some(Duration::ZERO)),
            (at(now, 11, Some(11)), None),
            // The machine was suspended: one clock stood still.
            (at(now, 1, Some(60)), None),
            (at(now, 1, Some(8)), Some(2 * SECOND)),
            (at(now, 11, Some(1)), None),
            // A machine without the second one.
            (at(now, 9, None), Some(SECOND)),
            (at(now, 11, None), None),
        ];
        for (then, left) in table {
            assert_eq!(deadline.left(then), left, "{then:?}");
            assert_eq!(deadline.is_past(then), left.is_none(), "{then:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn there_is_a_second_clock_here_and_it_goes_on() {
        let before = Moment::now();
        assert!(before.boot.is_some_and(|boot| !boot.is_zero()));
        while Moment::now().boot == before.boot {
            std::hint::spin_loop();
        }
        assert!(Moment::now().boot > before.boot);
    }
}
