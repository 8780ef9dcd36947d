//! The client: every verb of the contract, handed to the room that does it.
//!
//! Never decides anything itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{
    Capabilities, Error, ErrorKind, Keyspace, Lease, LeaseId, LogClient, LogId, Position, Record,
    Result, Snapshot, Tail, Transaction, async_trait,
};

use crate::builder::EtcdBuilder;
use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::runtime;
use crate::settings::Settings;

/// A log on an etcd cluster. Clones share its connections; they are closed with the last clone, tail and snapshot.
///
/// Its only tasks are those that read for its tails, and end with them: everything else happens inside the calls.
#[derive(Clone)]
pub struct EtcdLog {
    cluster: Arc<Cluster>,
}

impl EtcdLog {
    /// A log on the cluster with these endpoints (`http://host:port`, or `host:port`), with every setting at its
    /// default. Checks them, and does not wait for any server: the first use does.
    ///
    /// # Errors
    /// `Invalid`, naming the endpoint that is wrong.
    pub async fn connect<E: Into<String>>(
        endpoints: impl IntoIterator<Item = E>,
    ) -> Result<EtcdLog> {
        EtcdLog::builder().endpoints(endpoints).connect().await
    }

    /// A log that differs from the default.
    #[must_use]
    pub fn builder() -> EtcdBuilder {
        EtcdBuilder::new()
    }

    /// A log by its URL: see [`EtcdBuilder::from_url`].
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong.
    pub async fn from_url(url: &str) -> Result<EtcdLog> {
        EtcdBuilder::from_url(url)?.connect().await
    }

    pub(crate) fn of(settings: Settings) -> EtcdLog {
        let cluster = Arc::new(Cluster::new(settings));
        EtcdLog { cluster }
    }

    /// What was answered, after what earlier commits left open was closed: see `Cluster::tidy`.
    async fn answered<T>(&self, answer: Result<T>) -> Result<T> {
        let is_answer = |error: &Error| *error.kind() != ErrorKind::Unavailable;
        if answer.as_ref().err().is_none_or(is_answer) {
            self.cluster.tidy().await;
        }
        answer
    }

    async fn read_head(&self, keyspace: &Keyspace) -> Result<Position> {
        let deadline = self.cluster.endpoints.deadline();
        let head = self.cluster.now(keyspace, deadline).await;
        let head = head.map_err(|fault: Fault| {
            let doing = format_args!("reading the head of keyspace {keyspace}");
            fault.into_error().while_doing(doing)
        })?;
        self.cluster.life.aim(keyspace, head);
        Ok(head)
    }
}

#[async_trait]
impl LogClient for EtcdLog {
    fn id(&self) -> LogId {
        self.cluster.id.clone()
    }

    fn capabilities(&self) -> Capabilities {
        self.cluster.capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        runtime::check()?;
        self.answered(self.cluster.snapshot(keyspace).await).await
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        runtime::check()?;
        self.answered(self.cluster.tail(keyspace, after).await)
            .await
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        runtime::check()?;
        self.answered(self.read_head(keyspace).await).await
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &Bytes,
        at: Position,
    ) -> Result<Option<Record>> {
        runtime::check()?;
        self.answered(self.cluster.record_at(keyspace, key, at).await)
            .await
    }

    fn last_failure(&self) -> Option<Error> {
        let fault = self.cluster.endpoints.last_failure()?;
        Some(fault.into_error())
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        runtime::check()?;
        self.cluster.commit(transaction).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        runtime::check()?;
        self.answered(self.cluster.grant(ttl).await).await
    }

    async fn renew(&self, lease: LeaseId) -> Result<()> {
        runtime::check()?;
        self.answered(self.cluster.renew(lease).await).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        runtime::check()?;
        self.answered(self.cluster.revoke(lease).await).await
    }
}

impl fmt::Debug for EtcdLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdLog")
            .field("settings", &self.cluster.endpoints.settings)
            .finish_non_exhaustive()
    }
}
