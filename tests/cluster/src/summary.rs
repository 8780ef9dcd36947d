//! What came out of all rounds, for people.
//!
//! It hides nothing: what was not run is in it, with the reason.

use std::fmt;

use crate::round::Played;

/// All rounds of a run, and what was not run.
#[derive(Debug, Default)]
pub struct Summary {
    /// The rounds.
    pub rounds: Vec<Played>,
    /// What was not run, and why.
    pub not_run: Vec<(String, String)>,
}

impl Summary {
    /// Whether something was run, and nothing was wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.rounds.is_empty() && self.rounds.iter().all(|round| round.wrong.is_empty())
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.wrong.is_empty() { "ok" } else { "WRONG" };
        write!(
            f,
            "{:<45} {:<22} {:>5.1} s {:>6} ops {:>4} faults {:>4} errors {:>3} unknown {:>3} resyncs  {verdict}",
            self.scenario,
            self.leg,
            self.took.as_secs_f64(),
            self.operations,
            self.faults,
            self.errors,
            self.unknown,
            self.resyncs
        )?;
        for wrong in self.wrong.iter().take(12) {
            let wrong: String = wrong.chars().take(400).collect();
            write!(f, "\n    {wrong}")?;
        }
        if let Some(path) = &self.history {
            let (all, seed) = (self.wrong.len(), self.seed);
            let path = path.display();
            write!(
                f,
                "\n    {all} in all; seed {seed}; check again: cargo run -p globe-oracle --bin globe-check -- {path}"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for round in &self.rounds {
            writeln!(f, "{round}")?;
        }
        for (what, why) in &self.not_run {
            writeln!(f, "{what:<68} NOT RUN: {why}")?;
        }
        let wrong = self.rounds.iter().filter(|round| !round.wrong.is_empty());
        let sum = |of: fn(&Played) -> usize| self.rounds.iter().map(of).sum::<usize>();
        write!(
            f,
            "{} rounds, {} operations, {} faults, {} outcomes unknown, {} rounds wrong, {} not run",
            self.rounds.len(),
            sum(|round| round.operations),
            sum(|round| round.faults),
            sum(|round| round.unknown),
            wrong.count(),
            self.not_run.len()
        )
    }
}
