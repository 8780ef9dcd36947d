//! What became of a commit that was left without an answer, told by its slot.
//!
//! Never believes anything but a linearizable answer, and leaves the slot unsure until there is one.

use etcd_client::proto::PbKeyValue;
use etcd_client::{GetOptions, Txn, TxnOp};
use tokio::time::Instant;

use crate::call::Repeat;
use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::reading::ranges_of;
use crate::records::revision;
use crate::writer::Held;

/// What became of a commit.
pub(crate) enum Settled {
    Applied(u64),
    /// It was not applied and never can be.
    NotApplied,
    Unknowable(Fault),
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
            Ok(answer) if answer.succeeded => self.end_full_writer(held, deadline).await,
            Ok(answer) => {
                let found = ranges_of(answer).into_iter().next();
                let found = found.and_then(|found| found.kvs.into_iter().next());
                self.judge_slot(held, tag, found)
            }
            Err(fault) => Settled::Unknowable(fault),
        }
    }

    /// Without its record a slot is as it was before its first commit, of which a copy may still be under way. All of them
    /// put with this lease, so none can land when it is gone.
    async fn end_full_writer(&self, held: &mut Held, deadline: Instant) -> Settled {
        held.writer.end();
        if let Err(fault) = self.revoke_by(held.writer.lease, deadline).await {
            return Settled::Unknowable(fault);
        }
        if held.guard() > 0 {
            held.is_at(0);
            return Settled::NotApplied;
        }
        // There was nothing to delete that would show it, and until the lease ended it could land.
        Settled::Unknowable(Fault::new(Class::Full, "the log takes no writes"))
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
