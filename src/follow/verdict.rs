//! What broke following, and what that costs: the table by which the tailer goes.
//!
//! It only decides: nothing is counted, told of or waited for here.

use globe_log_client::{Error, ErrorKind, Position, Result};

use crate::entry::change::ResyncReason;
use crate::follow::door::Refusal;

/// Why following ended.
#[derive(Debug)]
pub(crate) enum Break {
    /// The log failed.
    Log(Error),
    /// What the log delivered was not applied.
    Refused(Refusal),
    /// The prober asked for it.
    Asked(Next),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Open another tail where this one ended.
    Reopen,
    /// Take the snapshot again.
    Resync(ResyncReason),
}

/// What the prober asks for, and what the log said that made it ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) next: Next,
    pub(crate) head: Position,
}

/// What a break costs; the error the map ends with, where going on would be wrong.
pub(crate) fn verdict(why: &Break) -> Result<Next> {
    match why {
        Break::Log(error) => Ok(cost(error.kind())),
        Break::Asked(next) => Ok(*next),
        Break::Refused(Refusal::Violation(_)) => Ok(Next::Resync(ResyncReason::Violation)),
        Break::Refused(Refusal::Undecodable(end)) => Err(end.clone()),
    }
}

/// What a failure of the log costs. Only lost history, or another one, costs a snapshot.
fn cost(kind: &ErrorKind) -> Next {
    match kind {
        ErrorKind::Compacted => Next::Resync(ResyncReason::Compacted),
        ErrorKind::EpochChanged => Next::Resync(ResyncReason::EpochChanged),
        // Everything else may pass: even a denied permission or an expired certificate can be put right while we wait,
        // and serving the last state meanwhile harms nobody.
        _ => Next::Reopen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(kind: ErrorKind) -> Break {
        Break::Log(Error::new(kind, "the tail broke"))
    }

    #[test]
    fn only_lost_history_and_what_is_refused_costs_a_snapshot() {
        let violation = Refusal::Violation("out of order".to_owned());
        let epoch_changed = Next::Resync(ResyncReason::EpochChanged);
        let table = [
            (log(ErrorKind::Unavailable), Next::Reopen),
            (log(ErrorKind::Denied), Next::Reopen),
            (log(ErrorKind::Stale), Next::Reopen),
            (
                log(ErrorKind::Compacted),
                Next::Resync(ResyncReason::Compacted),
            ),
            (log(ErrorKind::EpochChanged), epoch_changed),
            (
                Break::Refused(violation),
                Next::Resync(ResyncReason::Violation),
            ),
            (Break::Asked(Next::Reopen), Next::Reopen),
            (Break::Asked(epoch_changed), epoch_changed),
        ];
        for (why, next) in table {
            assert_eq!(verdict(&why).ok(), Some(next), "{why:?}");
        }
    }

    #[test]
    fn what_a_strict_map_cannot_decode_ends_it() {
        let undecodable = Error::new(ErrorKind::Codec, "the record cannot be decoded");
        let end = verdict(&Break::Refused(Refusal::Undecodable(undecodable)));
        assert_eq!(end.unwrap_err().kind(), &ErrorKind::Codec);
    }
}
