//! Two peers, measured in turns, so that a busy machine is as unkind to one as to the other.
//!
//! It never drops a sample: the median is what leaves the outliers out.

use tokio::time::Duration;

use crate::contest::{Contest, nanoseconds};
use crate::unit::Unit;

/// What two peers took, round by round: times, unless something else is said.
#[derive(Debug)]
pub struct Turns(Contest);

impl Turns {
    /// Measures both peers `rounds` times, each first in every other round. A peer says how often it did the thing that is
    /// measured.
    pub fn take(
        rounds: usize,
        mut ours: impl FnMut() -> usize,
        mut peer: impl FnMut() -> usize,
    ) -> Turns {
        let mut turns = Turns::default();
        turns.0.time(rounds, &mut [&mut ours, &mut peer]);
        turns
    }

    /// No rounds yet, of what is counted in this unit.
    #[must_use]
    pub fn of(unit: Unit) -> Turns {
        Turns(Contest::of(unit, ["Globe", "peer"]))
    }

    /// Adds a round that was measured elsewhere.
    pub fn push(&mut self, ours: Duration, peer: Duration) {
        self.count(nanoseconds(ours), nanoseconds(peer));
    }

    /// Adds a round that was counted elsewhere, in the unit of these turns.
    pub fn count(&mut self, ours: f64, peer: f64) {
        self.0.count(vec![ours, peer]);
    }

    /// The contest these turns are.
    #[must_use]
    pub fn contest(&self) -> &Contest {
        &self.0
    }

    /// The median of ours.
    #[must_use]
    pub fn ours(&self) -> f64 {
        self.0.spread(0).median
    }

    /// The median of the peer.
    #[must_use]
    pub fn peer(&self) -> f64 {
        self.0.spread(1).median
    }

    /// The median of what ours took in a round, divided by what the peer took in the same round.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.0.ratio(1)
    }
}

impl Default for Turns {
    fn default() -> Turns {
        Turns::of(Unit::Time)
    }
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
}
