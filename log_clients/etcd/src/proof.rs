//! What a tail can rely on beside what its watch delivers: two questions to the log itself.
//!
//! Never trusts the member the watch is on.

use etcd_client::{GetOptions, TxnOp};
use globe_log_client::{Keyspace, Position};
use tokio::time::Instant;

use crate::call::Repeat;
use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::Seen;
use crate::records::number;
use crate::witness::Testimony;

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
    /// A revision that exists is not enough: a restored log may have passed it again. So what was seen of the keyspace
    /// must still be what stood there then: as many keys, the same last record, and none newer.
    pub(crate) async fn check_start(
        &self,
        keyspace: &Keyspace,
        after: Position,
        deadline: Instant,
    ) -> Result<Opening, Fault> {
        let at = after.revision.0.max(1);
        let covers = |seen: &Seen| (seen.changed..=seen.at).contains(&after.revision.0);
        let known = self.life.seen(keyspace).filter(covers);
        let mut ranges = vec![self.count(keyspace, at)];
        if let Some(known) = &known {
            ranges.push(self.newer(keyspace, known.changed, at));
        }
        if let Some(last) = known.as_ref().and_then(|seen| seen.last.as_ref()) {
            let options = GetOptions::new().with_revision(number(at));
            ranges.push(TxnOp::get(last.key.clone(), Some(options)));
        }
        let terms = self.endpoints.terms(Repeat::Harmless, deadline);
        let reading = self
            .read(keyspace, &ranges, Some(after.epoch), terms)
            .await?;
        let head = reading.position;
        let mut answers = reading.answers.into_iter();
        let count = answers.next().map_or(0, |answer| answer.count);
        if let Some(known) = &known {
            let newer = answers.next().map_or(0, |newer| newer.kvs.len());
            let found = answers
                .next()
                .and_then(|found| found.kvs.into_iter().next());
            let last = known.last.as_ref();
            let testimony = last.map(|last| last.testify(found.as_ref()));
            let is_same = known.count == count
                && newer == 0
                && testimony.is_none_or(|said| said == Testimony::SameHistory);
            if !is_same {
                let why = "what stood in a keyspace is not what was seen there";
                self.disown(keyspace, after.epoch, why, deadline).await?;
                let text = "the log is in another epoch";
                return Err(Fault::new(Class::Future, text));
            }
        }
        let seen = Seen {
            at: after.revision.0,
            changed: known.as_ref().map_or(after.revision.0, |seen| seen.changed),
            last: known.and_then(|seen| seen.last),
            count,
        };
        Ok(Opening { head, seen })
    }

    /// Whether nothing in the keyspace differs between two revisions. For servers whose progress replies prove nothing.
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
        let terms = self.endpoints.terms(Repeat::Harmless, deadline);
        let reading = self
            .read(keyspace, &ranges, Some(from.epoch), terms)
            .await?;
        let mut answers = reading.answers.into_iter();
        let before = answers.next().map(|answer| answer.count);
        let after = answers.next().map(|answer| answer.count);
        let newer = answers.next().map_or(0, |newer| newer.kvs.len());
        Ok(before.is_some() && before == after && newer == 0)
    }

    /// Whether the history after a position is still there.
    pub(crate) async fn check_not_compacted(
        &self,
        keyspace: &Keyspace,
        after: Position,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let options = GetOptions::new().with_revision(number(after.revision.0.max(1)));
        let range = TxnOp::get(self.keys.start(keyspace), Some(options));
        let terms = self.endpoints.terms(Repeat::Harmless, deadline);
        self.read(keyspace, &[range], Some(after.epoch), terms)
            .await
            .map(drop)
    }

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
