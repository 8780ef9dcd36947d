//! One process' way to the log: it can be cut, and it knows which leases the process relies on.
//!
//! Never imitates a log: what is wrong with it is the faulty log's doing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use globe::log_client::{
    Difference, KnownKeys, Lease, LogId, RecentHead, Record, Snapshot, Tail, Transaction,
    async_trait,
};
use globe::{Capabilities, Error, ErrorKind, Keyspace, LeaseId, LogClient, Position, Result};
use globe_faulty::FaultyLog;
use tokio::time::Instant;

/// Clones are one way.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) log: FaultyLog,
    is_cut: Arc<AtomicBool>,
    /// The leases that were renewed, and neither lost nor given back since; and when that was answered.
    renewed: Arc<Mutex<BTreeMap<LeaseId, (Lease, Instant)>>>,
    /// The leases that were given back: an answer to a renewal may come after that.
    given_back: Arc<Mutex<BTreeSet<LeaseId>>>,
}

impl Way {
    pub(crate) fn new(log: FaultyLog) -> Way {
        Way {
            log,
            is_cut: Arc::default(),
            renewed: Arc::default(),
            given_back: Arc::default(),
        }
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// The leases that a session which says it is live for so long yet can rely on: it says so of the one that ends first, so
    /// it has given back what ends sooner, though it may not have been able to say that here.
    pub(crate) fn relied_on(&self, left: Duration) -> Vec<Lease> {
        let renewed = self.renewed.lock().unwrap();
        let given_back = self.given_back.lock().unwrap();
        let recent = renewed.values().filter(|(lease, at)| {
            at.elapsed() + left <= lease.ttl && !given_back.contains(&lease.id)
        });
        recent.map(|(lease, _)| *lease).collect()
    }

    fn forget(&self, lease: LeaseId) {
        self.renewed.lock().unwrap().remove(&lease);
    }

    async fn pass<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.check()?;
        let answer = call.await;
        self.check()?;
        answer
    }

    fn check(&self) -> Result<()> {
        match self.is_cut.load(Ordering::SeqCst) {
            true => Err(cut_off()),
            false => Ok(()),
        }
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Unavailable, "the way to the log is cut")
}

#[async_trait]
impl LogClient for Way {
    fn id(&self) -> LogId {
        self.log.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.log.capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        self.pass(self.log.snapshot(keyspace)).await
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.pass(self.log.difference(keyspace, since, known)).await
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let tail = self.pass(self.log.tail(keyspace, after)).await?;
        let passed = futures::stream::unfold((tail, self.clone()), |(mut tail, way)| async move {
            let batch = tail.next().await;
            let batch = way.check().and(batch);
            Some((batch, (tail, way)))
        });
        Ok(Tail::new(passed.boxed()))
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.pass(self.log.head(keyspace)).await
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        self.pass(self.log.recent_head(keyspace, age)).await
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.pass(self.log.record_at(keyspace, key, at)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.check()?;
        let answer = self.log.commit(transaction).await;
        match self.check() {
            Ok(()) => answer,
            // It may have left before the way was cut.
            Err(_) => Err(Error::new(ErrorKind::Indeterminate, "the way was cut")),
        }
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        let granted = self.pass(self.log.grant(ttl)).await?;
        // After a restore the log may give the number of an old one again.
        self.given_back.lock().unwrap().remove(&granted.id);
        Ok(granted)
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        let renewed = self.pass(self.log.renew(lease)).await;
        match &renewed {
            Ok(lease) => {
                let renewed = (*lease, Instant::now());
                self.renewed.lock().unwrap().insert(lease.id, renewed);
            }
            Err(error) if *error.kind() == ErrorKind::LeaseLost => self.forget(lease.id),
            Err(_) => {}
        }
        renewed
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.given_back.lock().unwrap().insert(lease);
        self.pass(self.log.revoke(lease)).await
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Way")
    }
}
