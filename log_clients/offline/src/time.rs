//! When something was, so that another life of the process can tell how long ago.
//!
//! Never trusts the wall clock alone while there is a better one: it may be set, and nobody tells.
#![allow(
    clippy::disallowed_methods,
    reason = "it is compared with the clock of another life, and no runtime runs on the thread that writes"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// By the clock that nobody sets, and that is only of this process.
pub(crate) fn steady() -> Instant {
    Instant::now()
}

/// A moment on the wall clock, and on that of the machine since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) wall: u64,
    /// Which run of the machine it is; 0 where that is not known.
    pub(crate) boot: u64,
    /// Milliseconds since that run began, also of those while it was suspended.
    pub(crate) up: u64,
}

impl Moment {
    /// So much earlier.
    pub(crate) fn before(self, time: Duration) -> Moment {
        let time = millis(time);
        Moment {
            wall: self.wall.saturating_sub(time),
            up: self.up.saturating_sub(time),
            ..self
        }
    }

    /// How long before `now` that was, by the clock that says more; nothing where neither can tell, because the wall clock
    /// was set back and the machine started anew.
    pub(crate) fn age(self, now: Moment) -> Option<Duration> {
        let wall = now.wall.checked_sub(self.wall);
        let is_same_run = self.boot != 0 && self.boot == now.boot;
        let age = if is_same_run {
            let up = now.up.checked_sub(self.up)?;
            up.max(wall.unwrap_or(0))
        } else {
            wall?
        };
        Some(Duration::from_millis(age))
    }
}

/// What moments are taken from. It asks once which run of the machine this is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    boot: u64,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let boot = since_boot().and_then(|_| this_run());
        Clock {
            boot: boot.unwrap_or(0),
        }
    }

    pub(crate) fn now(self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let up = since_boot().unwrap_or_default();
        Moment {
            wall: wall.map_or(0, millis),
            boot: self.boot,
            up: millis(up),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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

/// The kernel draws a random name at each start.
fn this_run() -> Option<u64> {
    let name = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = name.chars().filter(char::is_ascii_hexdigit).collect();
    u64::from_str_radix(digits.get(..16)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall: u64, boot: u64, up: u64) -> Moment {
        Moment { wall, boot, up }
    }

    #[test]
    fn an_age_is_never_too_small_however_the_wall_clock_is_set() {
        let then = moment(100_000, 7, 5_000);
        let age = |now: Moment| then.age(now).map(millis);
        // In the same run of the machine: at least what has passed.
        assert_eq!(age(moment(103_000, 7, 8_000)), Some(3_000));
        assert_eq!(age(moment(90_000, 7, 8_000)), Some(3_000));
        assert_eq!(age(moment(100_001, 7, 8_000)), Some(3_000));
        assert_eq!(age(moment(900_000, 7, 8_000)), Some(800_000));
        assert_eq!(age(moment(900_000, 7, 4_999)), None);
        // In another one there is only the wall clock.
        assert_eq!(age(moment(103_000, 8, 1_000)), Some(3_000));
        assert_eq!(age(moment(99_999, 8, 90_000)), None);
        assert_eq!(age(moment(99_999, 0, 90_000)), None);
        let unknown = moment(100_000, 0, 5_000);
        assert_eq!(unknown.age(moment(99_999, 0, 90_000)), None);
    }

    #[test]
    fn what_was_known_before_it_was_asked_is_older_on_both_clocks() {
        let now = moment(100_000, 7, 5_000);
        let before = now.before(Duration::from_secs(2));
        assert_eq!(before, moment(98_000, 7, 3_000));
        assert_eq!(now.before(Duration::MAX), moment(0, 7, 0));
    }

    #[test]
    fn the_clock_goes_on() {
        let clock = Clock::new();
        let (first, second) = (clock.now(), clock.now());
        assert!(first.age(second).is_some());
        #[cfg(target_os = "linux")]
        assert_ne!(first.boot, 0);
    }
}
