//! What workers did in a while.
//!
//! It drops nothing: a transaction that ended after the while counts for how long one took, only not for how many there were.

use tokio::time::Duration;

use crate::a_while;

/// One transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) took: Duration,
    /// How often it was tried.
    pub(crate) tries: usize,
    /// Whether it ended in time.
    pub(crate) in_time: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Run(pub(crate) Vec<Made>);

impl Run {
    /// How long it took for each, of all workers together.
    pub(crate) fn each(&self) -> f64 {
        let in_time = self.0.iter().filter(|made| made.in_time).count();
        a_while().as_secs_f64() * 1e9 / in_time as f64
    }

    /// What 99 of 100 took at most.
    pub(crate) fn late(&self) -> f64 {
        let mut took: Vec<_> = self.0.iter().map(|made| made.took).collect();
        took.sort_unstable();
        let late = took.get(took.len() * 99 / 100).copied();
        late.map_or(f64::NAN, |late| late.as_secs_f64() * 1e9)
    }

    /// How often one was tried again.
    pub(crate) fn again(&self) -> f64 {
        let again = self.0.iter().map(|made| made.tries - 1);
        again.sum::<usize>() as f64 / self.0.len() as f64
    }
}
