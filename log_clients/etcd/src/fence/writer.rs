//! One writer: a lease, and the slots that live as long as it does.
//!
//! Never talks to a server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::proto::PbKeyValue;
use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use globe_log_client::{Epoch, LeaseId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::fault::{Class, Fault};
use crate::fence::commit_outcome::{Outcome, Reply, SlotContent};
use crate::records::keys::Keys;
use crate::records::{lease_number, number};
use crate::settings::commit_settings::FenceSettings;

/// One lease and its slots.
///
/// Its lease is what ends everything in the end: slots are put with it, so once it is gone no late copy of a commit can
/// be carried out, whoever still holds one.
pub(crate) struct Writer {
    pub(crate) lease: LeaseId,
    pub(crate) epoch: Epoch,
    ttl: Duration,
    renewed: Mutex<Instant>,
    is_over: AtomicBool,
    slots: Mutex<Slots>,
    /// As many as there are sure slots at rest.
    free: Arc<Semaphore>,
    /// Told of each slot that comes back unsure, and of each commit that is given up.
    left: Notify,
    /// Told when the last commit that was given up is settled.
    settled: Notify,
    tags: AtomicU64,
}

/// One slot, as far as this client knows.
struct Slots {
    sure: Vec<Slot>,
    unsure: Vec<Slot>,
    /// How many unsure ones are being closed.
    closing: usize,
    /// How many commits are given up that are being settled all the same, by whoever sent them.
    given_up: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    number: usize,
    /// When it was last written (0: never), as far as is known.
    revision: u64,
    /// A commit by it was left without an answer: it may have been written since, and may yet be.
    is_unsure: bool,
}

/// A slot in the hands of one commit, or of who closes it. Dropped, it goes back.
pub(crate) struct Held {
    pub(crate) writer: Arc<Writer>,
    pub(crate) key: Vec<u8>,
    slot: Slot,
    /// That of a sure slot. Who closes one needs none, so that no commit which waits can be in the way.
    permit: Option<OwnedSemaphorePermit>,
}

impl Writer {
    pub(crate) fn new(
        lease: LeaseId,
        epoch: Epoch,
        granted: Instant,
        settings: FenceSettings,
    ) -> Writer {
        let FenceSettings { slots, ttl } = settings;
        let fresh = |number| Slot {
            number,
            revision: 0,
            is_unsure: false,
        };
        Writer {
            lease,
            epoch,
            ttl,
            renewed: Mutex::new(granted),
            is_over: AtomicBool::new(false),
            slots: Mutex::new(Slots {
                sure: (0..slots).rev().map(fresh).collect(),
                unsure: Vec::new(),
                closing: 0,
                given_up: 0,
            }),
            free: Arc::new(Semaphore::new(slots)),
            left: Notify::new(),
            settled: Notify::new(),
            tags: AtomicU64::new(1),
        }
    }

    /// Its lease has ended, or is to: the next commit gets another writer.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether it can be used for long enough, if its lease is kept. From five sixths of its time on the lease is taken for
    /// ended: renewing it might come too late.
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed) && self.age() <= self.ttl / 6 * 5
    }

    /// Whether it can be used as it is: its lease is renewed after a third of its time.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed) && self.age() < self.ttl / 3
    }

    /// Counted from when the renewal was sent, not from its answer: never later than the server counts.
    fn age(&self) -> Duration {
        self.renewed().elapsed()
    }

    /// Whether a commit was left without an answer, and may yet land.
    pub(crate) fn is_open(&self) -> bool {
        let slots = self.slots();
        !slots.unsure.is_empty() || slots.closing > 0 || slots.given_up > 0
    }

    /// Waits until `is_open`.
    pub(crate) async fn opened(&self) {
        let left = self.left.notified();
        if !self.is_open() {
            left.await;
        }
    }

    /// A commit is given up by one of those who wait for it: nothing may be committed before it is settled.
    pub(crate) fn give_up(&self) {
        self.slots().given_up += 1;
        self.left.notify_waiters();
    }

    /// A commit that was given up is settled, or its slot has come back unsure.
    pub(crate) fn settle_one(&self) {
        let mut slots = self.slots();
        slots.given_up = slots.given_up.saturating_sub(1);
        drop(slots);
        self.settled.notify_waiters();
    }

    /// Whether whoever sent them has settled all commits that were given up.
    pub(crate) fn is_settled(&self) -> bool {
        self.slots().given_up == 0
    }

    /// Waits until `is_settled`.
    pub(crate) async fn all_settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.is_settled() {
                return;
            }
            settled.await;
        }
    }

    /// A sure slot, as soon as there is one.
    pub(crate) async fn hold(self: &Arc<Self>, keys: &Keys) -> Result<Held, Fault> {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let slot = self.slots().sure.pop();
        match (permit, slot) {
            (Ok(permit), Some(slot)) => Ok(self.held(keys, slot, Some(permit))),
            _ => Err(Fault::new(Class::NeverSent, "no fence slot is free")),
        }
    }

    /// Every slot that was left without an answer.
    pub(crate) fn hold_unsure(self: &Arc<Self>, keys: &Keys) -> Vec<Held> {
        let mut slots = self.slots();
        let unsure = std::mem::take(&mut slots.unsure);
        slots.closing += unsure.len();
        drop(slots);
        let unsure = unsure.into_iter();
        unsure.map(|slot| self.held(keys, slot, None)).collect()
    }

    fn held(
        self: &Arc<Self>,
        keys: &Keys,
        slot: Slot,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Held {
        Held {
            key: keys.slot(lease_number(self.lease), slot.number),
            writer: Arc::clone(self),
            slot,
            permit,
        }
    }

    /// Its lease was renewed by a request that was sent then.
    pub(crate) fn set_renewed(&self, sent: Instant) {
        *self.renewed() = sent;
    }

    fn renewed(&self) -> MutexGuard<'_, Instant> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// A value no other write of this writer's has: by it a refused commit recognises its own first copy, which a proxy
    /// delivered twice.
    pub(crate) fn tag(&self) -> Vec<u8> {
        let tag = self.writer.tags.fetch_add(1, Ordering::Relaxed);
        tag.to_string().into_bytes()
    }

    /// The slot is about to be written: until `set_revision` says so, nobody knows when it was last.
    pub(crate) fn set_unsure(&mut self) {
        self.slot.is_unsure = true;
    }

    /// The slot was last written at this revision.
    pub(crate) fn set_revision(&mut self, revision: u64) {
        self.slot.revision = revision;
        self.slot.is_unsure = false;
    }

    /// Nothing was written since the slot was taken.
    pub(crate) fn set_unchanged(&mut self) {
        self.slot.is_unsure = false;
    }

    /// What was replied about the commit by this slot, and became of it, says when the slot was last written; or nothing, and
    /// then it stays unsure.
    pub(crate) fn record(&mut self, reply: Reply, outcome: Outcome) {
        match (reply, outcome) {
            (Reply::Done(at) | Reply::Slot(SlotContent::Own(at) | SlotContent::Other(at)), _) => {
                self.set_revision(at)
            }
            (Reply::Ended { was_written: true }, _) => self.set_revision(0),
            (Reply::Slot(SlotContent::Gone), _) => self.writer.end(),
            (Reply::Failed(Class::LeaseGone), Outcome::Unknowable) => self.writer.end(),
            (_, Outcome::Ask(_) | Outcome::Unknowable) => {}
            _ => self.set_unchanged(),
        }
    }

    /// What stands in the slot, for the commit that wrote `tag`.
    pub(crate) fn shows(&self, found: Option<&PbKeyValue>, tag: &[u8]) -> SlotContent {
        SlotContent::of(found, self.guard(), tag)
    }

    /// Does something with the slot only while it is as it was taken, and reads it otherwise.
    pub(crate) fn only_as_taken(&self, write: TxnOp) -> Txn {
        let as_taken = Txn::new().when([self.compare()]).and_then([write]);
        as_taken.or_else([self.get()])
    }

    /// The slot's revision when it was taken, or last heard of.
    pub(crate) fn guard(&self) -> u64 {
        self.slot.revision
    }

    /// True only while nothing was written by this slot since it was taken.
    pub(crate) fn compare(&self) -> Compare {
        Compare::mod_revision(
            self.key.clone(),
            CompareOp::Equal,
            number(self.slot.revision),
        )
    }

    pub(crate) fn put(&self, tag: &[u8]) -> TxnOp {
        let options = PutOptions::new().with_lease(lease_number(self.writer.lease));
        TxnOp::put(self.key.clone(), tag, Some(options))
    }

    pub(crate) fn get(&self) -> TxnOp {
        TxnOp::get(self.key.clone(), None)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let writer = &self.writer;
        let permit = self.permit.take();
        let mut slots = writer.slots();
        if permit.is_none() {
            slots.closing = slots.closing.saturating_sub(1);
        }
        if self.slot.is_unsure {
            slots.unsure.push(self.slot);
        } else {
            slots.sure.push(self.slot);
        }
        drop(slots);
        // As many permits as sure slots, and never one before its slot is there.
        match (permit, self.slot.is_unsure) {
            (Some(permit), true) => permit.forget(),
            (None, false) => writer.free.add_permits(1),
            _ => {}
        }
        if self.slot.is_unsure {
            writer.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{FutureExt, join_all};

    use super::*;

    const SLOTS: usize = 3;

    fn writer() -> Arc<Writer> {
        let ttl = Duration::from_secs(60);
        let settings = FenceSettings { slots: SLOTS, ttl };
        Arc::new(Writer::new(
            LeaseId::new(1),
            Epoch::new(1),
            Instant::now(),
            settings,
        ))
    }

    async fn all(writer: &Arc<Writer>) -> Vec<Held> {
        let keys = Keys::new("");
        let held = join_all((0..SLOTS).map(|_| writer.hold(&keys))).await;
        held.into_iter().map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn a_slot_whose_commit_was_dropped_is_given_to_nobody_before_it_is_closed() {
        let (writer, keys) = (writer(), Keys::new(""));
        let mut held = all(&writer).await;
        held.iter_mut().for_each(Held::set_unsure);
        assert!(!writer.is_open());
        drop(held);
        assert!(writer.is_open());
        assert!(writer.hold(&keys).now_or_never().is_none());
        let mut open = writer.hold_unsure(&keys);
        assert_eq!(open.len(), SLOTS);
        assert!(writer.is_open(), "until they are closed");
        open.iter_mut().for_each(|slot| slot.set_revision(7));
        drop(open);
        assert!(!writer.is_open());
        assert!(all(&writer).await.iter().all(|held| held.guard() == 7));
    }

    #[tokio::test]
    async fn a_slot_stays_unsure_until_something_says_when_it_was_written() {
        let (writer, keys) = (writer(), Keys::new(""));
        let table = [
            (Reply::Done(7), Outcome::Applied(7), Some(7)),
            (
                Reply::Slot(SlotContent::Own(7)),
                Outcome::Applied(7),
                Some(7),
            ),
            (
                Reply::Slot(SlotContent::Other(7)),
                Outcome::NotApplied,
                Some(7),
            ),
            (Reply::Slot(SlotContent::AsTaken), Outcome::Refused, Some(0)),
            (Reply::Failed(Class::NotExecuted), Outcome::Failed, Some(0)),
            (Reply::Failed(Class::Unknown), Outcome::Unknowable, None),
            (Reply::Slot(SlotContent::Gone), Outcome::NotApplied, None),
        ];
        for (reply, outcome, at) in table {
            let mut held = writer.hold(&keys).await.unwrap();
            (held.slot.revision, held.slot.is_unsure) = (0, true);
            held.record(reply, outcome);
            let sure = (!held.slot.is_unsure).then(|| held.guard());
            assert_eq!(sure, at, "{reply:?} {outcome:?}");
            held.set_unchanged();
        }
        assert!(!writer.is_usable(), "its lease is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_after_a_third_of_its_time_and_given_up_after_five_sixths() {
        let writer = writer();
        let pass = async |seconds| tokio::time::advance(Duration::from_secs(seconds)).await;
        assert!(writer.is_fresh());
        pass(20).await;
        assert!(!writer.is_fresh() && writer.is_usable());
        pass(31).await;
        assert!(!writer.is_usable());
    }

    #[tokio::test]
    async fn no_two_attempts_have_one_tag() {
        let held = all(&writer()).await;
        let tags = held.iter().flat_map(|held| [held.tag(), held.tag()]);
        let different: std::collections::HashSet<_> = tags.collect();
        assert_eq!(different.len(), SLOTS * 2);
    }

    #[tokio::test]
    async fn a_slot_is_as_unsure_as_before_when_who_closed_it_was_dropped() {
        let (writer, keys) = (writer(), Keys::new(""));
        let mut held = writer.hold(&keys).await.unwrap();
        held.set_unsure();
        drop(held);
        drop(writer.hold_unsure(&keys));
        assert!(writer.is_open());
        assert_eq!(writer.hold_unsure(&keys).len(), 1);
    }
}
