//! What a rival tells, a line each; and the clock it tells it by, which is one for all processes.
//!
//! Nothing is judged here.

use globe::{Position, Token};
use globe_oracle::Standing;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What one competes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    Lock,
    Term,
}

/// What happened to a rival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// What it is about.
    pub(crate) kind: Kind,
    /// What it says.
    pub(crate) what: What,
    /// When it began, by [`micros`].
    pub(crate) call: u64,
}

/// What a rival says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// It waits.
    Asks,
    /// It holds by this token.
    Granted(Token),
    /// It asked how its guard stands.
    Saw(Standing),
    /// It is about to write this, which may land only while it holds.
    Writes(String),
    /// That is committed.
    Wrote(String, Position),
    /// That is not: it does not hold.
    Refused(String),
    /// Whether that is, is not known.
    Doubts(String),
    /// It has given up what it held by this token, since it is lost.
    Lost(Token),
}

impl Told {
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("words")
    }

    pub(super) fn from_text(line: &str) -> Told {
        serde_json::from_str(line).expect("a word of a rival")
    }
}

/// Microseconds of the clock that all processes of a machine share, and nobody sets.
pub(crate) fn micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    u64::try_from(micros).unwrap_or_default()
}
