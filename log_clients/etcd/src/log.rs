//! The client: every verb of the contract, handed to the room that does it.
//!
//! Never decides anything itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{
    Capabilities, Error, ErrorKind, Keyspace, Lease, LeaseId, LogClient, LogId, LogStatus,
    Position, RecentHead, Record, Result, Snapshot, Tail, Transaction, async_trait,
};
use tokio::time::Instant;

use crate::builder::EtcdBuilder;
use crate::cluster::Cluster;
use crate::dial;
use crate::fault::Fault;
use crate::heads::Head;
use crate::reserved::{self, Overlaps};
use crate::runtime;
use crate::settings::Settings;

/// A log on an etcd cluster. Clones share its connections; they are closed with the last clone, tail and snapshot.
///
/// Its only tasks are those that read for its tails, and end with them; a login, which goes on when its callers give up; and
/// a short look at the member it belongs to, after it had to leave it. Everything else happens inside the calls.
#[derive(Clone)]
pub struct EtcdLog {
    cluster: Arc<Cluster>,
    overlaps: Arc<Overlaps>,
}

impl EtcdBuilder {
    /// Checks every setting, and that every file it names can be read. Does not wait for any server: the first use does.
    /// A provider of credentials is first asked then as well.
    ///
    /// # Errors
    /// `Invalid`, naming the setting or the file that is wrong; also outside of a tokio runtime, and in one without its IO
    /// or time driver.
    pub async fn connect(self) -> Result<EtcdLog> {
        let settings = self.settings.checked()?;
        runtime::check_drivers()?;
        settings.check_files()?;
        dial::check(&settings)?;
        Ok(EtcdLog::of(settings))
    }
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

    /// The member that is asked now, as `http://host:port` or `https://host:port`. It changes when that member fails, and
    /// when this client goes back to where it belongs.
    #[must_use]
    pub fn member(&self) -> String {
        self.cluster.endpoints.pinned_address()
    }

    /// Ends this client's own lease, so that its fence records are gone at once instead of a minute later, and nothing that
    /// was given up can land any more. For a process that is about to end, after its last commit; a commit after it takes a
    /// new lease. Leases that were granted to callers stay. Takes the `deadline` at most; dropping it leaves the lease to
    /// end by itself.
    ///
    /// # Errors
    /// `Unavailable` when no member answered in time: then the lease ends by itself.
    pub async fn close(&self) -> Result<()> {
        runtime::check()?;
        let deadline = self.cluster.endpoints.deadline();
        let given = self.cluster.fence.give_back(&self.cluster, deadline).await;
        given.map_err(|fault| {
            fault
                .into_error()
                .while_doing("giving back the writer's lease")
        })
    }

    pub(crate) fn of(settings: Settings) -> EtcdLog {
        EtcdLog {
            overlaps: Arc::new(Overlaps::new(&settings.namespace)),
            cluster: Arc::new(Cluster::new(settings)),
        }
    }

    /// What was answered, after what earlier commits left open was closed: see `Cluster::close_open_slots`.
    async fn answered<T>(&self, answer: Result<T>) -> Result<T> {
        let is_answer = |error: &Error| *error.kind() != ErrorKind::Unavailable;
        if answer.as_ref().err().is_none_or(is_answer) {
            self.cluster.close_open_slots().await;
        }
        answer
    }

    /// The head, which the log was asked for after `earliest`.
    async fn read_head(&self, keyspace: &Keyspace, earliest: Instant) -> Result<Head> {
        let deadline = self.cluster.endpoints.deadline();
        let head = self.cluster.head_since(keyspace, earliest, deadline).await;
        let head = head.map_err(|fault: Fault| {
            let doing = format_args!("reading the head of keyspace {keyspace}");
            fault.into_error().while_doing(doing)
        })?;
        self.cluster.life.aim(keyspace, head.position);
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
        let snapshot = self.answered(self.cluster.snapshot(keyspace).await).await?;
        Ok(self.overlaps.out_of_snapshot(keyspace, snapshot))
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        runtime::check()?;
        let tail = self.answered(self.cluster.tail(keyspace, after).await);
        Ok(self.overlaps.out_of_tail(keyspace, tail.await?))
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        runtime::check()?;
        let head = self.read_head(keyspace, Instant::now()).await;
        Ok(self.answered(head).await?.position)
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        runtime::check()?;
        let called = Instant::now();
        let earliest = called.checked_sub(age).unwrap_or(called);
        let head = self.read_head(keyspace, earliest).await;
        let head = self.answered(head).await?;
        let age = called.saturating_duration_since(head.asked);
        Ok(RecentHead::new(head.position, age))
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        runtime::check()?;
        let record = self.answered(self.cluster.record_at(keyspace, key, at).await);
        Ok(record.await?.filter(|_| !reserved::is_reserved(key)))
    }

    fn last_failure(&self) -> Option<Error> {
        self.cluster.last_failure()
    }

    fn status(&self) -> LogStatus {
        self.cluster.status()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        runtime::check()?;
        reserved::check(&transaction)?;
        self.cluster.commit(transaction).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        runtime::check()?;
        self.answered(self.cluster.grant(ttl).await).await
    }

    async fn renew(&self, lease: LeaseId) -> Result<Lease> {
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
