//! A log that counts what it is asked, and may say that its heads are old.
//!
//! It changes nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::stream;
use globe_log_client::{
    Capabilities, Difference, Error, Keyspace, KnownKeys, Lease, LeaseId, LogClient, LogId,
    LogStatus, Position, RecentHead, Record, Result, Snapshot, Tail, Transaction, async_trait,
};
use globe_memory::MemoryLog;
use tokio::sync::Notify;

/// How often it was asked for what.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    snapshots: AtomicUsize,
    tails: AtomicUsize,
    heads: AtomicUsize,
    batches: AtomicUsize,
}

impl Counts {
    /// How much was read of all tails.
    pub(crate) fn batches(&self) -> usize {
        self.batches.load(Ordering::SeqCst)
    }

    /// Snapshots, tails and heads.
    pub(crate) fn all(&self) -> [usize; 3] {
        [&self.snapshots, &self.tails, &self.heads].map(|count| count.load(Ordering::SeqCst))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) log: MemoryLog,
    pub(crate) counts: Arc<Counts>,
    /// How old it says that its recent heads are.
    pub(crate) age: Duration,
    /// Which snapshot and which tail it keeps for itself until it is told to let it go: none if zero.
    pub(crate) kept: Arc<[AtomicUsize; 2]>,
    pub(crate) let_go: Arc<Notify>,
}

impl Counted {
    pub(crate) fn new(log: MemoryLog) -> Counted {
        let counts = Arc::default();
        let age = Duration::ZERO;
        Counted {
            log,
            counts,
            age,
            kept: Arc::default(),
            let_go: Arc::default(),
        }
    }

    async fn keep(&self, number: usize, kept: &AtomicUsize) {
        if number == kept.load(Ordering::SeqCst) {
            self.let_go.notified().await;
        }
    }
}

/// The how-manieth it is.
fn count(count: &AtomicUsize) -> usize {
    count.fetch_add(1, Ordering::SeqCst) + 1
}

#[async_trait]
impl LogClient for Counted {
    fn id(&self) -> LogId {
        self.log.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.log.capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        let snapshot = self.log.snapshot(keyspace).await?;
        self.keep(count(&self.counts.snapshots), &self.kept[0])
            .await;
        Ok(snapshot)
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.log.difference(keyspace, since, known).await
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let tail = self.log.tail(keyspace, after).await;
        self.keep(count(&self.counts.tails), &self.kept[1]).await;
        let counts = Arc::clone(&self.counts);
        let batches = stream::unfold((tail?, counts), |(mut tail, counts)| async move {
            let batch = tail.next().await;
            count(&counts.batches);
            Some((batch, (tail, counts)))
        });
        Ok(Tail::new(batches))
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        count(&self.counts.heads);
        self.log.head(keyspace).await
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        count(&self.counts.heads);
        let mut head = self.log.recent_head(keyspace, age).await?;
        head.age = self.age;
        Ok(head)
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.log.record_at(keyspace, key, at).await
    }

    fn last_failure(&self) -> Option<Error> {
        self.log.last_failure()
    }

    fn status(&self) -> LogStatus {
        self.log.status()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.log.commit(transaction).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.log.grant(ttl).await
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.log.renew(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.log.revoke(lease).await
    }
}
