//! How often each fault happens, and how long it may last.
//!
//! Data only: nothing is drawn here.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::Fault;

/// The chance of each fault, and the bounds of its duration. Data only: it is drawn from when it is given to a log, by
/// [`FaultyLogBuilder::faults`](crate::FaultyLogBuilder::faults) or
/// [`FaultyLog::set_faults`](crate::FaultyLog::set_faults).
///
/// ```
/// use std::time::Duration;
/// use globe_faulty::{Fault, Faults};
///
/// let faults = Faults::none().with(Fault::LoseReply, 0.1).with(Fault::Delay, 0.5).delay(Duration::from_millis(20));
/// assert_eq!(faults.chance(Fault::LoseReply), 0.1);
/// assert_eq!(faults.chance(Fault::CutTail), 0.0);
///
/// // A bad day with restores as well:
/// let worse = Faults::legal().with(Fault::Backup, 0.05).with(Fault::Restore, 0.01);
/// assert!(Fault::ALL.iter().all(|fault| worse.chance(*fault) == 0.0 || !fault.breaks_the_contract()));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Faults {
    chances: BTreeMap<Fault, f64>,
    pub(crate) delay: Duration,
    pub(crate) silence: Duration,
    pub(crate) lateness: Duration,
}

impl Faults {
    /// No faults: the log as it is. The bounds are the default ones.
    pub fn none() -> Faults {
        Faults {
            chances: BTreeMap::new(),
            delay: Duration::from_millis(50),
            silence: Duration::from_secs(3),
            lateness: Duration::from_secs(8),
        }
    }

    /// Everything the contract allows, but for [`Fault::Backup`] and [`Fault::Restore`], which lose what was
    /// acknowledged, and [`Fault::HoldRequest`], which is no worse than [`Fault::LandLate`]: a bad day, on which work still
    /// gets done.
    pub fn legal() -> Faults {
        Faults::none()
            .with(Fault::Delay, 0.3)
            .with(Fault::Refuse, 0.03)
            .with(Fault::LoseRequest, 0.01)
            .with(Fault::LoseReply, 0.02)
            .with(Fault::LandLate, 0.02)
            .with(Fault::CutTail, 0.02)
            .with(Fault::SilenceTail, 0.01)
            .with(Fault::LagTail, 0.1)
            .with(Fault::Progress, 0.2)
            .with(Fault::SplitPage, 0.3)
            .with(Fault::CutSnapshot, 0.05)
            .with(Fault::SilenceSnapshot, 0.01)
            .with(Fault::Compact, 0.02)
    }

    /// The same, but this fault happens with this chance each time it could, from 0 (never) to 1 (always); what is
    /// beyond counts as the nearer of them. Said last counts.
    pub fn with(mut self, fault: Fault, chance: f64) -> Faults {
        self.chances.insert(fault, chance.clamp(0.0, 1.0));
        self
    }

    /// The longest delay of a call, a batch or a page; 50 ms if not set. A tail that lags is up to four times as late.
    pub fn delay(mut self, longest: Duration) -> Faults {
        self.delay = longest;
        self
    }

    /// How long a call waits for an answer that never comes, and a tail or a snapshot is silent before it breaks, at most;
    /// 3 s if not set. A commit waits no longer than its [timeout](globe_log_client::Transaction::timeout).
    pub fn silence(mut self, longest: Duration) -> Faults {
        self.silence = longest;
        self
    }

    /// How late a commit can reach the log at most, after [`Fault::LandLate`] and [`Fault::HoldRequest`]; 8 s if not
    /// set.
    pub fn lateness(mut self, longest: Duration) -> Faults {
        self.lateness = longest;
        self
    }

    /// The chance of a fault, from 0 to 1; 0 of one that was not set.
    #[must_use]
    pub fn chance(&self, fault: Fault) -> f64 {
        self.chances.get(&fault).copied().unwrap_or(0.0)
    }
}

impl Default for Faults {
    fn default() -> Faults {
        Faults::legal()
    }
}
