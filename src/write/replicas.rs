//! The replicas of the maps that one commit touches, whatever their types.
//!
//! Nothing is written to them here: a commit only asks where they stand, waits for them, and tells them what the log said.

use std::sync::Arc;

use async_trait::async_trait;
use globe_log_client::{
    Conflict, Error, ErrorKind, FailedPrecondition, Keyspace, Position, Result,
};
use tokio::time::Instant;

use crate::entry::key::{Key, decode_key};
use crate::replica::Replica;
use crate::replica::deletes::Deletes;
use crate::replica::lanes::Lanes;
use crate::replica::state::State;
use crate::replica::withheld::Withheld;

/// The replica of a map, whatever its type.
#[async_trait]
pub(crate) trait AnyReplica: Send + Sync {
    fn keyspace(&self) -> &Keyspace;

    /// Where it stands; or why it ended.
    fn position(&self) -> Result<Position>;

    /// Waits until it shows everything up to a position.
    async fn reached(&self, position: Position) -> Result<()>;

    /// What it shows covers a linearizable answer to a question asked then.
    fn prove(&self, asked: Instant);

    /// The keys that are deleted through it, where its guard wants to know.
    fn deletes(&self) -> Option<&Arc<Deletes>>;

    /// Where writes through it wait for each other.
    fn lanes(&self) -> &Arc<Lanes>;

    /// What is withheld there, as a part of an error.
    fn withheld(&self) -> Option<Withheld>;

    /// Compares the log's answer to a commit with what it shows, and with where it stood before the question: it is doubted
    /// when something was never delivered to it, or when it claims what is not in the log.
    fn audit(&self, answer: &Result<Position>, before: Position);
}

/// The replicas that a commit waits for.
pub(crate) type Replicas = Vec<Arc<dyn AnyReplica>>;

#[async_trait]
impl<K: Key, V: Send + Sync + 'static> AnyReplica for Replica<K, V> {
    fn keyspace(&self) -> &Keyspace {
        Replica::keyspace(self)
    }

    fn position(&self) -> Result<Position> {
        match self.ended() {
            Some(end) => Err(end),
            None => Ok(self.state().position),
        }
    }

    async fn reached(&self, position: Position) -> Result<()> {
        Replica::reached(self, position).await
    }

    fn prove(&self, asked: Instant) {
        Replica::prove(self, asked);
    }

    fn deletes(&self) -> Option<&Arc<Deletes>> {
        self.guard().is_set().then(|| Replica::deletes(self))
    }

    fn lanes(&self) -> &Arc<Lanes> {
        Replica::lanes(self)
    }

    fn withheld(&self) -> Option<Withheld> {
        self.withholding().told()
    }

    fn audit(&self, answer: &Result<Position>, before: Position) {
        let is_disproved = match answer {
            // A linearizable answer below what was applied before the question.
            Ok(committed) => before.covers(*committed) && before != *committed,
            Err(error) => match error.kind() {
                ErrorKind::Conflict(conflict) => {
                    let state = self.state();
                    let mut failed = failed_in(conflict, Replica::keyspace(self));
                    failed.any(|failed| misses(&state, failed, conflict.position))
                }
                _ => false,
            },
        };
        if is_disproved {
            self.doubt();
        }
    }
}

/// What a conflict says of one keyspace.
fn failed_in<'a>(
    conflict: &'a Conflict,
    keyspace: &'a Keyspace,
) -> impl Iterator<Item = &'a FailedPrecondition> {
    let failed = conflict.failed.iter();
    failed.filter(move |failed| *failed.keyspace() == *keyspace)
}

/// From where on what a conflict found in a keyspace is shown; `None` when it found nothing amiss there.
pub(crate) fn shown_from(conflict: &Conflict, keyspace: &Keyspace) -> Option<Position> {
    let revisions = failed_in(conflict, keyspace).map(|failed| match failed.found() {
        Some(found) => found.modified,
        None => conflict.position.revision,
    });
    let newest = revisions.max()?;
    Some(Position::new(conflict.position.epoch, newest))
}

/// Whether a replica that holds everything delivered up to its position should have what the log found, and has not.
fn misses<K: Key, V>(here: &State<K, V>, failed: &FailedPrecondition, asked: Position) -> bool {
    let Ok(key) = decode_key::<K>(failed.key()) else {
        return false;
    };
    if here.position.epoch != asked.epoch || here.quarantine.contains_key(failed.key()) {
        return false;
    }
    let (applied, asked) = (here.position.revision, asked.revision);
    match (failed.found(), here.entries.get(&key)) {
        (Some(found), Some(entry)) => {
            entry.version().revision() < found.modified && found.modified <= applied
        }
        // It may have been deleted since, unless this is the very same moment.
        (Some(_), None) => applied == asked,
        (None, Some(entry)) => entry.created().revision() <= asked && asked <= applied,
        (None, None) => false,
    }
}

/// Where each stands; or why one has ended.
pub(crate) fn positions(replicas: &Replicas) -> Result<Vec<Position>, Error> {
    replicas.iter().map(|replica| replica.position()).collect()
}
