//! The fence: why no late copy of a commit can land once its outcome was reported.
//!
//! Every commit also compares and writes one of this writer's slots, small records of its own that live as long as its
//! lease. While the outcome of a commit is unknown its slot is rewritten: if that succeeds, the commit was not applied
//! and never can be; if it fails, the slot itself shows what was.
//!
//! Never runs a task: the lease is renewed on the way of a commit, and ends by itself when there are none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::proto::PbKeyValue;
use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp};
use globe_log_client::{Epoch, LeaseId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::call::Repeat;
use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::reading::ranges_of;
use crate::records::{number, revision};

/// How many commits of one client may be under way at once.
const SLOTS: usize = 64;

/// How long the slots outlive the last commit.
const TTL: Duration = Duration::from_secs(60);
const RENEW_AFTER: Duration = Duration::from_secs(20);
/// From this age on the lease is taken for ended: renewing it might come too late.
const TOO_OLD: Duration = Duration::from_secs(50);

#[derive(Default)]
pub(crate) struct Fence {
    writer: tokio::sync::Mutex<Option<Arc<Writer>>>,
    is_forbidden: AtomicBool,
}

/// One lease and its slots.
pub(crate) struct Writer {
    pub(crate) lease: LeaseId,
    epoch: Epoch,
    renewed: Mutex<Instant>,
    is_over: AtomicBool,
    slots: Mutex<Vec<Slot>>,
    free: Arc<Semaphore>,
    tags: AtomicU64,
}

struct Slot {
    number: usize,
    /// When it was last written (0: never); nothing when a commit by it was left without an answer.
    revision: Option<u64>,
}

/// A slot in the hands of one commit. Dropped, it goes back.
pub(crate) struct Held {
    pub(crate) writer: Arc<Writer>,
    pub(crate) key: Vec<u8>,
    /// The slot's revision before this commit.
    guard: u64,
    slot: Slot,
    _permit: OwnedSemaphorePermit,
}

/// What became of a commit.
pub(crate) enum Settled {
    Applied(u64),
    /// It was not applied and never can be.
    NotApplied,
    Unknowable(Fault),
}

impl Fence {
    pub(crate) fn is_forbidden(&self) -> bool {
        self.is_forbidden.load(Ordering::Relaxed)
    }

    /// The role does not allow slots.
    pub(crate) fn forbid(&self) {
        if !self.is_forbidden.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "this role cannot write below .globe/: a commit whose reply is lost may end as indeterminate"
            );
        }
    }

    /// A slot for one commit; nothing when the role does not allow any.
    pub(crate) async fn take(
        &self,
        cluster: &Cluster,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Option<Held>, Fault> {
        if self.is_forbidden() {
            return Ok(None);
        }
        let late = |_| Fault::new(Class::NeverSent, "too many commits are under way");
        let writer = timeout_at(deadline, self.writer(cluster, epoch, deadline))
            .await
            .map_err(late)??;
        let free = Arc::clone(&writer.free);
        let permit = timeout_at(deadline, free.acquire_owned())
            .await
            .map_err(late)?
            .map_err(|_| Fault::new(Class::NeverSent, "the writer has ended"))?;
        let Some(slot) = writer.slots().pop() else {
            return Err(Fault::new(Class::NeverSent, "no fence slot is free"));
        };
        let mut held = Held {
            key: cluster.keys.slot(writer.lease.0, slot.number),
            guard: slot.revision.unwrap_or(0),
            writer,
            slot,
            _permit: permit,
        };
        if held.slot.revision.is_none() {
            let found = cluster.read_slot(&held.key, deadline).await?;
            held.is_at(found.map_or(0, |found| revision(found.mod_revision).0));
        }
        Ok(Some(held))
    }

    /// The writer of this epoch, with a lease that is not about to end.
    async fn writer(
        &self,
        cluster: &Cluster,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Arc<Writer>, Fault> {
        let mut current = self.writer.lock().await;
        if let Some(writer) = current.as_ref().filter(|writer| writer.epoch == epoch)
            && writer.is_fresh(cluster, deadline).await?
        {
            return Ok(Arc::clone(writer));
        }
        let granted = Instant::now();
        let lease = cluster.grant_by(TTL, deadline).await?;
        let writer = Arc::new(Writer::new(lease.id, epoch, granted));
        *current = Some(Arc::clone(&writer));
        Ok(writer)
    }
}

impl Writer {
    fn new(lease: LeaseId, epoch: Epoch, granted: Instant) -> Writer {
        let fresh = |number| Slot {
            number,
            revision: Some(0),
        };
        Writer {
            lease,
            epoch,
            renewed: Mutex::new(granted),
            is_over: AtomicBool::new(false),
            slots: Mutex::new((0..SLOTS).rev().map(fresh).collect()),
            free: Arc::new(Semaphore::new(SLOTS)),
            tags: AtomicU64::new(1),
        }
    }

    /// Its lease has ended: the next commit gets another writer.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    async fn is_fresh(&self, cluster: &Cluster, deadline: Instant) -> Result<bool, Fault> {
        if self.is_over.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let now = Instant::now();
        let age = now.duration_since(*self.renewed());
        if age < RENEW_AFTER {
            return Ok(true);
        }
        if age > TOO_OLD {
            return Ok(false);
        }
        match cluster.renew_by(self.lease, deadline).await {
            Ok(()) => {
                *self.renewed() = now;
                Ok(true)
            }
            Err(fault) if fault.class == Class::LeaseGone => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    fn renewed(&self) -> MutexGuard<'_, Instant> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// A value no other write of this writer's has.
    pub(crate) fn tag(&self) -> Vec<u8> {
        let tag = self.writer.tags.fetch_add(1, Ordering::Relaxed);
        tag.to_string().into_bytes()
    }

    /// The slot is about to be written: until `is_at` says so, nobody knows when it was last.
    pub(crate) fn is_unsure(&mut self) {
        self.slot.revision = None;
    }

    /// The slot was last written at this revision.
    pub(crate) fn is_at(&mut self, revision: u64) {
        self.guard = revision;
        self.slot.revision = Some(revision);
    }

    /// Nothing was written since the slot was taken.
    pub(crate) fn is_as_before(&mut self) {
        self.slot.revision = Some(self.guard);
    }

    /// The slot's revision when it was taken, or last heard of.
    pub(crate) fn guard(&self) -> u64 {
        self.guard
    }

    /// True only while nothing was written by this slot since it was taken.
    pub(crate) fn compare(&self) -> Compare {
        if mutant!("leave_the_fence_open") {
            return Compare::mod_revision(self.key.clone(), CompareOp::Greater, -1);
        }
        Compare::mod_revision(self.key.clone(), CompareOp::Equal, number(self.guard))
    }

    pub(crate) fn put(&self, tag: &[u8]) -> TxnOp {
        let options = PutOptions::new().with_lease(self.writer.lease.0);
        TxnOp::put(self.key.clone(), tag, Some(options))
    }

    pub(crate) fn get(&self) -> TxnOp {
        TxnOp::get(self.key.clone(), None)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Slot { number, revision } = self.slot;
        self.writer.slots().push(Slot { number, revision });
    }
}

impl Cluster {
    async fn read_slot(&self, key: &[u8], deadline: Instant) -> Result<Option<PbKeyValue>, Fault> {
        let options = GetOptions::new().with_limit(1);
        let read = Txn::new().and_then([TxnOp::get(key, Some(options))]);
        let answer = self.send(Repeat::Harmless, read, deadline).await?;
        let found = ranges_of(answer).into_iter().next();
        Ok(found.and_then(|found| found.kvs.into_iter().next()))
    }

    /// Finds out what became of the commit that wrote `tag`, and makes sure that no copy of it can land any more.
    pub(crate) async fn settle(&self, held: &mut Held, tag: &[u8], deadline: Instant) -> Settled {
        let bump = held.tag();
        let write = Txn::new()
            .when([held.compare()])
            .and_then([held.put(&bump)])
            .or_else([held.get()]);
        if mutant!("settle_without_a_proof") {
            return Settled::NotApplied;
        }
        match self.send(Repeat::Harmless, write, deadline).await {
            Ok(answer) if answer.succeeded => {
                let at = answer.header.map_or(0, |header| header.revision);
                held.is_at(revision(at).0);
                Settled::NotApplied
            }
            Ok(answer) => {
                let found = ranges_of(answer).into_iter().next();
                let found = found.and_then(|found| found.kvs.into_iter().next());
                self.judge_slot(held, tag, found)
            }
            Err(fault) if fault.class == Class::Full => {
                self.settle_when_full(held, tag, deadline).await
            }
            Err(fault) => {
                if fault.class == Class::LeaseGone {
                    held.writer.end();
                }
                Settled::Unknowable(fault)
            }
        }
    }

    /// As `settle`, of a log that takes no puts: a slot that was written before can still be deleted.
    async fn settle_when_full(&self, held: &mut Held, tag: &[u8], deadline: Instant) -> Settled {
        let write = Txn::new()
            .when([held.compare()])
            .and_then([TxnOp::delete(held.key.clone(), None)])
            .or_else([held.get()]);
        match self.send(Repeat::Harmless, write, deadline).await {
            Ok(answer) if answer.succeeded && held.guard > 0 => {
                held.is_at(0);
                // Without its record the slot is as it was before its first commit, of which a copy may still be under
                // way. It puts with this lease, so it cannot land when that is gone.
                held.writer.end();
                let _ = self.revoke(held.writer.lease).await;
                Settled::NotApplied
            }
            Ok(answer) if answer.succeeded => {
                Settled::Unknowable(Fault::new(Class::Full, "the log takes no writes"))
            }
            Ok(answer) => {
                let found = ranges_of(answer).into_iter().next();
                let found = found.and_then(|found| found.kvs.into_iter().next());
                self.judge_slot(held, tag, found)
            }
            Err(fault) => Settled::Unknowable(fault),
        }
    }

    /// What a slot shows that is not as it was taken. Its old state never comes back, so a commit that did not write it
    /// never will.
    fn judge_slot(&self, held: &mut Held, tag: &[u8], found: Option<PbKeyValue>) -> Settled {
        let Some(found) = found else {
            held.writer.end();
            let text = "the writer's lease ended before the outcome was known";
            return Settled::Unknowable(Fault::new(Class::LeaseGone, text));
        };
        let at = revision(found.mod_revision).0;
        held.is_at(at);
        if found.value == tag {
            Settled::Applied(at)
        } else {
            Settled::NotApplied
        }
    }

    /// After the server answered that it has no space, nothing of the commit is under way any more: the slot shows
    /// whether it was applied nevertheless.
    pub(crate) async fn settle_refused(
        &self,
        held: &mut Held,
        tag: &[u8],
        deadline: Instant,
    ) -> Settled {
        match self.read_slot(&held.key, deadline).await {
            Ok(Some(found)) => self.judge_slot(held, tag, Some(found)),
            Ok(None) if held.guard == 0 => {
                held.is_as_before();
                Settled::NotApplied
            }
            Ok(None) => self.judge_slot(held, tag, None),
            Err(fault) => Settled::Unknowable(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    #[test]
    fn a_slot_goes_back_unsure_when_its_commit_was_dropped() {
        let writer = Arc::new(Writer::new(LeaseId(1), Epoch(1), Instant::now()));
        let permit = Arc::clone(&writer.free).try_acquire_owned().unwrap();
        let slot = writer.slots().pop().unwrap();
        let mut held = Held {
            key: Keys::new("").slot(1, slot.number),
            guard: 0,
            writer: Arc::clone(&writer),
            slot,
            _permit: permit,
        };
        held.is_unsure();
        drop(held);
        let slots = writer.slots();
        assert_eq!(slots.len(), SLOTS);
        assert_eq!(slots.last().unwrap().revision, None);
    }
}
