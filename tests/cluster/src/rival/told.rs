//! What a rival tells, a line each; and the clock it tells it by, which is one for all processes.
//!
//! Nothing is judged here.

use globe::{Position, Token};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What one competes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Lock,
    Term,
}

impl Kind {
    /// Under which key its holder writes down its token.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Kind::Lock => "lock",
            Kind::Term => "term",
        }
    }
}

/// What happened to a rival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// It holds something.
    Granted { kind: Kind, token: Token },
    /// It asked whether it holds it, between these moments of [`micros`].
    Looked {
        token: Token,
        call: u64,
        ret: u64,
        is_held: bool,
    },
    /// What it wrote under its guard is committed.
    Wrote {
        kind: Kind,
        token: Token,
        position: Position,
    },
    /// What it wrote under its guard was not: it does not hold that.
    Refused { token: Token },
    /// It was told that what it held is lost.
    Lost { token: Token },
}

impl Told {
    pub(crate) fn token(self) -> Token {
        match self {
            Told::Granted { token, .. }
            | Told::Looked { token, .. }
            | Told::Wrote { token, .. }
            | Told::Refused { token }
            | Told::Lost { token } => token,
        }
    }

    /// Whether it said after this moment that it holds by this token.
    pub(crate) fn says_held(self, of: Token, after: u64) -> bool {
        matches!(self, Told::Looked { token, call, is_held: true, .. } if token == of && call >= after)
    }

    pub(super) fn to_text(self) -> String {
        serde_json::to_string(&self).expect("words")
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
