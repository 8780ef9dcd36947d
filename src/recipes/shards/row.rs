//! One row of a shard table: whose a shard is, and whom it goes to.
//!
//! Never says what may become of it: those are the eight changes.

use serde::{Deserialize, Serialize};

use crate::recipes::shards::incarnation::Incarnation;

/// What is more important where a shard moves. There is no default: whoever opens a table decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Never two owners: the old one stops before the new one starts, and stops as well when it cannot be sure of its
    /// session. In a move the shard is served by nobody for a commit and its delivery.
    Strict,
    /// Always an owner in the table: the new one is named before the old one is asked to stop, so for a moment there may be two
    /// who serve (and, where the new one hears later of it than the old one takes to stop, for as long nobody). Owners go on
    /// while the log is away.
    Available,
}

/// How far a shard has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// The next owner prepares; the owner goes on.
    Prepare,
    /// The owner stops. (In strict mode only.)
    Drain,
}

/// One row of a shard table, as it stands in the log: `{"owner":"w7@81","term":5}`, and more while it moves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Whose it is.
    pub owner: Incarnation,
    /// How often it has changed hands: the number of its token.
    pub term: u64,
    /// Whom it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Incarnation>,
    /// How far that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Whose it was, who still has to stop. (In available mode only.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Incarnation>,
    /// How much of a member's capacity it takes, beside others: 1 if it is not said.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// Where its range begins. (In tables of ranges only.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The id of the member that an operator wants it to be at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

/// Where a row stands. What contradicts itself, as only people write it, counts as settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage<'a> {
    Settled,
    /// Its owner goes on, this one prepares.
    Prepare(&'a Incarnation),
    /// Its owner stops, this one waits.
    Drain(&'a Incarnation),
    /// Its owner has begun, this one stops.
    Leaving(&'a Incarnation),
}

impl Row {
    pub(crate) fn new(owner: Incarnation, term: u64) -> Row {
        Row {
            owner,
            term,
            next: None,
            phase: None,
            prev: None,
            weight: 1,
            from: None,
            pin: None,
        }
    }

    pub(crate) fn stage(&self) -> Stage<'_> {
        match (&self.next, self.phase, &self.prev) {
            // Nobody hands anything to himself.
            (Some(who), _, _) | (_, _, Some(who)) if *who == self.owner => Stage::Settled,
            (Some(next), Some(Phase::Prepare), None) => Stage::Prepare(next),
            (Some(next), Some(Phase::Drain), None) => Stage::Drain(next),
            (None, None, Some(prev)) => Stage::Leaving(prev),
            _ => Stage::Settled,
        }
    }

    /// The same, settled: nobody comes or goes.
    pub(crate) fn settled(&self) -> Row {
        Row {
            next: None,
            phase: None,
            prev: None,
            ..self.clone()
        }
    }

    /// The same with its next owner, settled, in the next term.
    pub(crate) fn handed_to(&self, owner: &Incarnation) -> Row {
        Row {
            owner: owner.clone(),
            term: self.term.saturating_add(1),
            ..self.settled()
        }
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(weight: &u32) -> bool {
    *weight == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_can_be_read_and_written_by_people() {
        let row = Row::new(Incarnation::new("w7", 81), 5);
        let text = r#"{"owner":"w7@81","term":5}"#;
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
        assert_eq!(serde_json::from_str::<Row>(text).unwrap(), row);
        let moving = Row {
            next: Some(Incarnation::new("w9", 90)),
            phase: Some(Phase::Drain),
            weight: 3,
            ..row
        };
        let text = r#"{"owner":"w7@81","term":5,"next":"w9@90","phase":"drain","weight":3}"#;
        assert_eq!(serde_json::to_string(&moving).unwrap(), text);
        assert_eq!(serde_json::from_str::<Row>(text).unwrap(), moving);
    }
}
