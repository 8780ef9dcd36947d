//! The guard against members that vanish all at once: it is more likely that the log lost them than that they died.
//!
//! Only computes: what is listed is its owner's to change.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, ErrorKind, Result};

/// What is done when many members of a service go at once without having drained: see
/// [`RegistryBuilder::vanish`](crate::registry::RegistryBuilder::vanish).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Vanish {
    /// They are held back: they stay listed, and are picked, until they are back, until somebody
    /// [accepts](crate::Registry::accept) that they are gone, or until `hold` is over. So do all that go while others are held
    /// back.
    ///
    /// Members that drained before they went are not counted, neither among those that went nor among those that there were.
    #[non_exhaustive]
    Hold {
        /// More than this share of the members, 0 to 1, of services of three or more. Default 0.5.
        fraction: f64,
        /// Within so long, whether one by one or in one step: those that went first are listed again then. Default 10 s.
        within: Duration,
        /// For so long at most, in which the log was there: nobody can come back while it is away. Default 60 s.
        hold: Duration,
    },
    /// What goes is gone.
    Follow,
}

impl Default for Vanish {
    fn default() -> Vanish {
        Vanish::hold(0.5, Duration::from_secs(10), Duration::from_secs(60))
    }
}

/// Services of fewer members are followed.
const FEWEST: usize = 3;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Vanish {
    /// [`Vanish::Hold`] with these.
    #[must_use]
    pub fn hold(fraction: f64, within: Duration, hold: Duration) -> Vanish {
        Vanish::Hold {
            fraction,
            within,
            hold,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let Vanish::Hold {
            fraction,
            within,
            hold,
        } = *self
        else {
            return Ok(());
        };
        let why = if !(0.0..=1.0).contains(&fraction) {
            format!("the fraction of a vanish guard is {fraction}: it must be 0 to 1")
        } else if [within, hold]
            .iter()
            .any(|time| time.is_zero() || *time > DAY)
        {
            let times = format!("{within:?} and {hold:?}");
            format!(
                "the times of a vanish guard are {times}: each must be more than zero and at most 24 hours"
            )
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Invalid, why))
    }

    fn is_alarming(&self, gone: usize, there: usize) -> bool {
        match *self {
            Vanish::Hold { fraction, .. } => {
                there >= FEWEST && gone as f64 > fraction * there as f64
            }
            Vanish::Follow => false,
        }
    }

    fn times(&self) -> (Duration, Duration) {
        match *self {
            Vanish::Hold { within, hold, .. } => (within, hold),
            Vanish::Follow => (Duration::ZERO, Duration::ZERO),
        }
    }
}

/// Of one service: who went lately without having drained, and who of them is held back.
#[derive(Debug)]
pub(crate) struct Guard<M> {
    gone: BTreeMap<String, Gone<M>>,
}

#[derive(Debug)]
struct Gone<M> {
    what: M,
    at: Instant,
    /// Since when it is held back.
    held: Option<Instant>,
}

impl<M> Default for Guard<M> {
    fn default() -> Guard<M> {
        Guard {
            gone: BTreeMap::new(),
        }
    }
}

impl<M: Clone> Guard<M> {
    /// These went in one step without having drained, and so many stay that are not draining. Says who is held back from
    /// now on.
    pub(crate) fn go(
        &mut self,
        rule: &Vanish,
        now: Instant,
        went: impl IntoIterator<Item = (String, M)>,
        stay: usize,
    ) -> Vec<(String, M)> {
        self.forget(rule, now);
        for (id, what) in went {
            let (at, held) = (now, None);
            self.gone.insert(id, Gone { what, at, held });
        }
        let gone = self.gone.len();
        if !rule.is_alarming(gone, gone + stay) {
            self.forget(rule, now);
            return Vec::new();
        }
        let fresh = self.gone.iter_mut().filter(|(_, gone)| gone.held.is_none());
        fresh
            .map(|(id, gone)| {
                gone.held = Some(now);
                (id.clone(), gone.what.clone())
            })
            .collect()
    }

    /// It is back.
    pub(crate) fn back(&mut self, id: &str) {
        self.gone.remove(id);
    }

    /// Those that are held back no longer, because their time is over. The log is there without a break since `live`.
    pub(crate) fn due(
        &mut self,
        rule: &Vanish,
        now: Instant,
        live: Option<Instant>,
    ) -> Vec<String> {
        self.forget(rule, now);
        let (_, hold) = rule.times();
        let is_due = |gone: &Gone<M>| {
            let since = gone.held.zip(live).map(|(held, live)| held.max(live));
            since.is_some_and(|since| now >= since + hold)
        };
        self.let_go(is_due)
    }

    /// Those that are held back no longer, because somebody says so.
    pub(crate) fn accept(&mut self) -> Vec<String> {
        self.let_go(|gone| gone.held.is_some())
    }

    fn let_go(&mut self, is_over: impl Fn(&Gone<M>) -> bool) -> Vec<String> {
        let over = self.gone.iter().filter(|(_, gone)| is_over(gone));
        let over: Vec<String> = over.map(|(id, _)| id.clone()).collect();
        for id in &over {
            self.gone.remove(id);
        }
        over
    }

