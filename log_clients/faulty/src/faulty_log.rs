//! The client: each verb, with what can go wrong on its way to the log and back.
//!
//! Never judges a commit itself: the log inside does, sooner, later, or never.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use globe_log_client::{
    Bytes, Capabilities, Error, ErrorKind, Keyspace, Lease, LeaseId, LogClient, LogId, Position,
    Record, Result, Revision, Snapshot, Tail, Transaction, async_trait,
};

use crate::builder::FaultyLogBuilder;
use crate::dice::{Chance, Dice};
use crate::fault::Fault;
use crate::faults::Faults;
use crate::operator::{Operator, Restore};
use crate::{paging, tailing};

/// A log around a log, which fails by a seed. Clones are one log.
#[derive(Clone)]
pub struct FaultyLog {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Arc<dyn LogClient>,
    operator: Option<Arc<dyn Operator>>,
    chance: Arc<Chance>,
    backup: Mutex<Option<Restore>>,
    /// The first snapshot of each keyspace, for [`Fault::OldSnapshot`].
    first: Mutex<BTreeMap<Keyspace, (Position, Vec<Record>)>>,
    /// Whether [`Fault::LandLate`] was ever possible: an outcome that was fenced once must stay so.
    may_land_late: AtomicBool,
}

impl FaultyLog {
    /// A log around `inner` on which everything goes wrong that the contract allows, drawn from `seed`.
    #[must_use]
    pub fn new(inner: impl LogClient, seed: u64) -> FaultyLog {
        FaultyLog::builder(inner).seed(seed).build()
    }

    /// A log around `inner` that differs from the default.
    pub fn builder(inner: impl LogClient) -> FaultyLogBuilder {
        FaultyLogBuilder::new(Arc::new(inner))
    }

    pub(crate) fn of(
        inner: Arc<dyn LogClient>,
        operator: Option<Arc<dyn Operator>>,
        chance: Arc<Chance>,
    ) -> FaultyLog {
        let may_land_late = chance.faults(|faults| faults.chance(Fault::LandLate)) > 0.0;
        FaultyLog {
            shared: Arc::new(Shared {
                inner,
                operator,
                chance,
                backup: Mutex::default(),
                first: Mutex::default(),
                may_land_late: AtomicBool::new(may_land_late),
            }),
        }
    }

    /// What goes wrong from now on. What is under way stays so.
    pub fn set_faults(&self, faults: Faults) {
        if faults.chance(Fault::LandLate) > 0.0 {
            self.shared.may_land_late.store(true, Ordering::Relaxed);
        }
        self.shared.chance.set(faults);
    }

    /// No more faults. What is under way still ends as it was drawn: after [`Faults::silence`] and [`Faults::lateness`]
    /// all is well. Only a tail that [fell silent for ever](Fault::MuteTail) stays so.
    pub fn heal(&self) {
        self.set_faults(Faults::none());
    }

    /// How often each fault has happened so far.
    #[must_use]
    pub fn injected(&self) -> BTreeMap<Fault, u64> {
        self.shared.chance.ledger.counts()
    }

    fn dice(&self) -> Dice {
        self.shared.chance.dice()
    }

    /// Before a call: it may be late, refused, or lost.
    async fn send(&self, dice: &mut Dice) -> Result<()> {
        dice.delay().await;
        if dice.hits(Fault::Refuse) {
            return Err(unavailable("the log refused the call"));
        }
        if dice.hits(Fault::LoseRequest) {
            dice.silence().await;
            return Err(unavailable("the log did not answer"));
        }
        Ok(())
    }

    /// What operators do, now and then, while others write.
    fn operate(&self, dice: &mut Dice, committed: Revision) {
        let Some(operator) = &self.shared.operator else {
            return;
        };
        if dice.hits(Fault::Compact) {
            let back = dice.below(5) as u64;
            // Another operator may have restored the log meanwhile: what cannot be compacted is not.
            let _ = operator.compact(Revision(committed.0.saturating_sub(back)));
        }
        if dice.hits(Fault::Backup) {
            let restore = operator.backup();
            // The one before is an operator's: it is dropped outside the lock.
            let before = self.backup().replace(restore);
            drop(before);
        }
        let has_backup = self.backup().is_some();
        if has_backup && dice.hits(Fault::Restore) {
            let restore = self.backup().take();
            if let Some(restore) = restore {
                restore();
            }
        }
    }

