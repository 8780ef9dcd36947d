//! What a tail can rely on beside what its watch delivers: questions to the log itself.
//!
//! Never trusts the member the watch is on.

use etcd_client::proto::PbRangeResponse;
use etcd_client::{GetOptions, TxnOp};
use globe_log_client::{Keyspace, Position};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::members::call::Repeat;
use crate::read::start::as_of;
use crate::records::number;

impl Cluster {
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
