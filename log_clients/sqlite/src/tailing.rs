//! One open tail: where it is in the history, and what it has read ahead.
//!
//! Never runs a task: it looks at the file when it is polled, and sleeps until the watcher has seen something.

use std::collections::VecDeque;
use std::sync::Arc;

use globe_log_client::{Batch, Keyspace, Position, Result, Tail};
use tokio::sync::watch;

use crate::changes;
use crate::error::gone;
use crate::seen::Seen;
use crate::shared::Shared;

/// How many changes one look reads.
const AHEAD: usize = 1000;

pub(crate) struct Tailing {
    shared: Arc<Shared>,
    keyspace: Keyspace,
    /// Everything up to here was delivered, or is read.
    cursor: Position,
    ready: VecDeque<Batch>,
    seen: watch::Receiver<Seen>,
}

impl Tailing {
    /// Opens a tail, if the history after `after` is still there.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        keyspace: &Keyspace,
        after: Position,
    ) -> Result<Tail> {
        let mut tailing = Tailing {
            shared: Arc::clone(shared),
            keyspace: keyspace.clone(),
            cursor: after,
            ready: VecDeque::new(),
            seen: shared.seen(),
        };
        tailing.read().await?;
        let batches = futures::stream::unfold(tailing, |mut tailing| async move {
            Some((tailing.next().await, tailing))
        });
        Ok(Tail::new(batches))
    }

    async fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            // Before looking: a change in between ends the wait at once.
            self.seen.mark_unchanged();
            self.read().await?;
            if self.ready.is_empty() {
                self.seen.changed().await.map_err(|_| gone())?;
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        let (keyspace, cursor) = (self.keyspace.clone(), self.cursor);
        let read = self.shared.look(move |connection, stand| {
            stand.check_followable(cursor)?;
            changes::after(connection, &keyspace, cursor.revision, stand.head, AHEAD)
        });
        self.ready = read.await?.into();
        if let Some(last) = self.ready.back() {
            self.cursor.revision = last.revision;
        }
        Ok(())
    }
}
