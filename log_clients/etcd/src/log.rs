//! The client: every verb of the contract, handed to the room that does it.
//!
//! Never decides anything itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{
    Capabilities, Difference, Error, ErrorKind, Keyspace, KnownKeys, Lease, LeaseId, LogClient,
    LogId, LogStatus, Position, RecentHead, Record, Result, Snapshot, Tail, Transaction,
    async_trait,
};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::heads::Head;
use crate::members::dial;
use crate::records::reserved::{self, Overlaps};
use crate::runtime;
use crate::settings::Settings;
use crate::settings::builder::EtcdBuilder;

/// A log on an etcd cluster. Clones share its connections; they are closed with the last clone, tail and snapshot.
///
/// Opened by [`connect`](EtcdLog::connect) with the addresses alone, by [`from_url`](EtcdLog::from_url), or by a
/// [`builder`](EtcdLog::builder) with every setting. What it does are the verbs of [`LogClient`], below with what each
/// costs; what they promise stands at the trait. Any of them may be dropped at any await: a dropped commit may have
/// landed or not, and is taken back before anything later of this client is acknowledged.
///
/// Its only tasks are those that read for its tails, and end with them; a login, which goes on when its callers give
/// up; and a short look at its preferred member, after it had to leave it. Everything else happens inside the calls.
///
/// One log per process and cluster is enough, whatever number of maps and tails: they share connections, one login, and
/// the reads of the head.
///
/// ```no_run
/// use globe_etcd::EtcdLog;
/// use globe_log_client::{Keyspace, LogClient, Transaction};
///
/// # async fn example() -> globe_log_client::Result<()> {
/// let log = EtcdLog::connect(["10.0.0.1", "10.0.0.2", "10.0.0.3"]).await?;
/// let flags = Keyspace::new("flags")?;
///
/// let mut snapshot = log.snapshot(&flags).await?;
/// let position = snapshot.position();
/// while let Some(page) = snapshot.next_page().await? {
///     println!("{} records", page.len());
/// }
/// let mut tail = log.tail(&flags, position).await?;
/// log.commit(Transaction::new().put(&flags, "dark-mode", "on")).await?;
/// let batch = tail.next().await?;
/// println!("{} changes at {}", batch.changes.len(), batch.revision);
///
/// log.close().await?; // this process is about to end
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EtcdLog {
    cluster: Arc<Cluster>,
    overlaps: Arc<Overlaps>,
}

impl EtcdBuilder {
    /// Checks every setting, and that every file it names can be read. Does not wait for any server: the first use
    /// does. A provider of credentials is first asked then as well. Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// `Invalid`, naming the setting or the file that is wrong; also outside of a tokio runtime, and in one without its
    /// IO or time driver.
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
    /// default. Checks them, and does not wait for any server: the first use does. So it succeeds while the cluster is
    /// down.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe_log_client::Result<()> {
    /// use globe_etcd::EtcdLog;
    ///
    /// let log = EtcdLog::connect(["10.0.0.1", "10.0.0.2:2379"]).await?;
    /// assert!(log.member().starts_with("http://10.0.0."));
    ///
    /// let wrong = EtcdLog::connect(["10.0.0.1", "ftp://10.0.0.2"]).await;
    /// assert!(wrong.unwrap_err().to_string().contains("endpoint 2"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid`, naming the endpoint that is wrong, as [`EtcdBuilder::connect`].
    pub async fn connect<E: Into<String>>(
        endpoints: impl IntoIterator<Item = E>,
    ) -> Result<EtcdLog> {
        EtcdLog::builder().endpoints(endpoints).connect().await
    }

    /// A log that differs from the default: every setting, with its default and its range, is a method of
    /// [`EtcdBuilder`].
    #[must_use]
    pub fn builder() -> EtcdBuilder {
        EtcdBuilder::new()
    }

    /// A log by its URL, such as `etcds://app@h1,h2,h3/prod?deadline=3s`: [`EtcdBuilder::from_url`] tells what may
    /// stand in it. As [`connect`](EtcdLog::connect), it waits for no server.
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong, and repeating nothing of the URL; else as [`EtcdBuilder::connect`].
    pub async fn from_url(url: &str) -> Result<EtcdLog> {
        EtcdBuilder::from_url(url)?.connect().await
    }

    /// The member that is asked now, as `http://host:port` or `https://host:port`. It changes when that member fails,
    /// and when this client fails back to the member it drew at its start. Costs a copy of the address. More is told by
    /// [`status`](LogClient::status).
    #[must_use]
    pub fn member(&self) -> String {
        self.cluster.endpoints.pinned_address()
    }

    /// Ends this client's own lease, so that its fence records are gone at once instead of a minute later, and nothing
    /// that was given up can land any more. For a process that is about to end, after its last commit; a commit after
    /// it takes a new lease. Leases that were granted to callers stay, and so do tails and connections.
    ///
    /// Costs one request, or none if nothing was committed. Takes the [`deadline`](EtcdBuilder::deadline) at most;
    /// dropping it leaves the lease to end by itself, after [`fence_ttl`](EtcdBuilder::fence_ttl).
    ///
    /// # Errors
    /// `Unavailable` when no member answered in time: then the lease ends by itself. `Invalid` outside of a tokio
    /// runtime.
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

