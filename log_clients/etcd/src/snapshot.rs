//! Hydration: a keyspace at one revision, page by page.
//!
//! Never holds more than one page, and never mixes pages of two revisions or two lives of the log.

use std::sync::Arc;

use etcd_client::proto::PbKeyValue;
use etcd_client::{GetOptions, TxnOp};
use futures::StreamExt;
use globe_log_client::{Epoch, Keyspace, Position, Record, Result, Snapshot};
use tokio::time::Instant;

use crate::call::{Repeat, Terms};
use crate::cluster::Cluster;
use crate::dial::Line;
use crate::fault::{Class, Fault};
use crate::life::Seen;
use crate::page_size::PageSize;
use crate::records::{number, record};
use crate::witness::{LastChange, Witness};

/// Where the reading of a keyspace stands.
struct Pages {
    cluster: Arc<Cluster>,
    keyspace: Keyspace,
    position: Position,
    /// The page that was read to learn the position.
    first: Option<Page>,
    /// From which key the next page starts; nothing after the last page.
    next: Option<Vec<u8>>,
    size: PageSize,
    last: Option<Witness>,
}

/// One page.
struct Page {
    position: Position,
    records: Vec<PbKeyValue>,
    next: Option<Vec<u8>>,
}

impl Cluster {
    /// Takes a snapshot: its first page is read here, and fixes the revision of the others.
    pub(crate) async fn snapshot(self: &Arc<Self>, keyspace: &Keyspace) -> Result<Snapshot> {
        let mut size = PageSize::new(self.endpoints.settings.page_size);
        let start = self.keys.start(keyspace);
        let first = self
            .page(keyspace, &start, None, &mut size)
            .await
            .map_err(|fault| failed(fault, keyspace))?;
        let position = first.position;
        self.life.aim(keyspace, position);
        let pages = Pages {
            cluster: Arc::clone(self),
            keyspace: keyspace.clone(),
            position,
            first: Some(first),
            next: None,
            size,
            last: None,
        };
        let stream = futures::stream::try_unfold(pages, |mut pages| async move {
            let page = pages.next_page().await?;
            Ok(page.map(|page| (page, pages)))
        });
        Ok(Snapshot::new(position, stream.boxed()))
    }

    /// One page from `start` on: of the present, or at a position. The page shrinks until the answer can be taken. One
    /// record that is too large alone is left out.
    async fn page(
        &self,
        keyspace: &Keyspace,
        start: &[u8],
        mut at: Option<Position>,
        size: &mut PageSize,
    ) -> Result<Page, Fault> {
        loop {
            let limit = i64::try_from(size.next()).unwrap_or(i64::MAX);
            let asked = Instant::now();
            let options = self.page_options(keyspace, at).with_limit(limit);
            match self.read_page(keyspace, start, at, options).await {
                Ok(page) => {
                    let (page, total) = page;
                    size.fit(&page.records, total, asked.elapsed());
                    return Ok(page);
                }
                Err(fault) if fault.class != Class::TooLargeToDecode => return Err(fault),
                Err(_) if size.shrink() => {}
                Err(fault) => {
                    let options = self.page_options(keyspace, at).with_limit(1);
                    let options = options.with_keys_only();
                    let (page, _) = self.read_page(keyspace, start, at, options).await?;
                    if at.is_some() {
                        return Ok(self.leave_out(keyspace, page, &fault));
                    }
                    // It may have been rewritten since: whether it is too large, only a look at this position tells.
                    at = Some(page.position);
                }
            }
        }
    }

    /// A page without the record that is too large, which stays unknown until it is written again.
    fn leave_out(&self, keyspace: &Keyspace, mut page: Page, fault: &Fault) -> Page {
        for found in page.records.drain(..) {
            let key = self.keys.strip(keyspace, found.key);
            let key = String::from_utf8_lossy(&key);
            tracing::error!(%keyspace, %key, limit = self.endpoints.settings.max_message_bytes, reason = %fault, "a record is larger than this client accepts, and is left out");
        }
        page
    }

    fn page_options(&self, keyspace: &Keyspace, at: Option<Position>) -> GetOptions {
        let options = GetOptions::new().with_range(self.keys.end(keyspace));
        match at.filter(|_| !mutant!("read_pages_of_any_time")) {
            Some(at) => options.with_revision(number(at.revision.0)),
            None => options,
        }
    }

    /// A page, and how many records there are from its start on.
    async fn read_page(
        &self,
        keyspace: &Keyspace,
        start: &[u8],
        at: Option<Position>,
        options: GetOptions,
    ) -> Result<(Page, usize), Fault> {
        let range = TxnOp::get(start, Some(options));
        let epoch: Option<Epoch> = at.map(|at| at.epoch);
        let reading = self
            .read(keyspace, &[range], epoch, self.page_terms())
            .await?;
        let found = reading.answers.into_iter().next().unwrap_or_default();
        let last = found.kvs.last().filter(|_| found.more);
        let page = Page {
            position: reading.position,
            next: last.map(|last| [&last.key, &b"\0"[..]].concat()),
            records: found.kvs,
        };
        Ok((page, usize::try_from(found.count).unwrap_or(0)))
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
                page.map_err(|fault| failed(fault, &self.keyspace))?
            }
        };
        Ok(Some(self.take(page)))
    }

    fn take(&mut self, page: Page) -> Vec<Record> {
        self.next = page.next;
        self.look(&page.records);
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
        let records = page.records.into_iter();
        records.map(|found| record(keys, keyspace, found)).collect()
    }

    /// Remembers the newest record.
    fn look(&mut self, page: &[PbKeyValue]) {
        let newest = page.iter().max_by_key(|record| record.mod_revision);
        let seen = self.last.as_ref().map_or(0, |last| last.revision);
        if let Some(newest) = newest
            && u64::try_from(newest.mod_revision).is_ok_and(|at| at > seen)
        {
            self.last = Some(Witness::of(newest));
        }
    }
}

fn failed(fault: Fault, keyspace: &Keyspace) -> globe_log_client::Error {
    fault
        .into_error()
        .while_doing(format_args!("reading keyspace {keyspace}"))
}
