//! A snapshot being read: the records of one position, page by page.
//!
//! Never copies the records it has not delivered: it holds a persistent map.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{Keyspace, Position, Record, Result, Snapshot};
use imbl::OrdMap;

use crate::server::Server;

pub(crate) struct Pages {
    server: Arc<Server>,
    position: Position,
    records: OrdMap<Bytes, Record>,
    /// The last key delivered.
    last: Option<Bytes>,
    is_over: bool,
}

impl Pages {
    pub(crate) fn open(server: &Arc<Server>, keyspace: &Keyspace) -> Result<Snapshot> {
        let (position, records) =
            server.reach(|state| Ok((state.position(), state.store.records(keyspace))))?;
        let pages = Pages {
            server: Arc::clone(server),
            position,
            records,
            last: None,
            is_over: false,
        };
        let pages = futures::stream::unfold(pages, |mut pages| async move {
            pages.next().transpose().map(|page| (page, pages))
        });
        Ok(Snapshot::new(position, pages))
    }

    fn next(&mut self) -> Result<Option<Vec<Record>>> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.page();
        self.is_over = match &page {
            Ok(records) => records.len() < self.server.page_size,
            Err(_) => true,
        };
        page.map(|records| (!records.is_empty()).then_some(records))
    }

    fn page(&mut self) -> Result<Vec<Record>> {
        // The map at hand would still answer, but a log that forgot the position could not.
        self.server
            .reach(|state| state.check_followable(self.position))?;
        let from = match self.last.take() {
            Some(last) => Bound::Excluded(last),
            None => Bound::Unbounded,
        };
        let rest = self.records.range((from, Bound::Unbounded));
        let page: Vec<Record> = rest
            .take(self.server.page_size)
            .map(|(_, record)| record.clone())
            .collect();
        self.last = page.last().map(|record| record.key.clone());
        Ok(page)
    }
}
