//! The guard of a map: which steps of its log it does not show at once, and for how long.
//!
//! Only says: what is withheld is kept by the one applier, and told by [`Withholding`](super::withheld::Withholding).

use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};

/// What a map does with a step of its log that takes nearly everything away: [`Builder::guard`](crate::Builder::guard).
///
/// A step is one commit, or a snapshot or difference that was read anew: after an outage, a compaction, or a restore of the log.
/// Somebody has deleted the wrong prefix, or the log has come back empty: whoever follows loses all at once, on every node.
/// [`Guard::hold`] withholds such a step, and goes on showing what was there before. What comes after it is withheld as well, so
/// the map never shows what never was; its [status](crate::Status::withheld) and a
/// [watch](crate::Reader::watch_withheld) say so, and `tracing` is warned. It ends
/// - when what was withheld takes no more than the guard allows: what was deleted is there again. Nobody sees that it was not;
/// - when somebody [accepts](crate::Reader::accept_withheld) it;
/// - when its time is over: the log is the truth, and a guard gives people time to look at it.
///
/// Meanwhile the map is what it says it is: an old one. Its phase is stale, `sync` and linearizable views wait for what is
/// withheld, writes go to the log and are `Behind` at their deadline, and versions are those of before. So hold what is
/// configuration, and not claims, counters or entries that end with a session: these may all be gone with good reason.
///
/// What was deleted through this map, or a clone of its handle, passes: whoever deletes knows. What another process has deleted,
/// or another map of this one, and what has ended with its lease, does not. A map that shows nothing yet has nothing to withhold,
/// unless it began with an [offline copy](crate::Builder::offline); neither has one of fewer than three entries.
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::{Globe, Guard, MemoryLog};
///
/// let log = MemoryLog::new();
/// let limits: Globe<String, u64> = Globe::builder(log.clone(), "limits")
///     .guard(Guard::hold().at_most(Duration::from_secs(600)))
///     .open()
///     .await?;
/// limits.put_all(["a", "b", "c"].map(|key| (key.to_owned(), 1))).await?;
///
/// // Somebody, somewhere.
/// let other: Globe<String, u64> = Globe::open(log, "limits").await?;
/// let mut withheld = limits.watch_withheld();
/// other.clear().await?;
///
/// let alert = withheld.next().await.flatten().expect("it is withheld");
/// assert_eq!((alert.gone, limits.len()), (3, 3));
/// assert!(limits.accept_withheld());
/// assert!(withheld.next().await.is_some_and(|withheld| withheld.is_none()));
/// assert!(limits.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    hold: Option<Hold>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Hold {
    share: f64,
    new_epochs: bool,
    at_most: Option<Duration>,
}

/// What a step does to a map, as far as a guard wants to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// How many entries there were.
    pub(crate) before: usize,
    /// How many of them are gone, not counting those that were deleted here.
    pub(crate) gone: usize,
    pub(crate) is_new_epoch: bool,
}

/// Maps of fewer entries are followed.
const FEWEST: usize = 3;

const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Default for Guard {
    fn default() -> Guard {
        Guard::follow()
    }
}

impl Guard {
    /// Shows whatever the log says, at once. The default of a map: the log is the truth, a linearizable read has to wait for
    /// what is withheld, and only who knows what a map is for can say that it is never empty with good reason.
    #[must_use]
    pub const fn follow() -> Guard {
        Guard { hold: None }
    }

    /// Withholds a step that takes nine in ten entries or more away, for a minute at most. The default of
    /// [settings](crate::Settings), whose loss would put every node back to what it was compiled with.
    #[must_use]
    pub const fn hold() -> Guard {
        Guard {
            hold: Some(Hold {
                share: 0.9,
                new_epochs: false,
                at_most: Some(Duration::from_secs(60)),
            }),
        }
    }

    /// Withholds a step that takes this share of the entries away, or more: above 0, and at most 1, which is all of them.
    /// Default 0.9. As all that follows, it means nothing for a guard that [follows](Guard::follow).
    #[must_use]
    pub fn share(self, share: f64) -> Guard {
        self.with(|hold| hold.share = share)
    }

