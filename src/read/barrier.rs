//! What a read waits for before it looks.
//!
//! It never changes what is shown: looking itself is always the same local read.

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, LogClient, Position, Result};
use tokio::time::{Instant, timeout_at};

use crate::entry::key::Key;
use crate::read::consistency::Consistency;
use crate::read::view::View;
use crate::replica::Replica;

/// Stands between a question and the look at the map, until its deadline.
pub(crate) struct Barrier<'a, K, V> {
    pub(crate) log: &'a Arc<dyn LogClient>,
    pub(crate) replica: &'a Arc<Replica<K, V>>,
    pub(crate) deadline: Instant,
}

impl<K: Key, V> Barrier<'_, K, V> {
    /// The view that has seen what is asked for.
    pub(crate) async fn view_at(&self, consistency: Consistency) -> Result<View<K, V>> {
        self.hydrated().await?;
        match consistency {
            Consistency::Local => {}
            Consistency::AtLeast(position) => self.at_least(position).await?,
            Consistency::Linearizable => drop(self.sync().await?),
            Consistency::Within(age) => self.within(age).await?,
        }
        Ok(View::new(self.replica.state()))
    }

    /// What is not there yet must not be taken for empty.
    async fn hydrated(&self) -> Result<()> {
        match timeout_at(self.deadline, self.replica.hydrated()).await {
            Ok(hydrated) => hydrated,
            Err(_) => {
                let keyspace = self.replica.keyspace();
                let why = format!("the map {keyspace} was not hydrated by the deadline");
                Err(Error::new(ErrorKind::Stale, why))
            }
        }
    }

    /// Waits until everything committed before the call is applied; returns up to where that is.
    pub(crate) async fn sync(&self) -> Result<Position> {
        let asked = Instant::now();
        let before = self.replica.state().position;
        let head = self.bounded(self.log.head(self.replica.keyspace())).await?;
        // Below what was applied before the question it is a rollback, and proves nothing.
        if head.epoch == before.epoch && head.revision < before.revision {
            let why = format!("the log says it stands at {head}, but {before} was applied here");
            return Err(Error::new(ErrorKind::EpochChanged, why));
        }
        self.reached(head).await?;
        self.undoubted().await?;
        self.replica.prove(asked);
        Ok(head)
    }

    /// Waits until what is known to be missing here, if anything, is there.
    async fn undoubted(&self) -> Result<()> {
        timeout_at(self.deadline, self.replica.undoubted())
            .await
            .unwrap_or_else(|_| {
                let why = "something is missing here, and no snapshot mended it by the deadline";
                Err(Error::new(ErrorKind::Stale, why))
            })
    }

    /// Waits until everything up to a position is applied.
    pub(crate) async fn at_least(&self, position: Position) -> Result<()> {
        if position == Position::default() {
            // Before everything: what a map says that was not hydrated.
            return Ok(());
        }
        let here = self.replica.position();
        if here.is_some_and(|here| here.covers(position)) {
            return Ok(());
        }
        if here.is_none_or(|here| here.epoch != position.epoch) {
            // Which of the two epochs is the older one, only the log can tell.
            let head = self.bounded(self.log.head(self.replica.keyspace())).await?;
            if head.epoch != position.epoch {
                let why = format!(
                    "position {position} is of another life of the log, which is at {head}"
                );
                return Err(Error::new(ErrorKind::EpochChanged, why));
            }
        }
        self.reached(position).await
    }

    async fn within(&self, age: Duration) -> Result<()> {
        if age.is_zero() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "nothing is proved in no time: Within needs more than zero",
            ));
        }
        loop {
            if self
                .replica
                .health()
                .staleness()
                .is_some_and(|staleness| staleness <= age)
            {
                return Ok(());
            }
            if let Err(error) = self.sync().await {
                let why = format!("nothing newer than {age:?} could be proved");
                return Err(match error.kind() {
                    ErrorKind::Closed | ErrorKind::Denied | ErrorKind::Codec => error,
                    _ => Error::new(ErrorKind::Stale, why).with_source(error),
                });
            }
            if Instant::now() >= self.deadline {
                return Err(Error::new(
                    ErrorKind::Stale,
                    format!("no proof was had within {age:?}"),
                ));
            }
        }
    }

    async fn reached(&self, position: Position) -> Result<()> {
        match timeout_at(self.deadline, self.replica.reached(position)).await {
            Ok(reached) => reached,
            Err(_) => {
                let keyspace = self.replica.keyspace();
                let here = self
                    .replica
                    .position()
                    .map_or_else(|| "nowhere".to_owned(), |here| here.to_string());
                let mut why = format!(
                    "position {position} of {keyspace} was not seen here by the deadline: here is {here}"
                );
                if let Some(withheld) = self.replica.withholding().told() {
                    why = format!("{why}, and {withheld}");
                }
                Err(Error::new(ErrorKind::Stale, why))
            }
        }
    }

    async fn bounded<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(end) = self.replica.ended() {
            return Err(end);
        }
        timeout_at(self.deadline, answer).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "the log did not answer by the deadline",
            ))
        })
    }
}
