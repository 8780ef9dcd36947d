//! Every setting of a map as a number: its default, and what is refused.
//!
//! Settings are data: none of them changes what is correct, only how long something may take.

use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};

use crate::replica::guard::Guard;

/// The settings of one map.
#[derive(Clone, Debug)]
pub(crate) struct MapSettings {
    pub(crate) open_timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) probe_interval: Duration,
    pub(crate) stale_after: Duration,
    pub(crate) tail_timeout: Duration,
    pub(crate) retry_min: Duration,
    pub(crate) retry_max: Duration,
    pub(crate) strict: bool,
    pub(crate) guard: Guard,
}

impl Default for MapSettings {
    fn default() -> MapSettings {
        MapSettings {
            open_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(10),
            probe_interval: Duration::from_millis(500),
            stale_after: Duration::from_millis(1_800),
            tail_timeout: Duration::from_secs(1),
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(2),
            strict: false,
            guard: Guard::follow(),
        }
    }
}

/// No time setting may be longer: a longer one is a mistake in its unit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Refuses a time that cannot be meant.
pub(crate) fn check_time(name: &str, time: Duration) -> Result<()> {
    if time.is_zero() {
        return refuse(format!("{name} is zero: it needs some time"));
    }
    if time > LONGEST {
        return refuse(format!(
            "{name} is {time:?}: at most {LONGEST:?} is allowed"
        ));
    }
    Ok(())
}

fn refuse(why: String) -> Result<()> {
    Err(Error::new(ErrorKind::Invalid, why))
}

impl MapSettings {
    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<()> {
        let times = [
            ("open_timeout", self.open_timeout),
            ("deadline", self.deadline),
            ("probe_interval", self.probe_interval),
            ("stale_after", self.stale_after),
            ("tail_timeout", self.tail_timeout),
            ("the shortest retry", self.retry_min),
            ("the longest retry", self.retry_max),
        ];
        for (name, time) in times {
            check_time(name, time)?;
        }
        if self.stale_after < self.probe_interval {
            return refuse(format!(
                "stale_after ({:?}) is shorter than the probe_interval ({:?}): the map would always be stale",
                self.stale_after, self.probe_interval
            ));
        }
        if self.retry_max < self.retry_min {
            return refuse(format!(
                "the longest retry ({:?}) is shorter than the shortest ({:?})",
                self.retry_max, self.retry_min
            ));
        }
        self.guard.check()
    }
}
