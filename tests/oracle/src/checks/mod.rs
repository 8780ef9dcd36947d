//! What must be true of every history. One checker a file; each is a pure function.
//!
//! No checker repairs or guesses: what the history does not tell, none of them claims.

use std::fmt;

use crate::history::History;

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

/// Runs every checker; empty when all is well.
#[must_use]
pub fn check_all(history: &History) -> Vec<Violation> {
    let _ = history;
    Vec::new()
}
