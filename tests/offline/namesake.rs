//! A way to a log whose lives all have one name, as an etcd has that was restored with the same cluster token.
//!
//! Never imitates a log: only the names in what passes through are others.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use globe::log_client::{
    Difference, KnownKeys, Lease, LogId, Record, Snapshot, Tail, Transaction, async_trait,
};
use globe::{
    Capabilities, Epoch, Error, ErrorKind, Keyspace, LeaseId, LogClient, MemoryLog, Position,
    Result,
};

use crate::rig::Around;

/// Clones are one and the same.
#[derive(Clone)]
pub(crate) struct Namesake {
    pub(crate) way: Around,
    log: MemoryLog,
    name: Epoch,
    is_forgetful: Arc<AtomicBool>,
}

impl Namesake {
    /// All lives of a log are called so.
    pub(crate) fn new(log: &MemoryLog, name: Epoch) -> Namesake {
        Namesake {
            way: Around::new(log),
            log: log.clone(),
            name,
            is_forgetful: Arc::default(),
        }
    }

    /// What stood at a key cannot be asked for, or can again.
    pub(crate) fn be_forgetful(&self, is_forgetful: bool) {
        self.is_forgetful.store(is_forgetful, Ordering::Relaxed);
    }

    /// As who goes this way hears it.
    pub(crate) fn named(&self, position: Position) -> Position {
        Position::new(self.name, position.revision)
    }

    /// As the log calls it.
    fn meant(&self, position: Position) -> Position {
        match position.epoch == self.name {
            true => Position::new(self.log.head_position().epoch, position.revision),
            false => position,
        }
    }
}

#[async_trait]
impl LogClient for Namesake {
    fn id(&self) -> LogId {
        self.way.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.way.capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        let snapshot = self.way.snapshot(keyspace).await?;
        let position = self.named(snapshot.position());
        Ok(Snapshot::of(position, snapshot.collect().await?))
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        let since = self.meant(since);
        let mut difference = self.way.difference(keyspace, since, known).await?;
        let mut pages = Vec::new();
        while let Some(page) = difference.next_page().await? {
            pages.push(Ok(page));
        }
        let position = self.named(difference.position());
        Ok(Difference::new(position, futures::stream::iter(pages)))
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.way.tail(keyspace, self.meant(after)).await
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        Ok(self.named(self.way.head(keyspace).await?))
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        let stood = self.way.record_at(keyspace, key, self.meant(at)).await;
        match self.is_forgetful.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::Unavailable, "it cannot be told now")),
            false => stood,
        }
    }

    /// Nobody writes this way.
    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.way.commit(transaction).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.way.grant(ttl).await
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.way.renew(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.way.revoke(lease).await
    }
}

impl fmt::Debug for Namesake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Namesake")
    }
}
