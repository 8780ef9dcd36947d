//! What must be true of every history. One checker a file; each is a pure function.
//!
//! No checker repairs or guesses: what the history does not tell, none of them claims.

mod cas;
mod causal;
mod claims;
mod convergence;
mod delivery;
mod enough;
mod exactly_once;
mod floor;
mod ghosts;
mod isolation;
mod leaks;
mod linearizable;
mod liveness;
mod monotonic;
mod own_writes;
mod recipes;
mod registers;
mod resync;
mod serializable;
mod staleness;
mod timeline;
mod truth;
mod visibility;

#[cfg(test)]
mod planted;

use std::collections::BTreeSet;
use std::fmt;

use crate::history::History;
use timeline::Timeline;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The checker that found it.
    pub check: &'static str,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

type Check = fn(&History, &Timeline) -> Vec<String>;

/// Every checker, by name.
const CHECKS: &[(&str, Check)] = &[
    ("enough", enough::check),
    ("truth", truth::check),
    ("convergence", convergence::check),
    ("delivery", delivery::check),
    ("resync", resync::check),
    ("visibility", visibility::check),
    ("monotonic", monotonic::check),
    ("own writes", own_writes::check),
    ("causal", causal::check),
    ("linearizable", linearizable::check),
    ("compare-and-swap", cas::check),
    ("registers", registers::check),
    ("serializable", serializable::check),
    ("exactly once", exactly_once::check),
    ("ghosts", ghosts::check),
    ("staleness", staleness::check),
    ("liveness", liveness::check),
    ("leaks", leaks::check),
    ("isolation", isolation::check),
    ("enough claims", claims::enough::check),
    ("two holders", claims::holders::check),
    ("tokens", claims::tokens::check),
    ("fences", claims::fences::check),
    ("gates", claims::gates::check),
    ("told late", claims::late::check),
    ("resumed", claims::resumed::check),
    ("outlived", claims::outlived::check),
    ("presence", claims::presence::check),
    ("settled", claims::settled::check),
    ("enough recipes", recipes::enough::check),
    ("moves", recipes::moves::check),
    ("two owners", recipes::owners::check),
    ("written", recipes::written::check),
    ("given away", recipes::given::check),
    ("kept", recipes::kept::check),
    ("served", recipes::served::check),
    ("listed", recipes::listed::check),
    ("registered", recipes::registered::check),
    ("settings", recipes::settings::check),
];

/// The names of all checkers.
pub fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(name, _)| *name)
}

/// Who was killed in which phase of a move of a shard, as `strict: next, drain`: of the owner, the next, the previous one and the
/// planner.
#[must_use]
pub fn deaths(history: &History) -> BTreeSet<String> {
    recipes::deaths::deaths(history, &Timeline::of(history))
}

/// Runs every checker; empty when all is well.
#[must_use]
pub fn check_all(history: &History) -> Vec<Violation> {
    check_except(history, &[])
}

/// Runs every checker but some: a log that breaks its contract breaks promises that stand on it.
#[must_use]
pub fn check_except(history: &History, without: &[&str]) -> Vec<Violation> {
    let timeline = Timeline::of(history);
    let chosen = CHECKS.iter().filter(|(name, _)| !without.contains(name));
    let found = chosen.flat_map(|(name, check)| {
        let violations = check(history, &timeline).into_iter();
        violations.map(move |what| Violation { check: name, what })
    });
    found.collect()
}
