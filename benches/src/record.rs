//! What is kept of a run, line by line: what it was made on, the rows of its tables, and what could not be measured.
//!
//! It never knows how it will be shown.

use serde::{Deserialize, Serialize};

use crate::spread::Spread;
use crate::unit::Unit;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// What it was made on: the first line.
    Run(Run),
    /// A row of a table.
    Row(Record),
    /// What could not be measured, and why, of this group.
    Remark(String, String),
}

/// What a run was made on, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The command that began it.
    pub command: String,
    /// The day it began.
    pub date: String,
    /// What of the sources it measured.
    pub commit: String,
    /// The cores that it could use.
    pub cores: usize,
    /// The model of the processor.
    pub processor: String,
    /// The operating system, and its version.
    pub kernel: String,
    /// How many others wanted to run when it began.
    pub load: String,
    /// What it was made with, and the version of each.
    pub versions: Vec<(String, String)>,
}

/// A row of a table: what was measured, what each subject took, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The table it stands in.
    pub group: String,
    /// What was measured.
    pub figure: String,
    /// What it is counted in.
    pub unit: Unit,
    /// What each took: ours is the first.
    pub subjects: Vec<Subject>,
    /// Ours, divided by the best peer of the same round: the median, unless that took nothing.
    pub ratio: Option<f64>,
    /// How ours compares to that peer, as it is shown.
    pub compared: String,
    /// What that has to be, as it is shown.
    pub target: String,
    /// Whether it is that, if it has to be anything.
    pub met: Option<bool>,
}

/// What one of them took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// What it took.
    #[serde(flatten)]
    pub spread: Spread,
}

impl Record {
    /// Whether the target was met, as it is shown.
    #[must_use]
    pub fn says_met(&self) -> &'static str {
        match self.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        }
    }
}
