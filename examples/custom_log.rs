//! A `LogClient` of one's own, in one file: a log around a log, which keeps a journal.
#![allow(clippy::print_stdout, reason = "an example prints")]

use globe::log_client::{
    Difference, KnownKeys, Lease, LogId, LogStatus, Record, Snapshot, Tail, Transaction,
    async_trait,
};
use globe::{
    Capabilities, Error, Globe, Keyspace, LeaseId, LogClient, MemoryLog, Position, Result,
};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Debug)]
struct JournalLog<L>(L, UnboundedSender<String>);

#[async_trait]
impl<L: LogClient> LogClient for JournalLog<L> {
    fn id(&self) -> LogId {
        self.0.id()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        self.0.snapshot(keyspace).await
    }
    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.0.tail(keyspace, after).await
    }
    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.0.head(keyspace).await
    }
    // These four have bodies of their own: a log around a log that leaves them out tells no differences, keeps no history,
    // gives no reasons, and says little of itself.
    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.0.difference(keyspace, since, known).await
    }
    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.0.record_at(keyspace, key, at).await
    }
    fn last_failure(&self) -> Option<Error> {
        self.0.last_failure()
    }
    fn status(&self) -> LogStatus {
        self.0.status()
    }
    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        let what = format!("{:?}", transaction.writes()); // Shows the size of a value, never the value.
        let outcome = self.0.commit(transaction).await;
        let _ = self.1.send(format!(
            "{what} -> {:?}",
            outcome.as_ref().map_err(ToString::to_string)
        ));
        outcome
    }
    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.0.grant(ttl).await
    }
    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.0.renew(lease).await
    }
    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.0.revoke(lease).await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let (sender, mut journal) = unbounded_channel();
    let map: Globe<String, u32> = Globe::open(JournalLog(MemoryLog::new(), sender), "map").await?;
    map.put("a", 1).await?;
    let _refused = map.create("a", 2).await;
    while let Ok(line) = journal.try_recv() {
        println!("{line}");
    }
    Ok(())
}
