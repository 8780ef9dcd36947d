//! The client of a memory log, and the verbs of its operator.
//!
//! Never waits for anything but its turn on the executor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{
    Capabilities, Conflict, Difference, Error, ErrorKind, Keyspace, KnownKeys, Lease, LeaseId,
    LogClient, LogId, LogStatus, Position, Record, Result, Revision, Snapshot, Tail, Transaction,
    Write, async_trait,
};
use tokio::time::Instant;

use crate::history::Back;
use crate::pages::Pages;
use crate::server::{Server, State};
use crate::store::{self, Store};
use crate::tailing::Tailing;

/// A log that lives in this process. Clones share it; it ends with the last clone, tail or snapshot.
///
/// Besides the verbs of [`LogClient`] it has those of an operator, so that a test can do to it what happens to real
/// logs: forget history, be restored from a backup, be wiped, be down, fall silent.
///
/// ```
/// use globe_log_client::{ErrorKind, Keyspace, LogClient, Transaction};
/// use globe_memory::MemoryLog;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> globe_log_client::Result<()> {
/// let log = MemoryLog::new();
/// let flags = Keyspace::new("flags")?;
/// let before = log.commit(Transaction::new().put(&flags, "a", "1")).await?;
/// let backup = log.backup();
/// log.commit(Transaction::new().put(&flags, "a", "2")).await?;
///
/// // An operator starts it from its backup: what came later did not happen.
/// let mut tail = log.tail(&flags, before).await?;
/// log.restore(&backup);
/// let ended = loop {
///     if let Err(error) = tail.next().await {
///         break error;
///     }
/// };
/// assert_eq!(*ended.kind(), ErrorKind::EpochChanged);
/// assert_eq!(log.head_position().revision, before.revision);
/// # Ok(())
/// # }
/// ```
///
/// It keeps its whole history until [`compact`](MemoryLog::compact) is called, unless it was
/// [built](crate::MemoryLogBuilder::history) to keep less. It answers at once, so the [timeout](Transaction::timeout)
/// of a transaction means nothing to it. Leases need tokio's clock, which a test may pause; it has no task of its own.
#[derive(Clone)]
pub struct MemoryLog {
    server: Arc<Server>,
}

/// What a memory log held at one time: see [`MemoryLog::backup`]. It may be restored as often as wanted, into the log
/// it is of or into another. It holds the records of then in memory until it is dropped; what has not changed since is
/// shared.
#[derive(Clone)]
pub struct MemoryBackup {
    store: Store,
}

impl MemoryLog {
    pub(crate) fn of(server: Server) -> MemoryLog {
        let server = Arc::new(server);
        MemoryLog { server }
    }

    /// The newest committed position, whether or not the log is available: for a test that has to know it while the log
    /// is down.
    #[must_use]
    pub fn head_position(&self) -> Position {
        self.server.look(State::position)
    }

    /// Forgets the history up to and including `revision`.
    ///
    /// From then on a tail can start after `revision` or anything newer. A snapshot that is being read at an older one,
    /// and a tail that was not yet given `revision`, fail with `Compacted`. Forgetting what is forgotten already does
    /// nothing.
    ///
    /// # Errors
    /// `Invalid` for a revision that was not reached yet.
    pub fn compact(&self, revision: Revision) -> Result<()> {
        let forgotten = self.server.change(|state| {
            let head = state.store.revision;
            if revision > head {
                let context = format!("cannot compact up to {revision}: the log stands at {head}");
                return Err(Error::new(ErrorKind::Invalid, context));
            }
            Ok(state.store.compact(revision))
        })?;
        drop(forgotten);
        Ok(())
    }

    /// All it holds now: records, history, leases. Copies the list of commits, but no record.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe_log_client::Result<()> {
    /// use globe_log_client::{Keyspace, LogClient, Transaction};
    /// use globe_memory::MemoryLog;
    ///
    /// let (log, flags) = (MemoryLog::new(), Keyspace::new("flags")?);
    /// let backup = log.backup();
    /// let lost = log.commit(Transaction::new().put(&flags, "dark-mode", "on")).await?;
    /// log.restore(&backup);
    ///
    /// // The same revisions come again, in another epoch: nothing covers what was lost.
    /// assert!(!log.head(&flags).await?.covers(lost));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn backup(&self) -> MemoryBackup {
        let store = self.server.look(|state| state.store.clone());
        MemoryBackup { store }
    }

    /// Goes back to a backup, as an operator does who starts a cluster from one: revisions go on from there and are used
    /// again, in a new epoch; leases live for their full time again; open tails and snapshots end with `EpochChanged`.
    pub fn restore(&self, backup: &MemoryBackup) {
        let mut store = backup.store.clone();
        // The backup may be of a log that keeps more.
        store.keep(self.server.history);
        self.begin_again(store);
    }

    /// Loses everything: as [`restore`](MemoryLog::restore) to a backup of an empty log.
    pub fn wipe(&self) {
        self.begin_again(Store::new(self.server.history));
    }

    fn begin_again(&self, store: Store) {
        let lost = self.server.change(|state| state.begin_again(store));
        drop(lost);
    }

    /// Makes the log unavailable, or available again. While it is not, every call fails with `Unavailable`, and open
    /// tails break with it. Leases go on ending.
    pub fn set_available(&self, is_available: bool) {
        self.server.change(|state| {
            state.is_available = is_available;
            if !is_available {
                state.broken_below = state.tails.get();
            }
        });
    }

    /// Makes every tail silent, open now or later, or lets them go on: while they are held they deliver nothing, not even
    /// an error, although commits go on. Afterwards they deliver all of it.
    pub fn hold_tails(&self, held: bool) {
        self.server.change(|state| state.holds_tails = held);
    }

    /// Makes the tails that are open now silent for ever, as a connection does whose other end froze. Tails opened later
    /// are well.
    pub fn silence_open_tails(&self) {
        self.server
            .change(|state| state.silent_below = state.tails.get());
    }

    /// Gives other tasks their turn: nothing here waits for a network, so a caller in a loop would never yield.
    async fn yield_sometimes(&self) {
        tokio::task::consume_budget().await;
    }

    fn check_has_leases(&self) -> Result<()> {
        self.check_can(self.server.capabilities.leases, "has no leases")
    }

    fn check_can(&self, can: bool, otherwise: &str) -> Result<()> {
        if can {
            return Ok(());
        }
        let context = format!("the {} log {otherwise}", self.server.capabilities.name);
        Err(Error::new(ErrorKind::Unsupported, context))
    }
}

