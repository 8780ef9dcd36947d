//! What many samples come to: the one in the middle, and the quarters on either side of it.
//!
//! It never drops a sample: the median is what leaves the outliers out.

use serde::{Deserialize, Serialize};

/// The median of samples, and their quartiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// A quarter of the samples are below it.
    pub low: f64,
    /// The middle one.
    pub median: f64,
    /// A quarter of the samples are above it.
    pub high: f64,
    /// How many samples there were.
    pub rounds: usize,
}

impl Spread {
    /// Of these samples; of none it is not a number.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Spread {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        let at = |quarters: usize| {
            let place = samples.len() * quarters / 4;
            samples.get(place).copied().unwrap_or(f64::NAN)
        };
        Spread {
            low: at(1),
            median: at(2),
            high: at(3),
            rounds: samples.len(),
        }
    }
}

/// What so many of 1,000 samples took at most; of none it is not a number.
#[must_use]
pub fn at_most(permille: usize, mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let place = samples.len() * permille / 1_000;
    samples.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_its_quarters() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 900.0]);
        assert_eq!(
            spread,
            Spread {
                low: 2.0,
                median: 4.0,
                high: 5.0,
                rounds: 5
            }
        );
    }
    #[test]
    fn nearly_all_samples_took_at_most_what_is_said() {
        let samples: Vec<f64> = (0..10_000_u32).rev().map(f64::from).collect();
        assert_eq!(at_most(500, samples.clone()), 5_000.0);
        assert_eq!(at_most(999, samples), 9_990.0);
        assert!(at_most(500, Vec::new()).is_nan());
    }
}
