//! Finding out what became of a commit that was left without an answer: asks what the table says, one thing after the
//! other.
//!
//! Never believes anything but a linearizable answer, and leaves the slot unsure until there is one.

use etcd_client::proto::{PbKeyValue, PbTxnOpResponse, PbTxnResponse};
use etcd_client::{Txn, TxnOp};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::fence::commit_outcome::{Asked, Outcome, Reply, SlotContent, outcome_of};
use crate::fence::writer::Held;
use crate::members::call::Repeat;
use crate::records::revision;

/// What became of a commit.
pub(crate) enum Settled {
    Applied(u64),
    /// It was not applied and never can be.
    NotApplied,
    Unknowable(Fault),
}

impl Cluster {
    /// Finds out what became of the commit that wrote `tag`, and makes sure that no copy of it can land any more.
    ///
    /// It begins by writing and not by reading: a read that shows nothing would leave a copy that is still under way.
    pub(crate) async fn settle(
        &self,
        held: &mut Held,
        tag: &[u8],
        first: Asked,
        deadline: Instant,
    ) -> Settled {
        let mut asked = first;
        loop {
            let answer = self.ask(asked, held, tag, deadline).await;
            let reply = match &answer {
                Ok(reply) => *reply,
                Err(fault) => Reply::Failed(fault.class),
            };
            let outcome = outcome_of(asked, reply);
            held.record(reply, outcome);
            match outcome {
                Outcome::Ask(next) => asked = next,
                Outcome::Applied(at) => return Settled::Applied(at),
                Outcome::NotApplied => return Settled::NotApplied,
                _ => {
                    let why = answer.err();
                    return Settled::Unknowable(why.unwrap_or_else(|| without_trace(reply)));
                }
            }
        }
    }

    /// Asks one thing.
    async fn ask(
        &self,
        asked: Asked,
        held: &Held,
        tag: &[u8],
        deadline: Instant,
    ) -> Result<Reply, Fault> {
        let question = match asked {
            Asked::Read => Txn::new().and_then([held.get()]),
            Asked::Delete => held.only_as_taken(TxnOp::delete(held.key.clone(), None)),
            Asked::Commit | Asked::Rewrite => held.only_as_taken(held.put(&held.tag())),
        };
        let answer = self.send(Repeat::Harmless, question, deadline).await?;
        if !answer.succeeded || asked == Asked::Read {
            return Ok(Reply::Slot(held.shows(slot_of(&answer), tag)));
        }
        if asked == Asked::Delete {
            // As it is now a slot is as it was before its first commit, of which a copy may still be under way. All of
            // them put with this lease, so none can land when it is gone.
            held.writer.end();
            self.revoke_by(held.writer.lease, deadline).await?;
            let was_written = held.guard() > 0;
            return Ok(Reply::Ended { was_written });
        }
        let at = answer.header.map_or(0, |header| header.revision);
        Ok(Reply::Done(revision(at).0))
    }
}

/// Why nothing shows what became of it.
fn without_trace(reply: Reply) -> Fault {
    match reply {
        Reply::Slot(SlotContent::Gone) => {
            let text = "the writer's lease ended before the outcome was known";
            Fault::new(Class::LeaseGone, text)
        }
        Reply::Ended { .. } => Fault::new(Class::Full, "the log takes no writes"),
        _ => Fault::new(Class::Unknown, "what was answered makes no sense"),
    }
}

/// What stands in the slot: whatever else was read, it was read last.
pub(crate) fn slot_of(answer: &PbTxnResponse) -> Option<&PbKeyValue> {
    match answer.responses.last()?.response.as_ref()? {
        PbTxnOpResponse::ResponseRange(slot) => slot.kvs.first(),
        _ => None,
    }
}
