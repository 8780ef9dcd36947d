//! One attempt at a commit, and what the log's answer to it means.
//!
//! It never talks to the log and never waits: every decision is in one table.

use std::collections::BTreeMap;

use bytes::Bytes;
use globe_log_client::{
    Conflict, Epoch, Error, ErrorKind, Keyspace, Position, Result, Transaction, Write,
};
use tokio::time::Instant;

use crate::replica::deletes::Deleting;
use crate::replica::lanes::Touch;
use crate::write::replicas::{AnyReplica, Replicas, positions};

/// One attempt: what is asked of the log, and what was known when it was asked.
pub(crate) struct Attempt<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) replicas: &'a Replicas,
    /// When the log was asked: what it answers is a proof of freshness from then on.
    pub(crate) asked: Instant,
    /// Where each replica stood before that.
    before: Vec<Position>,
    /// What it deletes, for the guards of those maps.
    deleting: Vec<Deleting>,
}

impl<'a> Attempt<'a> {
    /// Begins one; or says why a map that is to show it has ended.
    pub(crate) fn begin(
        transaction: &'a Transaction,
        replicas: &'a Replicas,
    ) -> Result<Attempt<'a>> {
        Ok(Attempt {
            transaction,
            replicas,
            before: positions(replicas)?,
            asked: Instant::now(),
            deleting: deleting(transaction, replicas),
        })
    }

    /// It is known what became of it: every replica shows it, or it was not committed.
    pub(crate) fn is_over(&mut self) {
        self.deleting.iter_mut().for_each(Deleting::is_over);
    }

    /// The life of the log its guards are from; `None` when they name no revision.
    pub(crate) fn life(&self) -> Option<Epoch> {
        self.transaction.epoch()
    }

    /// Has every replica compare the log's answer with what it shows.
    pub(crate) fn audit(&self, answer: &Result<Position>) {
        for (replica, before) in self.replicas.iter().zip(&self.before) {
            replica.audit(answer, *before);
        }
    }
}

/// What a transaction does with the keys of a replica.
pub(crate) fn touched(
    transaction: &Transaction,
    replica: &dyn AnyReplica,
) -> BTreeMap<Bytes, Touch> {
    let is_here = |keyspace: &Keyspace| keyspace == replica.keyspace();
    let guards = transaction.preconditions().iter();
    let read = guards.filter(|guard| is_here(&guard.0));
    let read = read.map(|guard| (guard.1.clone(), Touch::Reads));
    let writes = transaction.writes().iter();
    let written = writes.filter(|write| is_here(&write.0));
    let written = written.map(|write| (write.1.clone(), Touch::Writes));
    // What is read and written is written.
    read.chain(written).collect()
}

/// Tells the maps that want to know which of their keys are deleted.
fn deleting(transaction: &Transaction, replicas: &Replicas) -> Vec<Deleting> {
    let guarded = replicas.iter().filter_map(|replica| {
        let deletes = replica.deletes()?;
        let writes = transaction.writes().iter();
        let deleted = writes.filter(|(keyspace, _, write)| {
            matches!(write, Write::Delete) && keyspace == replica.keyspace()
        });
        Some(deletes.begin(deleted.map(|(_, key, _)| key.clone()).collect()))
    });
    guarded.collect()
}

/// What a write was decided on, and so what a conflict means for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// On nothing: it is meant whatever stands there. Its guards only keep late copies of it out.
    Nothing,
    /// On what was read: what it writes has to be computed again.
    Read,
    /// On something standing there, whatever it is.
    Presence,
    /// On exactly what its guards say: a conflict is the answer.
    Exactly,
}

/// What is to be done after an attempt that was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send the same again, after a pause.
    Resend,
    /// Send it at once, guarded by what the log found.
    GuardAnew,
    /// As that, after a pause that makes way for others.
    PauseAndGuardAnew,
    /// Wait until what the log found is visible here, and compute again from that.
    ReadAnew,
    /// Follow the log into the life it is in now, and take the guards from there.
    FollowLife,
    /// The error is the answer.
    GiveUp,
}

/// What an error means for an attempt: on what it was decided, in which life of the log, and whether its guards were fresh,
/// the log's own answer of a moment ago.
///
/// Guards grow old during a pause: among many writers an attempt after one meets a conflict again. It learns from that what
/// stands there now, and the next follows at once; when even that meets one, it makes way for others.
pub(crate) fn verdict(
    kind: &ErrorKind,
    basis: Basis,
    life: Option<Epoch>,
    was_fresh: bool,
) -> Next {
    match kind {
        ErrorKind::Unavailable => Next::Resend,
        kind if is_another_life(kind, life) && basis != Basis::Exactly => Next::FollowLife,
        ErrorKind::Conflict(conflict) => match basis {
            Basis::Exactly => Next::GiveUp,
            Basis::Read => Next::ReadAnew,
            Basis::Presence if found_nothing(conflict) => Next::GiveUp,
            Basis::Nothing | Basis::Presence if was_fresh => Next::PauseAndGuardAnew,
            Basis::Nothing | Basis::Presence => Next::GuardAnew,
        },
        _ => Next::GiveUp,
    }
}

