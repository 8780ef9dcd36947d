//! Whether somebody can go on from where he stands: the questions that show it.
//!
//! Never asks for more than single keys: what compares whole keyspaces makes the server walk through them.

use etcd_client::{GetOptions, Txn, TxnOp};
use globe_log_client::{Keyspace, Position};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::Seen;
use crate::members::call::Repeat;
use crate::read::reading::ranges_of;
use crate::records::number;
use crate::records::witness::{LastChange, Testimony};

/// What was found where a tail begins.
pub(crate) struct Opening {
    /// Everything up to here has to arrive.
    pub(crate) head: Position,
    /// What is known of the keyspace at the start of the tail.
    pub(crate) seen: Seen,
}

impl Cluster {
    /// Checks that the history after `after` is still there, in the life of the log that `after` belongs to.
    ///
    /// A revision that exists is not enough: a restored log may have passed it again. So the last change that was seen of
    /// the keyspace must still be what changed last. It asks for single keys only: what compares whole keyspaces makes
    /// the server walk through them.
    pub(crate) async fn check_start(
        &self,
        keyspace: &Keyspace,
        after: Position,
        deadline: Instant,
    ) -> Result<Opening, Fault> {
        let at = after.revision.0;
        let known = self.life.seen(keyspace).filter(|seen| seen.covers(at));
        let last = known.as_ref().and_then(|seen| seen.last.as_ref());
        let question = [match last {
            Some(LastChange::Put(put)) => put.question_as_of(Some(at.max(1))),
            Some(LastChange::Delete { key, .. }) => as_of(key.clone(), at),
            // Whether there is such a revision.
            None => as_of(self.keys.start(keyspace), at),
        }];
        let call_options = self.endpoints.call_options(Repeat::Harmless, deadline);
        let reading = self.read(keyspace, &question, Some(after.epoch), call_options);
        let reading = reading.await?;
        let found = reading.answers.first().and_then(|found| found.kvs.first());
        let is_same = match last {
            Some(LastChange::Put(put)) => put.testify(found) == Testimony::SameHistory,
            Some(LastChange::Delete { key, revision }) => {
                found.is_none() && self.was_deleted(key, *revision, deadline).await?
            }
            None => true,
        };
        if !is_same {
            let why = "what changed last in a keyspace is not what was seen there";
            self.end_epoch(keyspace, after.epoch, why, deadline).await?;
            let text = "the log is in another epoch";
            return Err(Fault::new(Class::Future, text));
        }
        let seen = Seen {
            at,
            changed: known.as_ref().map_or(at, |seen| seen.changed),
            last: known.and_then(|seen| seen.last),
        };
        Ok(Opening {
            head: reading.position,
            seen,
        })
    }

    /// Whether a key was deleted at this very revision, as far as the log remembers. Whose answer this is need not be
    /// checked: in the same life it is always yes.
    async fn was_deleted(
        &self,
        key: &[u8],
        revision: u64,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        let states = [revision.saturating_sub(1), revision];
        let states = states.map(|at| as_of(key.to_vec(), at));
        let states = Txn::new().and_then(states);
        match self.send(Repeat::Harmless, states, deadline).await {
            Err(fault) if fault.class == Class::Compacted => Ok(true),
            answer => {
                let existed: Vec<bool> = ranges_of(answer?)
                    .iter()
                    .map(|found| !found.kvs.is_empty())
                    .collect();
                Ok(existed == [true, false])
            }
        }
    }
}

/// What stood at a key as of a revision. 0 would mean the present, and at etcd's first, 1, there is nothing yet.
pub(crate) fn as_of(key: Vec<u8>, at: u64) -> TxnOp {
    let options = GetOptions::new().with_revision(number(at.max(1)));
    TxnOp::get(key, Some(options))
}
