//! Different numbers of maps or processes, each by turns with bare watches.
//!
//! It never leaves a number out of a round.

use globe_bench::{Contest, Done, either};
use tokio::runtime::Runtime;

use crate::follower::{BOTH, Load, Who};
use crate::point::measure;
use crate::sample::{FIGURES, Sample};

const ROUNDS: usize = 3;

/// What there is more and more of.
pub(crate) struct Growth {
    pub(crate) group: &'static str,
    pub(crate) noun: &'static str,
    pub(crate) numbers: &'static [usize],
    pub(crate) load: fn(usize) -> Load,
    /// What is measured beside it in each round, of ours alone.
    pub(crate) beside: Option<Load>,
}

/// What was measured in a round.
pub(crate) struct Round {
    /// For each number, what each who followed took.
    pub(crate) samples: Vec<[Sample; 2]>,
    pub(crate) beside: Option<Sample>,
}

impl Growth {
    pub(crate) fn measure(&self, runtime: &Runtime) -> Done<Vec<Round>> {
        let mut rounds = Vec::new();
        for round in 0..either(ROUNDS, 1) {
            let mut samples = Vec::new();
            for (place, number) in self.numbers.iter().enumerate() {
                let mut both = [[f64::NAN; FIGURES.len()]; 2];
                for turn in Contest::turns(round + place, BOTH.len()) {
                    both[turn] = measure(runtime, BOTH[turn], (self.load)(*number))?;
                }
                samples.push(both);
            }
            let beside = self.beside.map(|load| measure(runtime, Who::Ours, load));
            rounds.push(Round {
                samples,
                beside: beside.transpose()?,
            });
        }
        Ok(rounds)
    }
}
