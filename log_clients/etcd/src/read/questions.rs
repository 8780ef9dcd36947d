//! What is asked of one keyspace at one position, about what is known of it at an earlier one.
//!
//! Never decides what is asked next.

use std::ops::Range;
use std::sync::Arc;

use etcd_client::proto::{PbKeyValue, PbRangeResponse};
use etcd_client::{GetOptions, TxnOp};
use globe_log_client::{Bytes, Keyspace, KnownKeys, Position, Snapshot};

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::read::values::Next;
use crate::read::windows::Found;
use crate::records::number;

/// Who asks about what.
///
/// Every question but the first names the revision. The header of an answer shows a newer one, which is not this one.
pub(crate) struct Questions {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) keyspace: Keyspace,
    pub(crate) since: Position,
    /// What was there at that.
    pub(crate) known: KnownKeys,
    pub(crate) position: Position,
}

impl Questions {
    /// What is asked in one transaction, true at the position.
    pub(crate) async fn read(&self, questions: &[TxnOp]) -> Result<Vec<PbRangeResponse>, Fault> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let (epoch, options) = (self.position.epoch, self.cluster.page_call_options());
        let cluster = &self.cluster;
        let reading = cluster.read(&self.keyspace, questions, Some(epoch), options);
        Ok(reading.await?.answers)
    }

    /// How many records a part has now.
    pub(crate) fn count(&self, part: &Range<usize>) -> TxnOp {
        self.of_part(part, GetOptions::new().with_count_only())
    }

    /// How many records a part has.
    pub(crate) fn count_there(&self, part: &Range<usize>) -> TxnOp {
        self.of_part(part, self.at_position().with_count_only())
    }

    /// The keys of a window that were written since, and how many there are in all: etcd counts before it leaves out what is
    /// older.
    pub(crate) fn news(&self, window: &Range<usize>) -> TxnOp {
        let options = self.at_position().with_keys_only();
        self.of_part(window, self.only_news(options))
    }

    /// The keys of a window.
    pub(crate) fn keys(&self, window: &Range<usize>) -> TxnOp {
        self.of_part(window, self.at_position().with_keys_only())
    }

    /// The records that are to be read, in the order of their keys.
    pub(crate) async fn values(&self, next: &Next) -> Result<Vec<PbKeyValue>, Fault> {
        let questions = next.runs.iter().map(|run| {
            let [first, mut end] = [&run.first, &run.last].map(|key| self.name(key));
            end.push(0);
            let options = self.at_position().with_range(end);
            let options = match run.is_news {
                true => self.only_news(options),
                false => options,
            };
            TxnOp::get(first, Some(options))
        });
        let answers = self.read(&questions.collect::<Vec<_>>()).await?;
        Ok(answers.into_iter().flat_map(|answer| answer.kvs).collect())
    }

    fn at_position(&self) -> GetOptions {
        GetOptions::new().with_revision(number(self.position.revision.0))
    }

    fn only_news(&self, options: GetOptions) -> GetOptions {
        options.with_min_mod_revision(number(self.since.revision.next().0))
    }

    fn of_part(&self, part: &Range<usize>, options: GetOptions) -> TxnOp {
        let options = options.with_range(self.end(part.end));
        TxnOp::get(self.start(part.start), Some(options))
    }

    fn name(&self, key: &[u8]) -> Vec<u8> {
        self.cluster.keys.record(&self.keyspace, key)
    }

    /// Where a part begins: the first at the beginning of the keyspace.
    fn start(&self, part: usize) -> Vec<u8> {
        match part {
            0 => self.cluster.keys.start(&self.keyspace),
            _ => self.end(part),
        }
    }

    /// Where a part ends: the last at the end of the keyspace.
    fn end(&self, part: usize) -> Vec<u8> {
        match self.known.as_slice().get(part) {
            Some(key) => self.name(key),
            None => self.cluster.keys.end(&self.keyspace),
        }
    }

    /// All records of a part.
    pub(crate) fn snapshot(&self, part: &Range<usize>) -> Snapshot {
        let (start, end) = (self.start(part.start), self.end(part.end));
        self.cluster
            .snapshot_of(&self.keyspace, self.position, start, end)
    }

    /// The known keys of a part.
    pub(crate) fn known_in(&self, part: &Range<usize>) -> &[Bytes] {
        self.known.as_slice().get(part.clone()).unwrap_or_default()
    }

    /// The keys of an answer.
    pub(crate) fn found(&self, answer: PbRangeResponse) -> Vec<Found> {
        let found = answer.kvs.into_iter().map(|found| Found {
            is_news: u64::try_from(found.mod_revision).is_ok_and(|at| at > self.since.revision.0),
            key: self.cluster.keys.strip(&self.keyspace, found.key),
        });
        found.collect()
    }
}

/// How many records there are, by an answer.
pub(crate) fn standing(answer: Option<&PbRangeResponse>) -> usize {
    answer.map_or(0, |answer| usize::try_from(answer.count).unwrap_or(0))
}
