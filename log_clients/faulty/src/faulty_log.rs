//! The client: each verb, with what can go wrong on its way to the log and back.
//!
//! Never judges a commit itself: the log inside does, sooner, later, or never.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use globe_log_client::{
    Capabilities, Difference, Error, ErrorKind, Keyspace, KnownKeys, Lease, LeaseId, LogClient,
    LogId, LogStatus, Position, RecentHead, Record, Result, Revision, Snapshot, Tail, Transaction,
    async_trait,
};

use crate::deadline::Deadline;
use crate::dice::{Chance, Dice};
use crate::fault::Fault;
use crate::faults::Faults;
use crate::fence::Fence;
use crate::operator::{Operator, Restore};
use crate::{paging, tailing};

/// A log around a log, which fails by a seed. Clones are one log, with one count of faults. It has the
/// [id](LogClient::id) of the log inside, so that transactions over maps on both are of one log.
///
/// Its verbs are those of the log inside, as a bad network and bad servers carry them. Each may be dropped at any
/// await, as any log's; a commit that is [held](Fault::HoldRequest) or [late](Fault::LandLate) goes on in a task of its
/// own until it lands.
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
    fence: Arc<Fence>,
    /// Why the last call failed, if it did not reach the log.
    last_failure: Mutex<Option<Error>>,
    /// Whether [`Fault::LandLate`] was ever possible: an outcome that was fenced once must stay so.
    may_land_late: AtomicBool,
}

impl FaultyLog {
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
                fence: Arc::default(),
                last_failure: Mutex::default(),
                may_land_late: AtomicBool::new(may_land_late),
            }),
        }
    }

    /// What goes wrong from now on. What is under way stays so: a tail that lags goes on only as long as tails may lag.
    /// Once [`Fault::LandLate`] was possible, the capabilities say for good that commits are not fenced.
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

    /// How often each fault has happened so far, of this log and its clones; those that never did are left out. The
    /// same seed and the same program count the same.
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

    /// Remembers why a call did not reach the log, and forgets it when one does.
    fn noted<T>(&self, outcome: Result<T>) -> Result<T> {
        let failure = outcome.as_ref().err().filter(|error| {
            let kind = error.kind();
            matches!(kind, ErrorKind::Unavailable | ErrorKind::Indeterminate)
        });
        let before = std::mem::replace(&mut *self.failure(), failure.cloned());
        drop(before);
        outcome
    }

    fn failure(&self) -> MutexGuard<'_, Option<Error>> {
        let failure = self.shared.last_failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner)
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

    fn backup(&self) -> MutexGuard<'_, Option<Restore>> {
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

/// Each verb as the network does it.
impl FaultyLog {
    async fn take_snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
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

    async fn take_difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let difference = self.shared.inner.difference(keyspace, since, known).await?;
        dice.delay().await;
        Ok(paging::disturb_difference(difference, dice))
    }

    async fn open_tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let tail = self.shared.inner.tail(keyspace, after).await?;
        dice.delay().await;
        Ok(tailing::disturb(tail, after.revision, dice))
    }

    /// A question for the head, in one way or another. By an old answer it is taken back a little.
    async fn ask_head<T>(
        &self,
        question: impl Future<Output = Result<T>>,
        revision: impl FnOnce(&mut T) -> &mut Revision,
    ) -> Result<T> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let mut head = question.await?;
        dice.delay().await;
        if dice.hits(Fault::StaleHead) {
            let (back, revision) = (1 + dice.below(20) as u64, revision(&mut head));
            *revision = Revision(revision.0.saturating_sub(back).max(1));
        }
        Ok(head)
    }

    /// A call that may be late, refused, or lost, and whose answer may be late.
    async fn ask<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let mut dice = self.dice();
        self.send(&mut dice).await?;
        let answer = call.await;
        dice.delay().await;
        answer
    }

    async fn try_commit(&self, mut transaction: Transaction) -> Result<Position> {
        let (shared, mut dice) = (&self.shared, self.dice());
        let deadline = Deadline::after(transaction.timeout());
        if !deadline.wait(dice.late()).await {
            return Err(unavailable("no time was left to send it"));
        }
        if dice.hits(Fault::Refuse) {
            return Err(unavailable("the log refused the call"));
        }
        if self.loses(&mut dice, &transaction) {
            deadline.wait(Some(dice.silence_time())).await;
            return Err(unknown());
        }
        transaction = transaction.taking_at_most(deadline.left());
        let outcome = shared.inner.commit(transaction).await;
        if let Ok(position) = &outcome {
            shared.fence.close().await;
            self.operate(&mut dice, position.revision);
        }
        let is_in_time = deadline.wait(dice.late()).await;
        if dice.hits(Fault::LoseReply) {
            deadline.wait(Some(dice.silence_time())).await;
            return Err(unknown());
        }
        if !is_in_time {
            return Err(unknown());
        }
        outcome
    }

    /// Whether a commit does not reach the log while its caller waits. The caller cannot know whether it ever will.
    fn loses(&self, dice: &mut Dice, transaction: &Transaction) -> bool {
        let inner = || Arc::clone(&self.shared.inner);
        if dice.hits(Fault::LoseRequest) {
            return true;
        }
        if dice.hits(Fault::LandLate) {
            land_late(inner(), transaction.clone(), dice.lateness());
            return true;
        }
        let is_held = dice.hits(Fault::HoldRequest);
        if is_held {
            let (fence, late) = (&self.shared.fence, dice.lateness());
            fence.hold(inner(), transaction.clone(), late);
        }
        is_held
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
        self.noted(self.take_snapshot(keyspace).await)
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.noted(self.take_difference(keyspace, since, known).await)
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.noted(self.open_tail(keyspace, after).await)
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        let question = self.shared.inner.head(keyspace);
        let head = self.ask_head(question, |head| &mut head.revision);
        self.noted(head.await)
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        let question = self.shared.inner.recent_head(keyspace, age);
        let head = self.ask_head(question, |head| &mut head.position.revision);
        self.noted(head.await)
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        let record = self.shared.inner.record_at(keyspace, key, at);
        self.noted(self.ask(record).await)
    }

    fn last_failure(&self) -> Option<Error> {
        let own = self.failure().clone();
        own.or_else(|| self.shared.inner.last_failure())
    }

    /// That of the log inside, with how many faults have happened.
    fn status(&self) -> LogStatus {
        let injected: u64 = self.injected().into_values().sum();
        let status = self.shared.inner.status().with("faults", injected);
        status.failing(self.last_failure().as_ref())
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        transaction.check(&self.capabilities())?;
        self.noted(self.try_commit(transaction).await)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.noted(self.ask(self.shared.inner.grant(ttl)).await)
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.noted(self.ask(self.shared.inner.renew(lease)).await)
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.noted(self.ask(self.shared.inner.revoke(lease)).await)
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