    /// Whether a new epoch is withheld whatever it takes away: the log was restored or replaced, and somebody shall look first.
    /// Default false: a restore is followed by the exact difference, and what it takes away counts as of any step.
    #[must_use]
    pub fn new_epochs(self, are_held: bool) -> Guard {
        self.with(|hold| hold.new_epochs = are_held)
    }

    /// How long it is withheld at most, counting only the time in which the log is followed: while it is away nobody can put
    /// right what is in it. Default 60 s; above zero, at most a year.
    #[must_use]
    pub fn at_most(self, time: Duration) -> Guard {
        self.with(|hold| hold.at_most = Some(time))
    }

    /// It is withheld until somebody accepts it, or it is put right in the log, however long that takes.
    #[must_use]
    pub fn until_accepted(self) -> Guard {
        self.with(|hold| hold.at_most = None)
    }

    fn with(mut self, set: impl FnOnce(&mut Hold)) -> Guard {
        self.hold.as_mut().map(set);
        self
    }

    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(Hold { share, at_most, .. }) = self.hold else {
            return Ok(());
        };
        let why = if !(share > 0.0 && share <= 1.0) {
            format!("the share of a guard is {share}: it must be above 0 and at most 1")
        } else if at_most.is_some_and(|time| time.is_zero() || time > LONGEST) {
            let time = at_most.unwrap_or_default();
            format!("a guard holds for {time:?}: it must be more than zero and at most {LONGEST:?}")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Invalid, why))
    }

    /// Whether there is anything that it withholds.
    pub(crate) fn is_set(&self) -> bool {
        self.hold.is_some()
    }

    /// How long it withholds a step; `None` is for ever.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.hold.and_then(|hold| hold.at_most)
    }

    pub(crate) fn withholds(&self, step: Step) -> bool {
        let Some(hold) = self.hold else {
            return false;
        };
        let takes = step.gone as f64 >= hold.share * step.before as f64;
        step.before >= FEWEST && (takes || (hold.new_epochs && step.is_new_epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(before: usize, gone: usize, is_new_epoch: bool) -> Step {
        Step {
            before,
            gone,
            is_new_epoch,
        }
    }

    #[test]
    fn what_takes_the_share_or_more_is_withheld_and_nothing_less() {
        let hold = Guard::hold();
        let table = [
            (hold, step(10, 9, false), true),
            (hold, step(10, 8, true), false),
            (hold, step(3, 3, false), true),
            (hold, step(3, 2, false), false),
            // Of fewer than three.
            (hold, step(2, 2, false), false),
            (hold, step(0, 0, true), false),
            (hold.share(1.0), step(100, 99, false), false),
            (hold.share(1.0), step(100, 100, false), true),
            (hold.share(0.01), step(100, 1, false), true),
            (hold.share(0.01), step(100, 0, false), false),
            (hold.new_epochs(true), step(100, 0, true), true),
            (hold.new_epochs(true), step(100, 0, false), false),
            (hold.new_epochs(true), step(2, 2, true), false),
            (Guard::follow(), step(100, 100, true), false),
            (Guard::follow().new_epochs(true), step(9, 9, true), false),
        ];
        for (guard, step, withheld) in table {
            assert_eq!(guard.withholds(step), withheld, "{guard:?} {step:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_invalid() {
        for share in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
            let error = Guard::hold().share(share).check().unwrap_err();
            assert!(error.to_string().contains("at most 1"), "{error}");
        }
        for time in [Duration::ZERO, LONGEST + Duration::from_nanos(1)] {
            let error = Guard::hold().at_most(time).check().unwrap_err();
            assert!(error.to_string().contains("more than zero"), "{error}");
        }
        let set = [Guard::hold(), Guard::hold().until_accepted().share(0.5)];
        for guard in [set[0], set[1], Guard::follow()] {
            guard.check().unwrap();
        }
    }
}