#[async_trait]
impl LogClient for MemoryLog {
    fn id(&self) -> LogId {
        self.server.id.clone()
    }

    fn capabilities(&self) -> Capabilities {
        self.server.capabilities.clone()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        self.yield_sometimes().await;
        Pages::open(&self.server, keyspace)
    }

    /// Goes through all records as a snapshot does, and through what is known beside them.
    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.check_can(self.server.capabilities.differences, "tells no differences")?;
        Difference::of_snapshot(self.snapshot(keyspace).await?, since, known)
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.yield_sometimes().await;
        Tailing::open(&self.server, keyspace, after)
    }

    async fn head(&self, _keyspace: &Keyspace) -> Result<Position> {
        self.yield_sometimes().await;
        self.server.reach(|state| Ok(state.position()))
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.check_can(self.server.capabilities.history, "keeps no history")?;
        self.yield_sometimes().await;
        let mut revision = at.revision;
        loop {
            let back = self.server.reach(|state| {
                state.check_followable(at)?;
                Ok(state.store.at(keyspace, key, revision))
            })?;
            match back {
                Back::Found(record) => return Ok(record),
                Back::Further(earlier) => revision = earlier,
            }
            tokio::task::yield_now().await;
        }
    }

    fn last_failure(&self) -> Option<Error> {
        self.server.look(|state| state.last_failure.clone())
    }

    fn status(&self) -> LogStatus {
        let (failure, head, compacted) = self.server.look(|state| {
            let failure = state.last_failure.clone();
            (failure, state.position(), state.store.compacted())
        });
        let status = LogStatus::new(self.server.capabilities.name).failing(failure.as_ref());
        status.with("head", head).with("compacted", compacted)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        transaction.check(&self.server.capabilities)?;
        self.yield_sometimes().await;
        let writes = copied(transaction.writes())?;
        let has_leases = self.server.capabilities.leases;
        self.server.write(|state| {
            state.check_life(transaction.epoch())?;
            let failed = state.store.failed(&transaction)?;
            if !failed.is_empty() {
                let position = state.position();
                return Err(Error::conflict(Conflict::new(position, failed)));
            }
            if has_leases && let Some(lease) = state.store.lost_lease(&writes) {
                return Err(lost(lease));
            }
            state.store.apply(writes);
            Ok(state.position())
        })
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.check_has_leases()?;
        let most = self.server.capabilities.max_ttl;
        if ttl.is_zero() || ttl > most {
            return Err(refused_ttl(ttl, most));
        }
        self.yield_sometimes().await;
        // Tails that wait must learn when this one ends.
        self.server.write(|state| {
            let id = state.next_lease();
            if state.store.leases.grant(id, ttl, Instant::now()) {
                return Ok(Lease::new(id, ttl, state.epoch));
            }
            Err(refused_ttl(ttl, most))
        })
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.check_has_leases()?;
        self.yield_sometimes().await;
        self.server.write(|state| {
            if lease.epoch != state.epoch {
                let why = format!("lease {} is of another life of the log", lease.id);
                return Err(Error::new(ErrorKind::LeaseLost, why));
            }
            let renewed = state.store.leases.renew(lease.id, Instant::now());
            let ttl = renewed.ok_or_else(|| lost(lease.id))?;
            Ok(Lease::new(lease.id, ttl, lease.epoch))
        })
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.check_has_leases()?;
        self.yield_sometimes().await;
        self.server.write(|state| {
            state.store.end_lease(lease);
            Ok(())
        })
    }
}

/// The writes in memory of the log's own, as a log has them that lives elsewhere: it neither holds on to a caller's
/// buffer, nor runs the caller's code when it forgets a value (bytes can have an owner with a `Drop`).
fn copied(writes: &[(Keyspace, Bytes, Write)]) -> Result<Vec<store::Write>> {
    let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    let copied = writes.iter().map(|(keyspace, key, write)| {
        let put = match write {
            Write::Put { value, lease, .. } => Some((copy(value), *lease)),
            Write::Delete => None,
            unknown => {
                let why = format!("the memory log does not know the write {unknown:?}");
                return Err(Error::new(ErrorKind::Unsupported, why));
            }
        };
        let place = (keyspace.clone(), copy(key));
        Ok(store::Write { place, put })
    });
    copied.collect()
}

fn lost(lease: LeaseId) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("lease {lease} has ended"))
}

fn refused_ttl(ttl: Duration, most: Duration) -> Error {
    let context = format!("a lease lives longer than zero and at most {most:?}, not {ttl:?}");
    Error::new(ErrorKind::Invalid, context)
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLog")
            .field("head", &self.head_position())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MemoryBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackup")
            .field("revision", &self.store.revision)
            .finish_non_exhaustive()
    }
}
