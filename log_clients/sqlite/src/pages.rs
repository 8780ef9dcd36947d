//! A snapshot being read: the records of one position, page by page.
//!
//! Never keeps a transaction open between two pages: the log beside the file could not be shortened meanwhile. It reads history
//! instead, and ends where that is forgotten.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use globe_log_client::{Keyspace, Position, Record, Result, Snapshot};

use crate::changes;
use crate::shared::Shared;

pub(crate) struct Pages {
    shared: Arc<Shared>,
    keyspace: Keyspace,
    position: Position,
    /// The next page, which is read while this one is worked on; none after the last.
    ahead: Option<BoxFuture<'static, Result<Page>>>,
}

/// Records, and where to go on: after this key.
type Page = (Vec<Record>, Option<Bytes>);

impl Pages {
    pub(crate) async fn open(shared: &Arc<Shared>, keyspace: &Keyspace) -> Result<Snapshot> {
        let position = shared.look(|_, stand| Ok(stand.position())).await?;
        let mut pages = Pages {
            shared: Arc::clone(shared),
            keyspace: keyspace.clone(),
            position,
            ahead: None,
        };
        // No key is empty.
        pages.ahead = Some(pages.read(Bytes::new()));
        let pages = futures::stream::unfold(pages, |mut pages| async move {
            pages.next().await.transpose().map(|page| (page, pages))
        });
        Ok(Snapshot::new(position, pages))
    }

    async fn next(&mut self) -> Result<Option<Vec<Record>>> {
        while let Some(ahead) = self.ahead.take() {
            let (records, last) = ahead.await?;
            self.ahead = last.map(|after| self.read(after));
            if !records.is_empty() {
                return Ok(Some(records));
            }
        }
        Ok(None)
    }

    fn read(&self, after: Bytes) -> BoxFuture<'static, Result<Page>> {
        let (keyspace, position) = (self.keyspace.clone(), self.position);
        let most = self.shared.page_size;
        let read = self.shared.look(move |connection, stand| {
            stand.check_followable(position)?;
            changes::page(connection, &keyspace, position.revision, &after, most)
        });
        Box::pin(read)
    }
}
