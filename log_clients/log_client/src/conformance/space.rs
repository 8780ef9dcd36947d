//! One keyspace of the log under test, and short words for what the cases do to it.
//!
//! Never waits without a bound.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::harness::Harness;
use crate::capabilities::Capabilities;
use crate::client::LogClient;
use crate::error::{Error, ErrorKind, Result};
use crate::keyspace::Keyspace;
use crate::position::{Epoch, Position};
use crate::record::Record;
use crate::tail::Tail;
use crate::transaction::{Precondition, Transaction};

/// How long a log that is well may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what must happen soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// How long a call may take to find out that the log is away, or back.
pub(crate) const OUTAGE: Duration = Duration::from_secs(60);

/// Waits for what must end, however the log is.
pub(crate) async fn in_bounded_time<T>(what: &str, call: impl Future<Output = T>) -> T {
    match tokio::time::timeout(OUTAGE, call).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what} did not end in {OUTAGE:?}"),
    }
}

/// One keyspace, through one client.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) keyspace: Keyspace,
}

impl Space {
    /// A keyspace nobody has used, through the client under test.
    pub(crate) fn fresh(harness: &dyn Harness) -> Space {
        let number = RandomState::new().hash_one(());
        let keyspace = Keyspace::new(format!("case-{number:016x}")).unwrap();
        let log = harness.log();
        Space { log, keyspace }
    }

    /// The same keyspace through an independent client.
    pub(crate) async fn elsewhere(&self, harness: &dyn Harness) -> Space {
        Space {
            log: soon("another client", harness.another()).await,
            keyspace: self.keyspace.clone(),
        }
    }

    /// The keyspace whose name goes on with `more`, through the same client.
    pub(crate) fn beside(&self, more: &str) -> Space {
        Space {
            log: Arc::clone(&self.log),
            keyspace: Keyspace::new(format!("{}{more}", self.keyspace)).unwrap(),
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.log.capabilities()
    }

    pub(crate) async fn try_commit(&self, transaction: Transaction) -> Result<Position> {
        soon("a commit", self.log.commit(transaction)).await
    }

    pub(crate) async fn commit(&self, transaction: Transaction) -> Position {
        self.try_commit(transaction).await.expect("a commit")
    }

    /// Commits what must be refused.
    pub(crate) async fn refused(&self, transaction: Transaction) -> Error {
        let outcome = self.try_commit(transaction).await;
        outcome.expect_err("a commit that must be refused")
    }

    pub(crate) async fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Position {
        self.commit(Transaction::new().put(&self.keyspace, key, value))
            .await
    }

    pub(crate) async fn delete(&self, key: impl Into<Bytes>) -> Position {
        self.commit(Transaction::new().delete(&self.keyspace, key))
            .await
    }

    /// Whether a precondition holds.
    pub(crate) async fn holds(&self, key: impl Into<Bytes>, condition: Precondition) -> bool {
        let check = Transaction::new().when(&self.keyspace, key, condition);
        match self.try_commit(check).await {
            Ok(_) => true,
            Err(error) if error.is_conflict() => false,
            Err(error) => panic!("checking a precondition: {error}"),
        }
    }

    pub(crate) async fn head(&self) -> Position {
        let head = soon("head", self.log.head(&self.keyspace)).await;
        head.expect("head")
    }

    pub(crate) async fn tail(&self, after: Position) -> Result<Tail> {
        soon("a tail", self.log.tail(&self.keyspace, after)).await
    }

    pub(crate) async fn snapshot(&self) -> (Position, Vec<Record>) {
        let snapshot = soon("a snapshot", self.log.snapshot(&self.keyspace)).await;
        let snapshot = snapshot.expect("a snapshot");
        let position = snapshot.position();
        let records = soon("the pages of a snapshot", snapshot.collect()).await;
        (position, records.expect("the pages of a snapshot"))
    }

    /// What is there now, by key.
    pub(crate) async fn records(&self) -> BTreeMap<Bytes, Record> {
        by_key(self.snapshot().await.1)
    }

    pub(crate) async fn record(&self, key: &'static str) -> Option<Record> {
        self.records().await.remove(key.as_bytes())
    }

    /// Commits `count` records with keys in order, in as few transactions as the log takes, and says where it then stands.
    pub(crate) async fn fill(&self, count: usize) -> Position {
        let most = self.capabilities().max_operations.min(100);
        let keys: Vec<String> = (0..count).map(|n| format!("key-{n:06}")).collect();
        for keys in keys.chunks(most) {
            let transaction = keys.iter().fold(Transaction::new(), |transaction, key| {
                transaction.put(&self.keyspace, key.clone(), "before")
            });
            self.commit(transaction).await;
        }
        self.head().await
    }
}

pub(crate) fn by_key(records: Vec<Record>) -> BTreeMap<Bytes, Record> {
    let by_key = |record: Record| (record.key.clone(), record);
    records.into_iter().map(by_key).collect()
}

/// A position of a life this log never had.
pub(crate) fn of_another_life(position: Position) -> Position {
    Position::new(another(position.epoch), position.revision)
}

/// A life this log never had.
pub(crate) fn another(epoch: Epoch) -> Epoch {
    let [one, two] = [Epoch::new(1), Epoch::new(2)];
    if epoch == one { two } else { one }
}

/// What a tail that cannot be had says, at once or at the first `next`.
pub(crate) async fn refusal(tail: Result<Tail>) -> ErrorKind {
    let error = match tail {
        Err(error) => error,
        Ok(mut tail) => match soon("the end of a tail", tail.next()).await {
            Err(error) => error,
            Ok(batch) => panic!("a tail that must be refused delivered {batch:?}"),
        },
    };
    error.kind().clone()
}