/// Whether an answer says that the log is in another life than the guards are from.
fn is_another_life(kind: &ErrorKind, life: Option<Epoch>) -> bool {
    match kind {
        ErrorKind::EpochChanged => life.is_some(),
        ErrorKind::Conflict(conflict) => life.is_some_and(|life| life != conflict.position.epoch),
        _ => false,
    }
}

/// Whether a conflict says of a key that there is none.
fn found_nothing(conflict: &Conflict) -> bool {
    conflict
        .failed
        .iter()
        .any(|failed| failed.found().is_none())
}

/// What became of an attempt, where it is not an error.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Committed, and visible here.
    Committed(Position),
    /// Nothing was written, because something else stands there. Another attempt is due, with newer guards.
    Overtaken(Conflict),
    /// Nothing was written, because the log is in another life. Another attempt is due: every replica has followed it there.
    OtherLife,
}

impl Outcome {
    /// What an attempt came to that was not committed, when what is to be done next is done.
    pub(crate) fn after(next: Next, error: Error) -> Result<Outcome> {
        match (next, error.kind()) {
            (Next::FollowLife, _) => Ok(Outcome::OtherLife),
            (_, ErrorKind::Conflict(conflict)) => Ok(Outcome::Overtaken(conflict.clone())),
            _ => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use globe_log_client::{FailedPrecondition, Keyspace, Revision, Standing};

    use super::*;

    const LIFE: Epoch = Epoch::new(7);
    const OTHER: Epoch = Epoch::new(8);

    fn conflict(epoch: Epoch, is_there: bool) -> ErrorKind {
        let found = is_there.then(|| Standing::new(Revision(1), Revision(2)));
        let flags = Keyspace::new("flags").unwrap();
        ErrorKind::Conflict(Conflict::new(
            Position::new(epoch, Revision(9)),
            vec![FailedPrecondition::new(flags, "a", found)],
        ))
    }

    const EVERY: [Basis; 4] = [Basis::Nothing, Basis::Read, Basis::Presence, Basis::Exactly];

    #[test]
    fn a_conflict_costs_what_the_write_was_decided_on() {
        let (something, nothing) = (conflict(LIFE, true), conflict(LIFE, false));
        let table = [
            (&something, Basis::Nothing, false, Next::GuardAnew),
            (&something, Basis::Nothing, true, Next::PauseAndGuardAnew),
            (&nothing, Basis::Nothing, false, Next::GuardAnew),
            (&nothing, Basis::Nothing, true, Next::PauseAndGuardAnew),
            (&something, Basis::Presence, false, Next::GuardAnew),
            (&something, Basis::Presence, true, Next::PauseAndGuardAnew),
            (&nothing, Basis::Presence, false, Next::GiveUp),
            (&nothing, Basis::Presence, true, Next::GiveUp),
            (&something, Basis::Read, false, Next::ReadAnew),
            (&nothing, Basis::Read, true, Next::ReadAnew),
            (&something, Basis::Exactly, false, Next::GiveUp),
            (&nothing, Basis::Exactly, true, Next::GiveUp),
        ];
        for (kind, basis, was_fresh, next) in table {
            let verdict = verdict(kind, basis, Some(LIFE), was_fresh);
            assert_eq!(verdict, next, "{kind:?} {basis:?} {was_fresh}");
        }
    }

    #[test]
    fn in_another_life_guards_are_taken_anew_but_never_a_callers_own() {
        for kind in [ErrorKind::EpochChanged, conflict(OTHER, true)] {
            for basis in EVERY {
                let next = match basis {
                    Basis::Exactly => Next::GiveUp,
                    _ => Next::FollowLife,
                };
                assert_eq!(verdict(&kind, basis, Some(LIFE), false), next, "{basis:?}");
            }
        }
        // Guards that name no revision are of no life.
        for basis in EVERY {
            let verdict = verdict(&ErrorKind::EpochChanged, basis, None, false);
            assert_eq!(verdict, Next::GiveUp, "{basis:?}");
        }
        let verdict = verdict(&conflict(OTHER, true), Basis::Nothing, None, false);
        assert_eq!(verdict, Next::GuardAnew);
    }

    #[test]
    fn only_what_was_surely_not_written_is_sent_again() {
        let behind = ErrorKind::Behind(Position::new(LIFE, Revision(1)));
        let large = Error::too_large(1, 2, "two").kind().clone();
        let table = [
            (ErrorKind::Unavailable, Next::Resend),
            (ErrorKind::Indeterminate, Next::GiveUp),
            (behind, Next::GiveUp),
            (large, Next::GiveUp),
            (ErrorKind::LeaseLost, Next::GiveUp),
            (ErrorKind::Denied, Next::GiveUp),
            (ErrorKind::Full, Next::GiveUp),
            (ErrorKind::Invalid, Next::GiveUp),
            (ErrorKind::Unsupported, Next::GiveUp),
            (ErrorKind::Closed, Next::GiveUp),
        ];
        for (kind, next) in table {
            for basis in EVERY {
                assert_eq!(verdict(&kind, basis, Some(LIFE), false), next, "{kind:?}");
            }
        }
    }
}
