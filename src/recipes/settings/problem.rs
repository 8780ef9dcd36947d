//! What is wrong with a setting, for people and for alarms.
//!
//! Never holds a value: only where it stands, and what was expected.

use std::fmt;

use serde::Serialize;

/// Something about a setting that a person has to mend: a value that was refused, a record that nobody can read, an
/// application that failed. It is listed for as long as it is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The name of the setting.
    pub setting: String,
    /// Where it is: the key in the keyspace, or `binding`, or `reaction`.
    pub at: String,
    /// What is wrong. Holds no value, unless a check of the caller's says it.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.setting, self.at, self.why)
    }
}
