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
use crate::keys::Keys;
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

#[derive(Clone, Copy)]
struct Slot {
    number: usize,
    /// When it was last written (0: never), as far as is known.
    revision: u64,
    /// A commit by it was left without an answer: it may have been written since, and may yet be.
    is_unsure: bool,
}

/// A slot in the hands of one commit. Dropped, it goes back.
pub(crate) struct Held {
    pub(crate) writer: Arc<Writer>,
    pub(crate) key: Vec<u8>,
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
        let taking = async {
            loop {
                let writer = self.writer(cluster, epoch, deadline).await?;
                match writer.hold(&cluster.keys, Vec::pop).await? {
                    // Left without an answer this very moment: it has to be closed first.
                    Some(held) if held.slot.is_unsure => {}
                    Some(held) => return Ok(Some(held)),
                    None => return Err(Fault::new(Class::NeverSent, "no fence slot is free")),
                }
            }
        };
        timeout_at(deadline, taking).await.map_err(late)?
    }

    /// The writer of this epoch, with a lease that is not about to end, and no commit of its past that may yet land.
    async fn writer(
        &self,
        cluster: &Cluster,
        epoch: Epoch,
        deadline: Instant,
    ) -> Result<Arc<Writer>, Fault> {
        let mut current = self.writer.lock().await;
        if let Some(writer) = current.as_ref().filter(|writer| writer.epoch == epoch) {
            let is_fresh = writer.is_fresh(cluster, deadline).await?;
            if is_fresh && writer.close(cluster, deadline).await? {
                return Ok(Arc::clone(writer));
            }
            if writer.unsure().is_some() {
                // What was sent with this lease cannot land without it.
                cluster.revoke_by(writer.lease, deadline).await?;
            }
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
            revision: 0,
            is_unsure: false,
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

    /// A slot that `pick` takes out, if it takes one.
    async fn hold(
        self: &Arc<Self>,
        keys: &Keys,
        pick: impl FnOnce(&mut Vec<Slot>) -> Option<Slot>,
    ) -> Result<Option<Held>, Fault> {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let permit = permit.map_err(|_| Fault::new(Class::NeverSent, "the writer has ended"))?;
        let picked = pick(&mut self.slots());
        Ok(picked.map(|slot| Held {
            key: keys.slot(self.lease.0, slot.number),
            writer: Arc::clone(self),
            slot,
            _permit: permit,
        }))
    }

    /// Where the first slot lies that was left without an answer.
    fn unsure(&self) -> Option<usize> {
        self.slots().iter().position(|slot| slot.is_unsure)
    }

    /// Rewrites the slots that were left without an answer, so that nothing sent by them can land any more. False when the
    /// lease has ended, without which it cannot either.
    async fn close(self: &Arc<Self>, cluster: &Cluster, deadline: Instant) -> Result<bool, Fault> {
        while self.unsure().is_some() {
            let is_unsure = |slots: &mut Vec<Slot>| {
                let index = slots.iter().position(|slot| slot.is_unsure)?;
                Some(slots.remove(index))
            };
            let Some(mut held) = self.hold(&cluster.keys, is_unsure).await? else {
                continue;
            };
            if mutant!("reopen_the_unknown") {
                held.is_as_before();
                continue;
            }
            match cluster.settle(&mut held, &[], deadline).await {
                Settled::Applied(_) | Settled::NotApplied => {}
                Settled::Unknowable(fault) if fault.class == Class::LeaseGone => return Ok(false),
                Settled::Unknowable(fault) => return Err(fault),
            }
        }
        Ok(!self.is_over.load(Ordering::Relaxed))
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
        self.slot.is_unsure = true;
    }

    /// The slot was last written at this revision.
    pub(crate) fn is_at(&mut self, revision: u64) {
        self.slot.revision = revision;
        self.slot.is_unsure = false;
    }

    /// Nothing was written since the slot was taken.
    pub(crate) fn is_as_before(&mut self) {
        self.slot.is_unsure = false;
    }

    /// The slot's revision when it was taken, or last heard of.
    pub(crate) fn guard(&self) -> u64 {
        self.slot.revision
    }

    /// True only while nothing was written by this slot since it was taken.
    pub(crate) fn compare(&self) -> Compare {
        if mutant!("leave_the_fence_open") {
            return Compare::mod_revision(self.key.clone(), CompareOp::Greater, -1);
        }
        Compare::mod_revision(
            self.key.clone(),
            CompareOp::Equal,
            number(self.slot.revision),
        )
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
        self.writer.slots().push(self.slot);
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
            held.is_as_before();
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
            Ok(answer) if answer.succeeded && held.guard() > 0 => {
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
            Ok(None) if held.guard() == 0 => {
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

    #[tokio::test]
    async fn a_slot_goes_back_unsure_when_its_commit_was_dropped() {
        let writer = Arc::new(Writer::new(LeaseId(1), Epoch(1), Instant::now()));
        let held = writer.hold(&Keys::new(""), Vec::pop).await;
        let mut held = held.unwrap().unwrap();
        held.is_unsure();
        assert_eq!(writer.unsure(), None);
        drop(held);
        assert_eq!(writer.unsure(), Some(SLOTS - 1));
    }
}
