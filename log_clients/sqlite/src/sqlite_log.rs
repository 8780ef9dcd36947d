//! The client of an SQLite log.
//!
//! Never does anything that blocks: its threads do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{
    Capabilities, Difference, Error, ErrorKind, Keyspace, KnownKeys, Lease, LeaseId, LogClient,
    LogId, LogStatus, Position, Record, Result, Revision, Snapshot, Tail, Transaction, async_trait,
};

use crate::changes;
use crate::pages::Pages;
use crate::shared::Shared;
use crate::tailing::Tailing;
use crate::writes::{Ask, Done};

/// How long a write waits for other processes and for the disk, where it is not said.
const BOUND: Duration = Duration::from_secs(10);

/// A log in one SQLite file, shared by any number of processes of one host. Clones share it.
#[derive(Clone)]
pub struct SqliteLog {
    shared: Arc<Shared>,
}

impl SqliteLog {
    pub(crate) fn of(shared: Arc<Shared>) -> SqliteLog {
        SqliteLog { shared }
    }

    /// Forgets the history up to and including `revision`, for all processes.
    ///
    /// # Errors
    /// `Invalid` for a revision that was not reached yet; and as every write.
    pub async fn compact(&self, revision: Revision) -> Result<()> {
        self.shared.ask(Ask::Compact(revision), BOUND).await?;
        Ok(())
    }

    async fn granted(&self, ask: Ask) -> Result<Lease> {
        match self.shared.ask(ask, BOUND).await? {
            Done::Granted(lease) => Ok(lease),
            Done::At(_) => Err(Error::new(ErrorKind::Unavailable, "no lease was granted")),
        }
    }
}

#[async_trait]
impl LogClient for SqliteLog {
    fn id(&self) -> LogId {
        self.shared.id.clone()
    }

    fn capabilities(&self) -> Capabilities {
        self.shared.capabilities.clone()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        Pages::open(&self.shared, keyspace).await
    }

    /// Reads all records as a snapshot does, and goes through what is known beside them.
    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        Difference::of_snapshot(self.snapshot(keyspace).await?, since, known)
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        Tailing::open(&self.shared, keyspace, after).await
    }

    async fn head(&self, _keyspace: &Keyspace) -> Result<Position> {
        self.shared.look(|_, stand| Ok(stand.position())).await
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        let (keyspace, key) = (keyspace.clone(), key.to_vec());
        let look = self.shared.look(move |connection, stand| {
            stand.check_followable(at)?;
            changes::at(connection, &keyspace, &key, at.revision)
        });
        look.await
    }

    fn last_failure(&self) -> Option<Error> {
        self.shared.last_failure()
    }

    fn status(&self) -> LogStatus {
        let failure = self.last_failure();
        let status = LogStatus::new(self.shared.capabilities.name).failing(failure.as_ref());
        let status = status.with("file", self.shared.path.display());
        match *self.shared.seen().borrow() {
            Some(head) => status.with("head", head),
            None => status,
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        transaction.check(&self.shared.capabilities)?;
        let within = transaction.timeout().unwrap_or(BOUND);
        match self.shared.ask(Ask::Commit(transaction), within).await? {
            Done::At(position) => Ok(position),
            Done::Granted(_) => Err(Error::new(ErrorKind::Indeterminate, "a lease was granted")),
        }
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        let most = self.shared.capabilities.max_ttl;
        if ttl.is_zero() || ttl > most {
            let why = format!("a lease lives longer than zero and at most {most:?}, not {ttl:?}");
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        self.granted(Ask::Grant(whole_millis(ttl))).await
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.granted(Ask::Renew(lease)).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.shared.ask(Ask::Revoke(lease), BOUND).await?;
        Ok(())
    }
}

/// Never less.
fn whole_millis(ttl: Duration) -> Duration {
    let millis = ttl.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLog")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}