    fn backup(&self) -> std::sync::MutexGuard<'_, Option<Restore>> {
        let backup = self.shared.backup.lock();
        backup.unwrap_or_else(PoisonError::into_inner)
    }

    /// An old snapshot of a keyspace, if one was kept: the first that was ever taken is.
    async fn old(&self, keyspace: &Keyspace) -> Result<Option<Snapshot>> {
        let known = |shared: &Shared| {
            let first = shared.first.lock().unwrap_or_else(PoisonError::into_inner);
            first.get(keyspace).cloned()
        };
        if let Some((position, records)) = known(&self.shared) {
            return Ok(Some(Snapshot::of(position, records)));
        }
        let snapshot = self.shared.inner.snapshot(keyspace).await?;
        let (position, records) = (snapshot.position(), snapshot.collect().await?);
        let another = {
            let first = self.shared.first.lock();
            let mut first = first.unwrap_or_else(PoisonError::into_inner);
            first.insert(keyspace.clone(), (position, records))
        };
        drop(another);
        Ok(None)
    }
}

#[async_trait]
impl LogClient for FaultyLog {
    fn id(&self) -> LogId {
        self.shared.inner.id()
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.shared.inner.capabilities();
        capabilities.fenced &= !self.shared.may_land_late.load(Ordering::Relaxed);
        capabilities
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let keeps_old = self.shared.chance.faults(|f| f.chance(Fault::OldSnapshot)) > 0.0;
        if keeps_old
            && let Some(old) = self.old(keyspace).await?
            && dice.hits(Fault::OldSnapshot)
        {
            return Ok(old);
        }
        let snapshot = self.shared.inner.snapshot(keyspace).await?;
        dice.delay().await;
        Ok(paging::disturb(snapshot, dice))
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let tail = self.shared.inner.tail(keyspace, after).await?;
        dice.delay().await;
        Ok(tailing::disturb(tail, after.revision, dice))
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let mut head = self.shared.inner.head(keyspace).await?;
        dice.delay().await;
        if dice.hits(Fault::StaleHead) {
            let back = 1 + dice.below(20) as u64;
            head.revision = Revision(head.revision.0.saturating_sub(back).max(1));
        }
        Ok(head)
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &Bytes,
        at: Position,
    ) -> Result<Option<Record>> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let record = self.shared.inner.record_at(keyspace, key, at).await?;
        dice.delay().await;
        Ok(record)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        transaction.check(&self.capabilities())?;
        let mut dice = self.dice();
        dice.delay().await;
        if dice.hits(Fault::Refuse) {
            return Err(unavailable("the log refused the call"));
        }
        if dice.hits(Fault::LoseRequest) {
            dice.silence().await;
            return Err(unknown());
        }
        if dice.hits(Fault::LandLate) {
            let late = dice.lateness();
            land_late(Arc::clone(&self.shared.inner), transaction, late);
            dice.silence().await;
            return Err(unknown());
        }
        let outcome = self.shared.inner.commit(transaction).await;
        if let Ok(position) = &outcome {
            self.operate(&mut dice, position.revision);
        }
        dice.delay().await;
        if dice.hits(Fault::LoseReply) {
            dice.silence().await;
            return Err(unknown());
        }
        outcome
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let lease = self.shared.inner.grant(ttl).await?;
        dice.delay().await;
        Ok(lease)
    }

    async fn renew(&self, lease: LeaseId) -> Result<()> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let renewed = self.shared.inner.renew(lease).await;
        dice.delay().await;
        renewed
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let revoked = self.shared.inner.revoke(lease).await;
        dice.delay().await;
        revoked
    }
}

/// Sends a commit whose caller was told that its outcome is unknown. It is on its own now: nobody waits for it.
fn land_late(log: Arc<dyn LogClient>, transaction: Transaction, late: Duration) {
    tokio::spawn(async move {
        tokio::time::sleep(late).await;
        let _ = log.commit(transaction).await;
    });
}

fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, why)
}

fn unknown() -> Error {
    let why = "the answer was lost: it may or may not have been written";
    Error::new(ErrorKind::Indeterminate, why)
}

impl fmt::Debug for FaultyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyLog")
            .field("inner", &self.shared.inner)
            .field("injected", &self.injected())
            .finish_non_exhaustive()
    }
}
