//! What the queues of locks and elections are made of: records that people can read.
//!
//! Never says who holds: that is the order of the claims.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Globe;

/// The map in which locks, permits, elections and barriers stand: opened by the caller, who shares one among all of them, so
/// that one tail serves all. Every process must use the same keyspace.
pub type Claims = Globe<String, Claim>;

/// One record of [`Claims`]: somebody who holds something, or waits for it; or what a recipe has to remember.
///
/// As JSON it is `{"by":"web-7/41","mode":"write","weight":1,"value":…}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claim {
    /// The name of the session whose it is.
    #[serde(default)]
    pub by: String,
    /// Whether it shares with others.
    #[serde(default)]
    pub mode: Mode,
    /// How many permits it takes.
    #[serde(default = "one")]
    pub weight: u32,
    /// What its owner wants others to know.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub value: Value,
}

/// Whether a claim shares with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// It shares with none.
    #[default]
    Write,
    /// It shares with those that read as well.
    Read,
}

fn one() -> u32 {
    1
}

impl Claim {
    pub(crate) fn new(by: &str, mode: Mode, weight: u32, value: Value) -> Claim {
        Claim {
            by: by.to_owned(),
            mode,
            weight,
            value,
        }
    }

    /// What a recipe remembers, which nobody holds.
    pub(crate) fn note(by: &str, value: Value) -> Claim {
        Claim::new(by, Mode::Write, 1, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_can_be_read_and_written_by_people() {
        let claim = Claim::new("web-7/41", Mode::Read, 2, serde_json::json!({"at": "h1"}));
        let text = r#"{"by":"web-7/41","mode":"read","weight":2,"value":{"at":"h1"}}"#;
        assert_eq!(serde_json::to_string(&claim).unwrap(), text);
        assert_eq!(serde_json::from_str::<Claim>(text).unwrap(), claim);
        let by_hand: Claim = serde_json::from_str("{}").unwrap();
        assert_eq!(by_hand, Claim::new("", Mode::Write, 1, Value::Null));
    }
}
