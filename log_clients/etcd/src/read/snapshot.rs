//! Hydration: a keyspace at one revision, page by page.
//!
//! Never holds more than one page, and never mixes pages of two revisions or two lives of the log.

use std::sync::Arc;

use etcd_client::proto::PbKeyValue;
use etcd_client::{GetOptions, TxnOp};
use globe_log_client::{Epoch, Keyspace, Position, Record, Result, Snapshot};

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::Seen;
use crate::members::call::{CallOptions, Repeat};
use crate::members::dial::Purpose;
use crate::read::page_bound::PageBound;
use crate::read::page_size::PageSize;
use crate::records::witness::{LastChange, Witness};
use crate::records::{number, record};

/// Where the reading of a keyspace stands.
///
/// All pages but the first name its revision. The header of a later page shows a newer one, which is not the
/// snapshot's.
struct Pages {
    cluster: Arc<Cluster>,
    keyspace: Keyspace,
    position: Position,
    /// The page that was read to learn the position.
    first: Option<Page>,
    place: Place,
    last: Option<Witness>,
}

/// What is asked for next.
struct Place {
    /// From which key the next page starts.
    start: Vec<u8>,
    /// There was the last page.
    is_at_end: bool,
    size: PageSize,
    page_bound: PageBound,
}

/// One page.
struct Page {
    position: Position,
    records: Vec<PbKeyValue>,
}

impl Cluster {
    /// Takes a snapshot: its first page is read here, and fixes the revision of the others.
    pub(crate) async fn snapshot(self: &Arc<Self>, keyspace: &Keyspace) -> Result<Snapshot> {
        let (start, end) = (self.keys.start(keyspace), self.keys.end(keyspace));
        let mut place = self.place(keyspace, start, end);
        let first = self
            .page(keyspace, None, &mut place)
            .await
            .map_err(|fault| failed(fault, keyspace))?;
        let position = first.position;
        self.life.aim(keyspace, position);
        Ok(self.pages(keyspace, position, Some(first), place))
    }

    /// The records of a keyspace from one key up to another, at a position.
    pub(crate) fn snapshot_of(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        position: Position,
        start: Vec<u8>,
        end: Vec<u8>,
    ) -> Snapshot {
        let place = self.place(keyspace, start, end);
        self.pages(keyspace, position, None, place)
    }

    fn place(&self, keyspace: &Keyspace, start: Vec<u8>, end: Vec<u8>) -> Place {
        let shared = self.keys.start(keyspace).len();
        Place {
            start,
            is_at_end: false,
            size: PageSize::new(self.endpoints.settings.page_size),
            page_bound: PageBound::new(end, shared),
        }
    }

    fn pages(
        self: &Arc<Self>,
        keyspace: &Keyspace,
        position: Position,
        first: Option<Page>,
        place: Place,
    ) -> Snapshot {
        let pages = Pages {
            cluster: Arc::clone(self),
            keyspace: keyspace.clone(),
            position,
            first,
            place,
            last: None,
        };
        let stream = futures::stream::try_unfold(pages, |mut pages| async move {
            let page = pages.next_page().await?;
            Ok(page.map(|page| (page, pages)))
        });
        Snapshot::new(position, stream)
    }

    /// The page at a place: of the present, or at a position. It shrinks until the answer can be taken. One record that is
    /// too large alone is left out.
    async fn page(
        &self,
        keyspace: &Keyspace,
        mut at: Option<Position>,
        place: &mut Place,
    ) -> Result<Page, Fault> {
        loop {
            match self.read_page(keyspace, at, place, false).await {
                Ok(page) => {
                    place.size.fit(&page.records);
                    return Ok(page);
                }
                Err(fault) if fault.class != Class::TooLargeToDecode => return Err(fault),
                Err(_) if place.size.shrink() => {}
                // It may have been rewritten since: whether it is too large, only a look at a position tells.
                Err(_) if at.is_none() => {
                    at = Some(self.now(keyspace, self.endpoints.deadline()).await?)
                }
                Err(fault) => {
                    let page = self.read_page(keyspace, at, place, true).await?;
                    return Ok(self.leave_out(keyspace, page, &fault));
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

    /// The next records at a place, which moves on behind them.
    async fn read_page(
        &self,
        keyspace: &Keyspace,
        at: Option<Position>,
        place: &mut Place,
        keys_only: bool,
    ) -> Result<Page, Fault> {
        let limit = place.size.next();
        let mut options = GetOptions::new()
            .with_range(place.page_bound.bound(&place.start, limit))
            .with_limit(i64::try_from(limit).unwrap_or(i64::MAX));
        if let Some(at) = at {
            options = options.with_revision(number(at.revision.0));
        }
        if keys_only {
            options = options.with_keys_only();
        }
        let range = TxnOp::get(place.start.clone(), Some(options));
        let epoch: Option<Epoch> = at.map(|at| at.epoch);
        let reading = self
            .read(keyspace, &[range], epoch, self.page_call_options())
            .await?;
        let found = reading.answers.into_iter().next().unwrap_or_default();
        match place.page_bound.pass(&found, limit) {
            Some(next) => place.start = next,
            None => place.is_at_end = true,
        }
        Ok(Page {
            position: reading.position,
            records: found.kvs,
        })
    }

    /// Pages may be large: a member may take half of the time for one, so that another still has the other half.
    pub(crate) fn page_call_options(&self) -> CallOptions {
        let settings = &self.endpoints.settings;
        CallOptions {
            purpose: Purpose::Unary,
            repeat: Repeat::Harmless,
            within: None,
            deadline: self.endpoints.deadline(),
            patience: settings.request_timeout.max(settings.deadline / 2),
        }
    }
}

impl Pages {
    /// The next page, which may be empty; nothing at the end.
    async fn next_page(&mut self) -> Result<Option<Vec<Record>>> {
        let page = match self.first.take() {
            Some(first) => first,
            None if self.place.is_at_end => return Ok(None),
            None => {
                let at = Some(self.position);
                let page = self.cluster.page(&self.keyspace, at, &mut self.place).await;
                page.map_err(|fault| failed(fault, &self.keyspace))?
            }
        };
        Ok(Some(self.take(page)))
    }

    /// The records of a page, and a note of what was seen.
    fn take(&mut self, page: Page) -> Vec<Record> {
        self.look(&page.records);
        if self.place.is_at_end {
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