    /// When to ask again, if nothing happens.
    pub(crate) fn deadline(&self, rule: &Vanish, live: Option<Instant>) -> Option<Instant> {
        let (within, hold) = rule.times();
        let deadlines = self.gone.values().filter_map(|gone| match gone.held {
            Some(held) => live.map(|live| held.max(live) + hold),
            None => Some(gone.at + within),
        });
        deadlines.min()
    }

    /// Who went too long ago to count.
    fn forget(&mut self, rule: &Vanish, now: Instant) {
        let (within, _) = rule.times();
        self.gone
            .retain(|_, gone| gone.held.is_some() || now < gone.at + within);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    enum Step {
        /// These go, and so many stay.
        Go(&'static [&'static str], usize, &'static [&'static str]),
        Back(&'static str),
        /// The log is there, and so is who is let go now.
        Due(&'static [&'static str]),
        /// The log is away.
        Away,
        /// The log is there again since now.
        Live,
        Accept(&'static [&'static str]),
    }
    use Step::{Accept, Away, Back, Due, Go, Live};

    fn run(rule: Vanish, steps: &[(u32, Step)]) {
        let (begin, mut guard) = (Instant::now(), Guard::default());
        let mut live = Some(begin);
        for (number, (at, step)) in steps.iter().enumerate() {
            let now = begin + SECOND * *at;
            let (found, expected) = match step {
                Go(went, stay, expected) => {
                    let went = went.iter().map(|id| ((*id).to_owned(), ()));
                    let held = guard.go(&rule, now, went, *stay);
                    (held.into_iter().map(|(id, ())| id).collect(), *expected)
                }
                Back(id) => {
                    guard.back(id);
                    continue;
                }
                Due(expected) => (guard.due(&rule, now, live), *expected),
                Accept(expected) => (guard.accept(), *expected),
                Away => {
                    live = None;
                    continue;
                }
                Live => {
                    live = Some(now);
                    continue;
                }
            };
            assert_eq!(found, expected, "step {number} of {rule:?}");
        }
    }

    #[tokio::test]
    async fn more_than_the_fraction_is_held_back_and_no_less() {
        let rule = Vanish::default();
        run(rule, &[(0, Go(&["a", "b"], 2, &[]))]);
        run(rule, &[(0, Go(&["a", "b", "c"], 2, &["a", "b", "c"]))]);
        run(rule, &[(0, Go(&["a", "b"], 1, &["a", "b"]))]);
        // Of fewer than three.
        run(rule, &[(0, Go(&["a", "b"], 0, &[]))]);
        run(rule, &[(0, Go(&["a"], 0, &[]))]);
        run(Vanish::Follow, &[(0, Go(&["a", "b", "c"], 0, &[]))]);
        let all = Vanish::hold(1.0, SECOND, SECOND);
        run(all, &[(0, Go(&["a", "b", "c"], 0, &[]))]);
        let none = Vanish::hold(0.0, SECOND, SECOND);
        run(none, &[(0, Go(&["a"], 2, &["a"]))]);
    }

    #[tokio::test]
    async fn it_is_the_same_one_by_one_as_at_once_if_it_is_soon_enough() {
        let steps = [
            (0, Go(&["a"], 4, &[])),
            (4, Go(&["b"], 3, &[])),
            (9, Go(&["c"], 2, &["a", "b", "c"])),
            // While others are held back.
            (30, Go(&["d"], 1, &["d"])),
            (68, Due(&[])),
            (69, Due(&["a", "b", "c"])),
            (90, Due(&["d"])),
        ];
        run(Vanish::default(), &steps);
        let steps = [
            (0, Go(&["a"], 4, &[])),
            (4, Go(&["b"], 3, &[])),
            (10, Go(&["c"], 2, &[])),
        ];
        run(Vanish::default(), &steps);
    }

    #[tokio::test]
    async fn who_is_back_counts_no_more() {
        let steps = [
            (0, Go(&["a", "b", "c"], 0, &["a", "b", "c"])),
            (1, Back("a")),
            (2, Back("b")),
            (3, Go(&["a"], 1, &["a"])),
            (60, Due(&["c"])),
            (63, Due(&["a"])),
        ];
        run(Vanish::default(), &steps);
        let steps = [
            (0, Go(&["a", "b", "c"], 0, &["a", "b", "c"])),
            (1, Back("a")),
            (2, Accept(&["b", "c"])),
            (3, Go(&["a"], 4, &[])),
            (60, Due(&[])),
        ];
        run(Vanish::default(), &steps);
    }

    #[tokio::test]
    async fn the_time_in_which_the_log_was_away_does_not_count() {
        let steps = [
            (0, Go(&["a", "b", "c"], 0, &["a", "b", "c"])),
            (10, Away),
            (500, Due(&[])),
            (500, Live),
            (559, Due(&[])),
            (560, Due(&["a", "b", "c"])),
        ];
        run(Vanish::default(), &steps);
    }

    #[tokio::test]
    async fn what_cannot_be_meant_is_invalid() {
        for fraction in [-0.1, 1.1, f64::NAN] {
            let error = Vanish::hold(fraction, SECOND, SECOND).check().unwrap_err();
            assert!(error.to_string().contains("0 to 1"), "{error}");
        }
        for (within, hold) in [(Duration::ZERO, SECOND), (SECOND, DAY + SECOND)] {
            let error = Vanish::hold(0.5, within, hold).check().unwrap_err();
            assert!(error.to_string().contains("24 hours"), "{error}");
        }
    }
}
