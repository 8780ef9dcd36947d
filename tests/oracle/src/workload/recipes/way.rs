//! The way of one process to the log of its node, which can be cut, and ends when the process is killed.
//!
//! Never holds anything back: what passes, passes at once.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use globe::log_client::{
    Difference, KnownKeys, Lease, LogId, Record, Snapshot, Tail, Transaction, async_trait,
};
use globe::{Capabilities, Error, ErrorKind, Keyspace, LeaseId, LogClient, Position, Result};
use tokio::sync::watch;

/// Clones are one and the same.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    log: Arc<dyn LogClient>,
    is_cut: watch::Sender<bool>,
    /// So many times longer than it is told, a lease lives.
    lengthens: u32,
}

impl Way {
    pub(crate) fn to(log: &Arc<dyn LogClient>, lengthens: u32) -> Way {
        Way {
            log: Arc::clone(log),
            is_cut: watch::Sender::new(false),
            lengthens,
        }
    }

    /// Cuts it, or mends it: calls fail, and open tails break.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }

    fn check(&self) -> Result<()> {
        match *self.is_cut.borrow() {
            true => Err(cut_off()),
            false => Ok(()),
        }
    }

    /// An answer that comes while it is cut is none.
    async fn passes<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.check()?;
        let answer = call.await;
        self.check()?;
        answer
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Unavailable, "this process reaches nobody")
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
        self.passes(self.log.snapshot(keyspace)).await
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.passes(self.log.difference(keyspace, since, known))
            .await
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let tail = self.passes(self.log.tail(keyspace, after)).await?;
        let state = (tail, self.is_cut.subscribe());
        let batches = futures::stream::unfold(state, |(mut tail, mut is_cut)| async move {
            let batch = tokio::select! {
                biased;
                Ok(_) = is_cut.wait_for(|is_cut| *is_cut) => Err(cut_off()),
                batch = tail.next() => batch,
            };
            Some((batch, (tail, is_cut)))
        });
        Ok(Tail::new(batches.boxed()))
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.passes(self.log.record_at(keyspace, key, at)).await
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.passes(self.log.head(keyspace)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.check()?;
        let committed = self.log.commit(transaction).await;
        match self.check() {
            Ok(()) => committed,
            // It may have landed, and nobody is told.
            Err(_) => Err(Error::new(ErrorKind::Indeterminate, "no answer came")),
        }
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        let granted = self.passes(self.log.grant(ttl * self.lengthens)).await?;
        Ok(Lease::new(granted.id, ttl, granted.epoch))
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        let renewed = self.passes(self.log.renew(lease)).await?;
        Ok(match self.lengthens {
            1 => renewed,
            _ => lease,
        })
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.passes(self.log.revoke(lease)).await
    }
}
