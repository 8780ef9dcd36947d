//! What a tail can rely on beside what its watch delivers: questions to the log itself.
//!
//! Never trusts the member the watch is on.

use etcd_client::proto::PbRangeResponse;
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

/// What was found when a tail was opened.
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

    /// Whether nothing in the keyspace differs between two revisions. For servers whose progress replies prove nothing.
    ///
    /// The server walks through all of it, so that a member which takes long over it is neither left nor thought less of.
    ///
    /// Counts at both revisions tell keys that came or went; the newest of those there are tells rewrites. etcd drops
    /// the limit of a read with a least revision, and reads the whole range from its store: seconds for a million keys.
    /// So this is the last resort, for servers below 3.5.8 (of 64 progress replies of 3.4.23 all 64 came too early) and
    /// behind proxies that swallow the request.
    pub(crate) async fn is_quiet(
        &self,
        keyspace: &Keyspace,
        from: Position,
        to: u64,
        deadline: Instant,
    ) -> Result<bool, Fault> {
        let from_revision = from.revision.0;
        let ranges = [
            self.count(keyspace, from_revision.max(1)),
            self.count(keyspace, to),
            self.newer(keyspace, from_revision, to),
        ];
        let call_options = self.endpoints.call_options(Repeat::Costly, deadline);
        let reading = self
            .read(keyspace, &ranges, Some(from.epoch), call_options)
            .await?;
        Ok(Comparison::of(&reading.answers).is_some_and(|found| found.is_quiet()))
    }

    /// Whether the history after a position is still there.
    pub(crate) async fn check_not_compacted(
        &self,
        keyspace: &Keyspace,
        after: Position,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let range = as_of(self.keys.start(keyspace), after.revision.0);
        let call_options = self.endpoints.call_options(Repeat::Harmless, deadline);
        self.read(keyspace, &[range], Some(after.epoch), call_options)
            .await
            .map(drop)
    }

    /// How many keys there were at a revision. The server walks through all of them.
    fn count(&self, keyspace: &Keyspace, at: u64) -> TxnOp {
        let options = GetOptions::new()
            .with_range(self.keys.end(keyspace))
            .with_revision(number(at))
            .with_count_only();
        TxnOp::get(self.keys.start(keyspace), Some(options))
    }

    /// One record written after `revision`, as of `at`.
    fn newer(&self, keyspace: &Keyspace, revision: u64, at: u64) -> TxnOp {
        let options = GetOptions::new()
            .with_range(self.keys.end(keyspace))
            .with_revision(number(at))
            .with_min_mod_revision(number(revision.saturating_add(1)))
            .with_keys_only()
            .with_limit(1);
        TxnOp::get(self.keys.start(keyspace), Some(options))
    }
}

/// A keyspace at two revisions.
struct Comparison {
    /// How many keys there were.
    before: i64,
    after: i64,
    /// Whether one of those there are was written in between.
    has_newer: bool,
}

impl Comparison {
    /// From the answers, in the order they were asked for.
    fn of(answers: &[PbRangeResponse]) -> Option<Comparison> {
        let [before, after, newer] = answers else {
            return None;
        };
        Some(Comparison {
            before: before.count,
            after: after.count,
            has_newer: !newer.kvs.is_empty(),
        })
    }

    fn is_quiet(&self) -> bool {
        self.before == self.after && !self.has_newer
    }
}

/// What stood at a key as of a revision. 0 would mean the present, and at etcd's first, 1, there is nothing yet.
fn as_of(key: Vec<u8>, at: u64) -> TxnOp {
    let options = GetOptions::new().with_revision(number(at.max(1)));
    TxnOp::get(key, Some(options))
}
