//! Sends a transaction to the log and waits until it is visible here.
//!
//! It never repeats what may have been committed: only what the log says was not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use globe_log_client::{
    Conflict, Epoch, Error, ErrorKind, FailedPrecondition, Keyspace, LogClient, Position, Result,
    Transaction,
};
use tokio::time::{Instant, timeout_at};

use crate::entry::key::{Key, decode_key};
use crate::ground::backoff::Backoff;
use crate::replica::Replica;
use crate::replica::state::State;

/// How long a log that was told the deadline may be late with its answer, before it is cut off. It should not be: the answer
/// is then worse than its own.
const LATE: Duration = Duration::from_millis(250);

/// What a commit waits for: the replica of a map whose keys it touches.
#[async_trait]
pub(crate) trait Onlooker: Send + Sync {
    fn keyspace(&self) -> &Keyspace;
    fn ended(&self) -> Option<Error>;
    fn prove(&self, asked: Instant);
    /// Where it stands.
    fn stands(&self) -> Position;
    /// Looks whether what the log found at a key, at a position, shows that something was never delivered here.
    fn look_back(&self, failed: &FailedPrecondition, position: Position);
    /// Says that something was never delivered here.
    fn doubt(&self);
    async fn reached(&self, position: Position) -> Result<()>;
}

#[async_trait]
impl<K: Key, V: Send + Sync + 'static> Onlooker for Replica<K, V> {
    fn keyspace(&self) -> &Keyspace {
        Replica::keyspace(self)
    }

    fn ended(&self) -> Option<Error> {
        Replica::ended(self)
    }

    fn prove(&self, asked: Instant) {
        Replica::prove(self, asked);
    }

    fn stands(&self) -> Position {
        self.state().position
    }

    fn look_back(&self, failed: &FailedPrecondition, position: Position) {
        if is_disproved(&self.state(), failed, position) {
            Replica::doubt(self);
        }
    }

    fn doubt(&self) {
        Replica::doubt(self);
    }

    async fn reached(&self, position: Position) -> Result<()> {
        Replica::reached(self, position).await
    }
}

/// Whether a replica that holds everything delivered up to its position should have what the log found, and has not.
fn is_disproved<K: Key, V>(
    here: &State<K, V>,
    failed: &FailedPrecondition,
    asked: Position,
) -> bool {
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

/// One write on its way, with its deadline.
pub(crate) struct Committer<'a> {
    pub(crate) log: &'a Arc<dyn LogClient>,
    pub(crate) onlookers: Vec<Arc<dyn Onlooker>>,
    pub(crate) deadline: Instant,
    backoff: Backoff,
    /// Whether the last attempt had the guards that the conflict before it had just found.
    was_fresh: bool,
}

