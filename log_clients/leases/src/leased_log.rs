//! The client: the log inside, and leases.
//!
//! Never changes what is read: snapshots, differences, tails and heads are those of the log inside.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use globe_log_client::{
    Capabilities, Difference, Error, Keyspace, KnownKeys, Lease, LeaseId, LogClient, LogId,
    LogStatus, Position, RecentHead, Record, Result, Snapshot, Tail, Transaction, async_trait,
};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::capabilities::{Leased, with_leases};
use crate::error::{refused_ttl, unsupported};
use crate::lease_record::KEYSPACE;
use crate::leases::Leases;
use crate::sweeper::sweep;

/// A log with leases, around one without. Clones share one client of it, and one task that sweeps.
///
/// It has the [id](LogClient::id) of the log inside. Around a log that has leases it does nothing, and neither does it where
/// a transaction cannot span keyspaces: `leases` then stays false, and a grant is `Unsupported`.
///
/// The task runs on the runtime of the first call, and ends when the last clone is dropped, or with that runtime; the next
/// call then begins another.
///
/// ```
/// use std::time::Duration;
/// use globe_leases::LeasedLog;
/// use globe_log_client::{Keyspace, LogClient, Transaction};
/// use globe_memory::MemoryLog;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> globe_log_client::Result<()> {
/// let mut less = MemoryLog::new().capabilities();
/// less.leases = false;
/// let log = LeasedLog::new(MemoryLog::builder().capabilities(less).build())?;
///
/// let (members, lease) = (Keyspace::new("members")?, log.grant(Duration::from_secs(10)).await?);
/// log.commit(Transaction::new().put_leased(&members, "web-7", "10.0.0.7", lease.id)).await?;
/// tokio::time::sleep(Duration::from_secs(11)).await; // nobody has renewed it
/// assert!(log.snapshot(&members).await?.collect().await?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LeasedLog {
    shared: Arc<Shared>,
}

struct Shared {
    leases: Arc<Leases>,
    sweeper: Mutex<Option<AbortHandle>>,
}

impl LeasedLog {
    /// The name of the keyspace that holds the leases: `lease/{id}` while one lives, `ended/{id}` until its records are
    /// gone. It can be read like any other; what writes or compares there is `Invalid`.
    pub const KEYSPACE: &'static str = KEYSPACE;

    /// A log with leases around `inner`. Talks to nobody yet.
    ///
    /// # Errors
    /// `Invalid` if [`LeasedLog::KEYSPACE`] were no name of a keyspace.
    pub fn new(inner: impl LogClient) -> Result<LeasedLog> {
        let leases = Arc::new(Leases::new(Arc::new(inner))?);
        let sweeper = Mutex::default();
        Ok(LeasedLog {
            shared: Arc::new(Shared { leases, sweeper }),
        })
    }

    fn leases(&self) -> &Leases {
        &self.shared.leases
    }

    fn inner(&self) -> &dyn LogClient {
        &*self.shared.leases.inner
    }

    /// Whose leases there are. If they are ours, somebody has to sweep.
    fn leased(&self) -> Leased {
        let leased = Leased::of(&self.inner().capabilities());
        if leased == Leased::Ours {
            self.shared.sweep();
        }
        leased
    }

    /// Whether the leases are ours: those of the log inside are its own matter.
    fn is_ours(&self) -> Result<bool> {
        match self.leased() {
            Leased::Ours => Ok(true),
            Leased::ItsOwn => Ok(false),
            Leased::Nobodys => Err(unsupported(self.inner().capabilities().name)),
        }
    }
}

impl Shared {
    /// Begins to sweep, unless that is being done. Without a runtime the next call does.
    fn sweep(&self) {
        if is_alive(&self.sweeper()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let task = runtime.spawn(sweep(Arc::clone(&self.leases)));
        let superfluous = self.keep(task.abort_handle());
        if let Some(task) = superfluous.filter(|task| !task.is_finished()) {
            task.abort();
        }
    }

    /// Keeps a task, unless another call was faster. Gives back the one that is not kept.
    fn keep(&self, task: AbortHandle) -> Option<AbortHandle> {
        let mut sweeper = self.sweeper();
        if is_alive(&sweeper) {
            return Some(task);
        }
        sweeper.replace(task)
    }

    fn sweeper(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.sweeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_alive(task: &Option<AbortHandle>) -> bool {
    task.as_ref().is_some_and(|task| !task.is_finished())
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(task) = self.sweeper().take() {
            task.abort();
        }
    }
}

#[async_trait]
impl LogClient for LeasedLog {
    fn id(&self) -> LogId {
        self.inner().id()
    }

    /// Those of the log inside, with leases, and with a little less room: what guards a put under one lease needs some.
    fn capabilities(&self) -> Capabilities {
        with_leases(self.inner().capabilities())
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        self.leased();
        self.inner().snapshot(keyspace).await
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.leased();
        self.inner().difference(keyspace, since, known).await
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.leased();
        self.inner().tail(keyspace, after).await
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.leased();
        self.inner().head(keyspace).await
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        self.leased();
        self.inner().recent_head(keyspace, age).await
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.leased();
        self.inner().record_at(keyspace, key, at).await
    }

    fn last_failure(&self) -> Option<Error> {
        self.inner().last_failure()
    }

    fn status(&self) -> LogStatus {
        self.inner().status()
    }

    /// One commit of the log inside. A put under a lease that this client does not know costs a look at all leases before;
    /// one that meets a renewal while it adds a keyspace to its lease costs a look and another commit.
    ///
    /// A put under a lease is bound to the life of the log in which the lease was seen, as if the transaction
    /// [said so](Transaction::epoch): if the log is in another one, it is `EpochChanged`.
    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        if self.leased() != Leased::Ours {
            return self.inner().commit(transaction).await;
        }
        transaction.check(&self.capabilities())?;
        self.leases().commit(transaction).await
    }

    /// A question for the head and a commit.
    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        if !self.is_ours()? {
            return self.inner().grant(ttl).await;
        }
        let most = self.capabilities().max_ttl;
        if ttl.is_zero() || ttl > most {
            return Err(refused_ttl(ttl, most));
        }
        self.leases().grant(ttl).await
    }

    /// One commit. A look at all leases before, if this client does not know the lease; a look and another commit, if
    /// somebody else has changed it.
    async fn renew(&self, lease: Lease) -> Result<Lease> {
        match self.is_ours()? {
            true => self.leases().renew(lease).await,
            false => self.inner().renew(lease).await,
        }
    }

    /// A look at all leases, a commit that ends this one, a snapshot of each keyspace in which something was put under it,
    /// a commit for as many of its records as fit in one, and one more. What a dropped or failed call leaves undone, the
    /// task does.
    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        match self.is_ours()? {
            true => self.leases().revoke(lease).await,
            false => self.inner().revoke(lease).await,
        }
    }
}

impl fmt::Debug for LeasedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedLog")
            .field("inner", &self.shared.leases.inner)
            .finish_non_exhaustive()
    }
}