    /// Both limits of a transaction are those that were set, until a server refuses one: then they are what it turned
    /// out to take.
    fn capabilities(&self) -> Capabilities {
        self.cluster.capabilities()
    }

    /// One linearizable read for the first page, which fixes the revision, and one for each further page at that
    /// revision. Pages hold about 2 MiB, or as many records as [`page_size`](EtcdBuilder::page_size) says at first and
    /// ten times as many at most; one page is held in memory at a time. They end where the server has little to count,
    /// as far as that can be guessed from the keys before.
    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        runtime::check()?;
        let snapshot = self.answered(self.cluster.snapshot(keyspace).await).await?;
        Ok(self.overlaps.out_of_snapshot(keyspace, snapshot))
    }

    /// One read of a single key, which shows that the log still is the one `since` is of, and one that counts. Then one for every
    /// 15,000 known keys, which counts the records in each window of 128 of them and tells the keys of those that are newer; for
    /// fewer at first, and where that takes the server more than a second. If the count says that keys are gone, one for the keys of
    /// those windows; and for what is newer, one for each page of values: about 2 MiB, as a snapshot's. A part in which much more
    /// stands than was known is read as a snapshot is.
    ///
    /// In bytes that is less than one for each known key, what has changed, and for a key that is gone the keys of its window. The
    /// server goes through every record of the keyspace in its store, with its value, whatever it sends. One page and the keys of
    /// one read are held in memory at a time.
    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        runtime::check()?;
        let difference = self.cluster.difference(keyspace, since, known).await;
        let difference = self.answered(difference).await?;
        Ok(self.overlaps.out_of_difference(keyspace, difference))
    }

    /// One watch, on a stream that the tails of this client share, and one or two reads of single keys that show that
    /// the log still is the one `after` is of; whatever the size of the keyspace. At rest it asks nothing. A tail that
    /// is not read keeps about 4 MiB of what came for it, and gets the rest from the server once it is read again.
    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        runtime::check()?;
        let tail = self.answered(self.cluster.tail(keyspace, after).await);
        Ok(self.overlaps.out_of_tail(keyspace, tail.await?))
    }

    /// One linearizable read, however many keyspaces ask at the same time.
    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        runtime::check()?;
        let head = self.read_head(keyspace, Instant::now()).await;
        Ok(self.answered(head).await?.position)
    }

    /// None if a read is as recent as asked for, else as [`head`](LogClient::head).
    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        runtime::check()?;
        let called = Instant::now();
        let earliest = called.checked_sub(age).unwrap_or(called);
        let head = self.read_head(keyspace, earliest).await;
        let head = self.answered(head).await?;
        let age = called.saturating_duration_since(head.asked);
        Ok(RecentHead::new(head.position, age))
    }

    /// One read of a single key at an older revision. `Compacted` once the cluster has compacted that revision.
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

    /// Also while a call still tries: from the first member that did not answer to the next answer of any.
    fn last_failure(&self) -> Option<Error> {
        self.cluster.last_failure()
    }

    /// From what earlier answers said; asks nobody. A version or a cluster that no member has told is left out.
    fn status(&self) -> LogStatus {
        self.cluster.status()
    }

    /// One request, which also compares and writes one small record of this client's, a slot of its fence. The first
    /// commit, and one after a pause in which the lease ended, also takes a lease. A lost reply costs a few requests
    /// more, to find out what became of it; commits that were left open cost a round in which their slots are closed,
    /// before anything later is acknowledged.
    ///
    /// While four commits of this client are under way, those that come and write one record without a lease, guarded by that
    /// record alone, wait until one of the four is answered, 50 ms at most, and are sent as one transaction: they have one
    /// position, and one of them that is refused is told so and takes none of the others along. Dropping one that has been
    /// sent is as ever: it may land, but never after a later commit of this client was acknowledged.
    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        runtime::check()?;
        reserved::check(&transaction)?;
        self.cluster.commit(transaction).await
    }

    /// One request, and one read before it if no answer was seen yet, or the connection is new. In whole seconds, rounded up;
    /// the server may grant more, and at least about 1.5 election timeouts. It is asked for by a name that is drawn here: a
    /// lost reply costs the request once more and a renewal, and leaves no second lease behind. One that is dropped, or
    /// given up, may have been granted; it ends by itself.
    ///
    /// `Denied` also for a role that may read neither this log's own records nor, as far as it has tried, in any keyspace:
    /// it cannot know which life of the log this is. Once it has read in one it has leases.
    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        runtime::check()?;
        self.answered(self.cluster.grant(ttl).await).await
    }

    /// One stream with two messages, on the connection for leases, and one read if that connection is new, or its member
    /// lags behind. On servers that may report the renewal of a lease that is gone (below 3.5.23, 3.4.38, 3.6.5), one more
    /// request that asks whether it is there. Dropping it leaves the lease renewed or not.
    ///
    /// A lease of another life is lost without being renewed; that it is another is read from the log first.
    async fn renew(&self, lease: Lease) -> Result<Lease> {
        runtime::check()?;
        self.answered(self.cluster.renew(lease).await).await
    }

    /// One request. The deletions appear in tails as one commit.
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
