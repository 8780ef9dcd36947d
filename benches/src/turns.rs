//! Two peers, measured in turns, so that a busy machine is as unkind to one as to the other.
//!
//! It never drops a sample: the median is what leaves the outliers out.

use tokio::time::{Duration, Instant};

use crate::unit::Unit;

/// What two peers took, round by round: times, unless something else is said.
#[derive(Debug, Default)]
pub struct Turns {
    unit: Unit,
    ours: Vec<f64>,
    peer: Vec<f64>,
}

impl Turns {
    /// Measures both peers `rounds` times, each first in every other round. A peer says how often it did the thing that is
    /// measured.
    pub fn take(
        rounds: usize,
        mut ours: impl FnMut() -> usize,
        mut peer: impl FnMut() -> usize,
    ) -> Turns {
        let mut turns = Turns::default();
        for round in 0..rounds {
            if round % 2 == 0 {
                turns.ours.push(time(&mut ours));
                turns.peer.push(time(&mut peer));
            } else {
                turns.peer.push(time(&mut peer));
                turns.ours.push(time(&mut ours));
            }
        }
        turns
    }

    /// No rounds yet, of what is counted in this unit.
    #[must_use]
    pub fn of(unit: Unit) -> Turns {
        Turns {
            unit,
            ..Turns::default()
        }
    }

    /// Adds a round that was measured elsewhere.
    pub fn push(&mut self, ours: Duration, peer: Duration) {
        self.count(nanoseconds(ours), nanoseconds(peer));
    }

    /// Adds a round that was counted elsewhere, in the unit of these turns.
    pub fn count(&mut self, ours: f64, peer: f64) {
        self.ours.push(ours);
        self.peer.push(peer);
    }

    /// What is counted.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The median of ours.
    #[must_use]
    pub fn ours(&self) -> f64 {
        median(self.ours.clone())
    }

    /// The median of the peer.
    #[must_use]
    pub fn peer(&self) -> f64 {
        median(self.peer.clone())
    }

    /// The median of what ours took in a round, divided by what the peer took in the same round.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        let rounds = self.ours.iter().zip(&self.peer);
        median(rounds.map(|(ours, peer)| ours / peer).collect())
    }
}

fn time(work: &mut impl FnMut() -> usize) -> f64 {
    let begun = Instant::now();
    let times = work();
    nanoseconds(begun.elapsed()) / times.max(1) as f64
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The middle one.
#[must_use]
fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_neighbours_and_an_outlier_does_not_move_it() {
        let mut turns = Turns::default();
        for (ours, peer) in [(10, 10), (900, 20), (22, 20), (21, 20), (24, 20)] {
            turns.push(Duration::from_nanos(ours), Duration::from_nanos(peer));
        }
        assert!((turns.ratio() - 1.1).abs() < 1e-9);
        assert!((turns.ours() - 22.0).abs() < 1e-9);
        assert!((turns.peer() - 20.0).abs() < 1e-9);
    }

    #[test]
    fn both_peers_are_measured_in_every_round() {
        let (mut ours, mut peer) = (0, 0);
        let count = |times: &mut usize| {
            *times += 1;
            1
        };
        let turns = Turns::take(7, || count(&mut ours), || count(&mut peer));
        assert_eq!((turns.ours.len(), turns.peer.len()), (7, 7));
        assert_eq!((ours, peer), (7, 7));
    }
}
