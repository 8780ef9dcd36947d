//! How a write ended, as far as that can be told: one table.
//!
//! Never takes what may have been committed for what was not.

use globe_log_client::{ErrorKind, Position, Result};

use crate::write::attempt::Outcome;

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Committed(Position),
    NotCommitted,
    Unknown,
}

/// What the log's answer to an attempt means for the keys it writes.
pub(crate) fn ending(outcome: &Result<Outcome>) -> Ending {
    match outcome {
        Ok(Outcome::Committed(position)) => Ending::Committed(*position),
        Ok(Outcome::Overtaken(_) | Outcome::OtherLife) => Ending::NotCommitted,
        Err(error) => match *error.kind() {
            ErrorKind::Behind(position) => Ending::Committed(position),
            _ if error.may_be_committed() => Ending::Unknown,
            _ => Ending::NotCommitted,
        },
    }
}
