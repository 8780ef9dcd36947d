//! The way to a memory log, on which something happens between a map and its log.
//!
//! Never changes what the log holds but by what a test lets happen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use globe::log_client::{
    Bytes, Change, Lease, LogId, Record, Snapshot, Tail, Transaction, async_trait,
};
use globe::{Capabilities, Keyspace, LeaseId, LogClient, MemoryLog, Position, Result};

type Event = Mutex<Option<Box<dyn FnOnce() + Send>>>;
type Spelling = fn(Bytes) -> Bytes;

/// The way to a memory log, on which something happens right before or right after the next commit.
#[derive(Clone)]
pub(crate) struct Crossroads {
    log: MemoryLog,
    before: Arc<Event>,
    after: Arc<Event>,
    spelling: Option<Spelling>,
}

impl Crossroads {
    pub(crate) fn to(log: &MemoryLog) -> Crossroads {
        Crossroads {
            log: log.clone(),
            before: Arc::default(),
            after: Arc::default(),
            spelling: None,
        }
    }

    /// Keys come spelled otherwise than they stand in the log, which takes no key that is not text.
    pub(crate) fn spelled(mut self, spelling: Spelling) -> Crossroads {
        self.spelling = Some(spelling);
        self
    }

    pub(crate) fn before_the_next_commit(&self, event: impl FnOnce() + Send + 'static) {
        *self.before.lock().unwrap() = Some(Box::new(event));
    }

    pub(crate) fn after_the_next_commit(&self, event: impl FnOnce() + Send + 'static) {
        *self.after.lock().unwrap() = Some(Box::new(event));
    }
}

fn happen(event: &Event) {
    let event = event.lock().unwrap().take();
    if let Some(event) = event {
        event();
    }
}

impl std::fmt::Debug for Crossroads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Crossroads")
    }
}

#[async_trait]
impl LogClient for Crossroads {
    fn id(&self) -> LogId {
        self.log.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.log.capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        let mut snapshot = self.log.snapshot(keyspace).await?;
        let Some(spelling) = self.spelling else {
            return Ok(snapshot);
        };
        let mut records = Vec::new();
        while let Some(page) = snapshot.next_page().await? {
            records.extend(page);
        }
        for record in &mut records {
            record.key = spelling(record.key.clone());
        }
        records.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(Snapshot::of(snapshot.position(), records))
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let tail = self.log.tail(keyspace, after).await?;
        let Some(spelling) = self.spelling else {
            return Ok(tail);
        };
        let batches = futures::stream::unfold(tail, move |mut tail| async move {
            let mut batch = tail.next().await;
            for change in batch.iter_mut().flat_map(|batch| &mut batch.changes) {
                match change {
                    Change::Put(record) => record.key = spelling(record.key.clone()),
                    Change::Delete { key, .. } => *key = spelling(key.clone()),
                    unknown => panic!("{unknown:?}"),
                }
            }
            Some((batch, tail))
        });
        Ok(Tail::new(batches.boxed()))
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.log.head(keyspace).await
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.log.record_at(keyspace, key, at).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        happen(&self.before);
        let committed = self.log.commit(transaction).await;
        happen(&self.after);
        committed
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.log.grant(ttl).await
    }

    async fn renew(&self, lease: LeaseId) -> Result<Lease> {
        self.log.renew(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.log.revoke(lease).await
    }
}