impl<'a> Committer<'a> {
    pub(crate) fn new(
        log: &'a Arc<dyn LogClient>,
        onlookers: Vec<Arc<dyn Onlooker>>,
        bound: Duration,
    ) -> Committer<'a> {
        let backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(500));
        Committer {
            log,
            onlookers,
            deadline: Instant::now() + bound,
            backoff,
            was_fresh: false,
        }
    }

    /// Commits a transaction, trying again as long as the log says that nothing was written for want of the log itself.
    /// Conflicts are the caller's to judge.
    pub(crate) async fn commit(&mut self, transaction: &Transaction) -> Result<Position> {
        loop {
            if let Some(end) = self.onlookers.iter().find_map(|onlooker| onlooker.ended()) {
                return Err(end);
            }
            let before: Vec<Position> = self.onlookers.iter().map(|o| o.stands()).collect();
            let committed = self.send(transaction.clone()).await;
            self.look_back(&committed, &before);
            match committed {
                Err(error) if *error.kind() == ErrorKind::Unavailable && self.pause().await => {}
                Err(error)
                    if mutant!("retry_blindly") && !error.is_conflict() && self.pause().await => {}
                outcome => return outcome,
            }
        }
    }

    /// Sends it once. The log is told how long it may take, for only the log knows whether anything has left it.
    async fn send(&self, transaction: Transaction) -> Result<Position> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let commit = self.log.commit(transaction.taking_at_most(left));
        timeout_at(self.deadline + LATE, commit).await.unwrap_or_else(|_| {
            let why = "the log did not say by the deadline whether it was written: it may or may not have been";
            Err(Error::new(ErrorKind::Indeterminate, why))
        })
    }

    /// Looks whether an answer of the log shows that a replica has missed something, or claims what is not there.
    fn look_back(&self, answer: &Result<Position>, before: &[Position]) {
        match answer {
            Ok(committed) => {
                let onlookers = self.onlookers.iter().zip(before);
                // A linearizable answer below what was applied before the question.
                let ahead =
                    onlookers.filter(|(_, here)| here.covers(*committed) && *here != committed);
                ahead.for_each(|(onlooker, _)| onlooker.doubt());
            }
            Err(error) => {
                if let ErrorKind::Conflict(conflict) = error.kind() {
                    self.compare(conflict);
                }
            }
        }
    }

    /// Compares what the log found with what stands here.
    fn compare(&self, conflict: &Conflict) {
        for onlooker in &self.onlookers {
            let failed = conflict.failed.iter();
            failed
                .filter(|failed| *failed.keyspace() == *onlooker.keyspace())
                .for_each(|failed| onlooker.look_back(failed, conflict.position));
        }
    }

    /// Makes way for others before an attempt with newer guards, every other time; false when the deadline leaves no time.
    ///
    /// Guards grow old during a pause: among many writers an attempt after one meets a conflict again. It learns from that
    /// what stands there now, and the next follows at once.
    pub(crate) async fn make_way(&mut self) -> bool {
        self.was_fresh = !self.was_fresh;
        if self.was_fresh {
            return Instant::now() < self.deadline;
        }
        self.pause().await
    }

    /// Waits a little before another attempt; false when the deadline leaves no time for one.
    pub(crate) async fn pause(&mut self) -> bool {
        let until = Instant::now() + self.backoff.next();
        let has_time = until < self.deadline;
        if has_time {
            tokio::time::sleep_until(until).await;
        }
        has_time
    }

    /// Whether an answer says that the log is in another life than the guards of a write, and every onlooker has followed
    /// it there by the deadline, so that the guards can be taken anew.
    pub(crate) async fn reborn(&mut self, error: &Error, guarded_in: Option<Epoch>) -> bool {
        let is_reborn = match error.kind() {
            ErrorKind::EpochChanged => guarded_in.is_some(),
            ErrorKind::Conflict(conflict) => {
                guarded_in.is_some_and(|epoch| epoch != conflict.position.epoch)
            }
            _ => false,
        };
        if !is_reborn {
            return false;
        }
        loop {
            if !self.pause().await {
                return false;
            }
            let mut onlookers = self.onlookers.iter();
            if onlookers.all(|onlooker| Some(onlooker.stands().epoch) != guarded_in) {
                return true;
            }
        }
    }

    /// Makes ready for another attempt from what stands here then, after a conflict or in another life of the log; any other
    /// error, and one at the deadline, is the answer.
    pub(crate) async fn look_again(
        &mut self,
        error: Error,
        guarded_in: Option<Epoch>,
    ) -> Result<()> {
        if self.reborn(&error, guarded_in).await {
            return Ok(());
        }
        let ErrorKind::Conflict(conflict) = error.kind() else {
            return Err(error);
        };
        self.saw(conflict).await;
        if self.pause().await {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Waits until what was committed at `position`, by an attempt begun at `asked`, is visible here.
    pub(crate) async fn visible(&self, position: Position, asked: Instant) -> Result<Position> {
        let behind = |why: String| Error::new(ErrorKind::Behind(position), why);
        if mutant!("acknowledge_before_apply") {
            return Ok(position);
        }
        for onlooker in &self.onlookers {
            let keyspace = onlooker.keyspace();
            match timeout_at(self.deadline, onlooker.reached(position)).await {
                Ok(Ok(())) => onlooker.prove(asked),
                Ok(Err(error)) if *error.kind() == ErrorKind::EpochChanged => {
                    let doing = format!("it was committed at {position}, and may be undone");
                    return Err(error.while_doing(doing));
                }
                Ok(Err(end)) => {
                    return Err(
                        behind(format!("{keyspace} does not follow the log any more"))
                            .with_source(end),
                    );
                }
                Err(_) => {
                    return Err(behind(format!(
                        "the deadline passed before {keyspace} showed it"
                    )));
                }
            }
        }
        Ok(position)
    }

    /// Waits until what stood in the way is visible here, so that the caller who looks again sees it. Gives up quietly at
    /// the deadline: the conflict is the answer either way.
    pub(crate) async fn saw(&self, conflict: &Conflict) {
        for onlooker in &self.onlookers {
            let here = conflict
                .failed
                .iter()
                .filter(|failed| *failed.keyspace() == *onlooker.keyspace());
            let newest = here
                .map(|failed| {
                    failed
                        .found()
                        .map_or(conflict.position.revision, |r| r.modified)
                })
                .max();
            if let Some(revision) = newest {
                let target = Position::new(conflict.position.epoch, revision);
                let _ = timeout_at(self.deadline, onlooker.reached(target)).await;
            }
        }
        self.compare(conflict);
    }
}
