//! Any number of subjects that do the same, measured by turns, so that a busy machine is as unkind to one as to the others.
//!
//! It never compares what was measured in different rounds.

use tokio::time::{Duration, Instant};

use crate::spread::Spread;
use crate::unit::Unit;

/// What subjects took, round by round: ours is the first of them, the others are its peers.
#[derive(Clone, Debug)]
pub struct Contest {
    unit: Unit,
    names: Vec<String>,
    /// What each took in each round.
    rounds: Vec<Vec<f64>>,
}

impl Contest {
    /// No rounds yet, of what is counted in this unit.
    pub fn of<N: Into<String>>(unit: Unit, names: impl IntoIterator<Item = N>) -> Contest {
        Contest {
            unit,
            names: names.into_iter().map(Into::into).collect(),
            rounds: Vec::new(),
        }
    }

    /// Measures each subject once in each of `rounds` rounds. It says how often it did the thing that is measured.
    pub fn time(&mut self, rounds: usize, subjects: &mut [&mut dyn FnMut() -> usize]) {
        for round in 0..rounds {
            let mut took = vec![f64::NAN; subjects.len()];
            for turn in Contest::turns(round, subjects.len()) {
                let begun = Instant::now();
                let times = subjects[turn]();
                took[turn] = nanoseconds(begun.elapsed()) / times.max(1) as f64;
            }
            self.count(took);
        }
    }

    /// In which order so many subjects are measured in a round: each is the first of them in its turn.
    pub fn turns(round: usize, subjects: usize) -> impl Iterator<Item = usize> {
        (0..subjects).map(move |turn| (round + turn) % subjects)
    }

    /// Adds a round that was measured elsewhere, in the unit of this contest: what each subject took.
    pub fn count(&mut self, took: Vec<f64>) {
        self.rounds.push(took);
    }

    /// What is counted.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// What the subjects are called.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What a subject took.
    #[must_use]
    pub fn spread(&self, subject: usize) -> Spread {
        Spread::of(self.rounds.iter().map(|took| took[subject]))
    }

    /// The peer whose median is the best: that of most where more is better, otherwise that of least.
    #[must_use]
    pub fn best_peer(&self) -> usize {
        let median = |peer: &usize| match self.unit.more_is_better() {
            true => -self.spread(*peer).median,
            false => self.spread(*peer).median,
        };
        let by_median = |one: &usize, other: &usize| median(one).total_cmp(&median(other));
        (1..self.names.len()).min_by(by_median).unwrap_or_default()
    }

    /// What ours and this peer alone took in the same rounds.
    #[must_use]
    pub fn beside(&self, peer: usize) -> Contest {
        let rounds = self.rounds.iter().map(|took| vec![took[0], took[peer]]);
        Contest {
            unit: self.unit,
            names: vec![self.names[0].clone(), self.names[peer].clone()],
            rounds: rounds.collect(),
        }
    }

    /// The median of what ours took in a round, divided by what a peer took in the same round.
    #[must_use]
    pub fn ratio(&self, peer: usize) -> f64 {
        Spread::of(self.rounds.iter().map(|took| took[0] / took[peer])).median
    }
}

/// As contests of times count it.
#[must_use]
pub fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_the_first_in_its_turn_and_measured_in_every_round() {
        let order = |round| Contest::turns(round, 3).collect::<Vec<_>>();
        assert_eq!(
            [order(0), order(1), order(2), order(3)],
            [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]
        );
        let (mut ours, mut peer) = (0, 0);
        let mut contest = Contest::of(Unit::Time, ["ours", "peer"]);
        let count = |times: &mut usize| {
            *times += 1;
            1
        };
        contest.time(7, &mut [&mut || count(&mut ours), &mut || count(&mut peer)]);
        assert_eq!((ours, peer, contest.spread(1).rounds), (7, 7, 7));
    }

    #[test]
    fn ours_is_compared_to_the_best_peer_of_the_same_round() {
        let mut times = Contest::of(Unit::Time, ["ours", "slow", "fast"]);
        let mut rates = Contest::of(Unit::PerSecond, ["ours", "slow", "fast"]);
        for busy in [1.0, 1.0, 50.0] {
            times.count(vec![11.0 * busy, 30.0 * busy, 10.0 * busy]);
            rates.count(vec![11.0 / busy, 5.0 / busy, 10.0 / busy]);
        }
        assert_eq!((times.best_peer(), rates.best_peer()), (2, 2));
        assert!((times.ratio(2) - 1.1).abs() < 1e-9);
        assert!((rates.ratio(2) - 1.1).abs() < 1e-9);
        let beside = times.beside(1);
        assert_eq!(
            (beside.names(), beside.best_peer()),
            (&["ours", "slow"].map(str::to_owned)[..], 1)
        );
        assert!((beside.ratio(1) - times.ratio(1)).abs() < 1e-9);
    }
}
