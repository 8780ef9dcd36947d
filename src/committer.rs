//! Sends a transaction to the log and waits until it is visible here.
//!
//! It never repeats what may have been committed: only what the log says was not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use globe_log_client::{
    Conflict, Error, ErrorKind, Keyspace, LogClient, Position, Result, Transaction,
};
use tokio::time::{Instant, timeout_at};

use crate::backoff::Backoff;
use crate::key::Key;
use crate::replica::Replica;

/// What a commit waits for: the replica of a map whose keys it touches.
#[async_trait]
pub(crate) trait Onlooker: Send + Sync {
    fn keyspace(&self) -> &Keyspace;
    fn ended(&self) -> Option<Error>;
    fn prove(&self, asked: Instant);
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
        self.health().prove(asked);
    }

    async fn reached(&self, position: Position) -> Result<()> {
        Replica::reached(self, position).await
    }
}

/// One write on its way, with its deadline.
pub(crate) struct Committer<'a> {
    pub(crate) log: &'a Arc<dyn LogClient>,
    pub(crate) onlookers: Vec<Arc<dyn Onlooker>>,
    pub(crate) deadline: Instant,
    backoff: Backoff,
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
        }
    }

    /// Commits a transaction, trying again as long as the log says that nothing was written for want of the log itself.
    /// Conflicts are the caller's to judge.
    pub(crate) async fn commit(&mut self, transaction: &Transaction) -> Result<Position> {
        loop {
            if let Some(end) = self.onlookers.iter().find_map(|onlooker| onlooker.ended()) {
                return Err(end);
            }
            let committed = match timeout_at(self.deadline, self.log.commit(transaction.clone()))
                .await
            {
                Ok(committed) => committed,
                Err(_) => Err(Error::new(
                    ErrorKind::Indeterminate,
                    "the deadline passed while the log was committing: it may or may not have been written",
                )),
            };
            match committed {
                Err(error) if *error.kind() == ErrorKind::Unavailable && self.pause().await => {}
                outcome => return outcome,
            }
        }
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

    /// Waits until what was committed at `position`, by an attempt begun at `asked`, is visible here.
    pub(crate) async fn visible(&self, position: Position, asked: Instant) -> Result<Position> {
        let behind = |why: String| Error::new(ErrorKind::Behind(position), why);
        for onlooker in &self.onlookers {
            let keyspace = onlooker.keyspace();
            match timeout_at(self.deadline, onlooker.reached(position)).await {
                Ok(Ok(())) => onlooker.prove(asked),
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
                .filter(|failed| failed.keyspace == *onlooker.keyspace());
            let newest = here
                .map(|failed| {
                    failed
                        .found
                        .as_ref()
                        .map_or(conflict.position.revision, |r| r.modified)
                })
                .max();
            if let Some(revision) = newest {
                let target = Position::new(conflict.position.epoch, revision);
                let _ = timeout_at(self.deadline, onlooker.reached(target)).await;
            }
        }
    }
}
