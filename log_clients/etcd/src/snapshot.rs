//! Hydration: a keyspace at one revision, page by page.
//!
//! Never holds more than one page, and never mixes pages of two revisions or two lives of the log.

use std::sync::Arc;

use etcd_client::proto::{PbKeyValue, PbRangeResponse};
use etcd_client::{GetOptions, TxnOp};
use futures::StreamExt;
use globe_log_client::{Epoch, Keyspace, Position, Record, Result, Snapshot};

use crate::call::{Repeat, Terms};
use crate::cluster::Cluster;
use crate::connections::Line;
use crate::fault::{Class, Fault};
use crate::life::Seen;
use crate::reading::Reading;
use crate::records::{number, record};
use crate::witness::{LastChange, Witness};

/// A page is made to hold about so many bytes: enough that the round trip does not matter.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// What a record costs on the wire besides its key and value, roughly.
const RECORD_OVERHEAD: usize = 32;

/// Pages of small records grow up to this many times the size that was set.
const GROWTH: usize = 10;

/// Where the reading of a keyspace stands.
struct Pages {
    cluster: Arc<Cluster>,
    keyspace: Keyspace,
    position: Position,
    /// The page that was read to learn the position.
    first: Option<PbRangeResponse>,
    /// From which key the next page starts; nothing after the last page.
    next: Option<Vec<u8>>,
    size: usize,
    last: Option<Witness>,
}

impl Cluster {
    /// Takes a snapshot: its first page is read here, and fixes the revision of the others.
    pub(crate) async fn snapshot(self: &Arc<Self>, keyspace: &Keyspace) -> Result<Snapshot> {
        let mut size = self.endpoints.settings.page_size;
        let start = self.keys.start(keyspace);
        let reading = self
            .page(keyspace, &start, None, &mut size)
            .await
            .map_err(|fault| failed(fault, keyspace))?;
        let position = reading.position;
        self.life.aim(keyspace, position);
        let pages = Pages {
            cluster: Arc::clone(self),
            keyspace: keyspace.clone(),
            position,
            first: reading.answers.into_iter().next(),
            next: Some(start),
            size,
            last: None,
        };
        let stream = futures::stream::try_unfold(pages, |mut pages| async move {
            let page = pages.next_page().await?;
            Ok(page.map(|page| (page, pages)))
        });
        Ok(Snapshot::new(position, stream.boxed()))
    }

    /// One page from `start` on: of the present, or at a position. The page shrinks until the answer can be taken.
    async fn page(
        &self,
        keyspace: &Keyspace,
        start: &[u8],
        at: Option<Position>,
        size: &mut usize,
    ) -> Result<Reading, Fault> {
        loop {
            let mut options = GetOptions::new()
                .with_range(self.keys.end(keyspace))
                .with_limit(i64::try_from(*size).unwrap_or(i64::MAX));
            if let Some(at) = at.filter(|_| !mutant!("read_pages_of_any_time")) {
                options = options.with_revision(number(at.revision.0));
            }
            let range = TxnOp::get(start, Some(options));
            let terms = self.page_terms();
            let epoch: Option<Epoch> = at.map(|at| at.epoch);
            match self.read(keyspace, &[range], epoch, terms).await {
                Err(fault) if fault.class == Class::TooLargeToDecode && *size > 1 => *size /= 2,
                result => return result,
            }
        }
    }

    /// Pages may be large: a member may take half of the time for one, so that another still has the other half.
    fn page_terms(&self) -> Terms {
        let settings = &self.endpoints.settings;
        Terms {
            line: Line::Unary,
            repeat: Repeat::Harmless,
            deadline: self.endpoints.deadline(),
            patience: settings.request_timeout.max(settings.deadline / 2),
        }
    }
}

impl Pages {
    async fn next_page(&mut self) -> Result<Option<Vec<Record>>> {
        let page = match (self.first.take(), &self.next) {
            (Some(first), _) => first,
            (None, None) => return Ok(None),
            (None, Some(start)) => {
                let at = Some(self.position);
                let page = self
                    .cluster
                    .page(&self.keyspace, start, at, &mut self.size)
                    .await;
                let reading = page.map_err(|fault| failed(fault, &self.keyspace))?;
                reading.answers.into_iter().next().unwrap_or_default()
            }
        };
        Ok(Some(self.take(page)))
    }

    fn take(&mut self, page: PbRangeResponse) -> Vec<Record> {
        self.next = page.kvs.last().filter(|_| page.more).map(|last| {
            let mut next = last.key.clone();
            next.push(0);
            next
        });
        self.look(&page.kvs);
        if self.next.is_none() {
            let seen = Seen {
                at: self.position.revision.0,
                changed: self.position.revision.0,
                last: self.last.take().map(LastChange::Put),
            };
            let (keyspace, epoch) = (&self.keyspace, self.position.epoch);
            self.cluster.life.saw(keyspace, epoch, seen);
        }
        let (keys, keyspace) = (&self.cluster.keys, &self.keyspace);
        let records = page.kvs.into_iter();
        records.map(|found| record(keys, keyspace, found)).collect()
    }

    /// Remembers the newest record, and fits the size of the next page to the records of this one.
    fn look(&mut self, page: &[PbKeyValue]) {
        let newest = page.iter().max_by_key(|record| record.mod_revision);
        if let Some(newest) = newest.map(Witness::of)
            && self
                .last
                .as_ref()
                .is_none_or(|last| last.revision < newest.revision)
        {
            self.last = Some(newest);
        }
        let bytes: usize = page
            .iter()
            .map(|record| record.key.len() + record.value.len() + RECORD_OVERHEAD)
            .sum();
        let most = self
            .cluster
            .endpoints
            .settings
            .page_size
            .saturating_mul(GROWTH);
        self.size = next_size(page.len(), bytes, most).unwrap_or(self.size);
    }
}

/// How many records like these fit into a page.
fn next_size(records: usize, bytes: usize, most: usize) -> Option<usize> {
    let each = bytes.checked_div(records)?;
    Some((PAGE_BYTES / each.max(1)).clamp(1, most.max(1)))
}

fn failed(fault: Fault, keyspace: &Keyspace) -> globe_log_client::Error {
    fault
        .into_error()
        .while_doing(format_args!("reading keyspace {keyspace}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_fit_their_records() {
        assert_eq!(next_size(0, 0, 10_000), None);
        assert_eq!(next_size(1000, 150_000, 10_000), Some(10_000));
        assert_eq!(next_size(10, 10 * 1024 * 1024, 10_000), Some(2));
        assert_eq!(next_size(1, 64 * 1024 * 1024, 10_000), Some(1));
    }
}
