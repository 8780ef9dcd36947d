//! Where a snapshot is read from: all of it from the log, or from what is here already, and from the log what has changed.
//!
//! It never decides when one is needed, and takes nothing in.

use globe_log_client::{ErrorKind, Result};

use crate::entry::change::ResyncReason;
use crate::entry::key::Key;
use crate::follow::fetching::Fetching;
use crate::follow::tailer::Tailer;

impl<K: Key, V: Send + Sync + 'static> Tailer<K, V> {
    /// Begins to read what the log holds now. What a difference has once failed for is read by a snapshot.
    pub(crate) async fn begin_fetching(&mut self, reason: ResyncReason) -> Result<Fetching> {
        let can_differ = self.log.capabilities().differences && !self.by_snapshot;
        if can_differ && let Some(begun) = self.fetch_changes(reason).await {
            match begun {
                Ok(fetching) => {
                    // Until it is taken in.
                    self.by_snapshot = true;
                    return Ok(fetching);
                }
                // A snapshot would not come either.
                Err(error) if *error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => {
                    let keyspace = self.replica().keyspace();
                    tracing::debug!(%keyspace, %error, "what has changed cannot be told: all is read");
                }
            }
        }
        self.kept = None;
        Fetching::snapshot(&*self.log, self.replica().keyspace()).await
    }

    /// Begins to read what has changed, if it is known since when.
    async fn fetch_changes(&mut self, reason: ResyncReason) -> Option<Result<Fetching>> {
        let (log, keyspace) = (&*self.log, self.replica().keyspace());
        if let Some(kept) = &self.kept {
            return match kept.changes(log, keyspace).await {
                Ok(changes) => Some(Ok(self.kept.take()?.with(changes?))),
                Err(error) => Some(Err(error)),
            };
        }
        let since = self.replica().position()?;
        // Whatever else was wrong, what stands may be wrong as well.
        if reason != ResyncReason::Compacted || self.replica().is_doubted() {
            return None;
        }
        let known = self.applier.known().await?;
        match known.difference(log, keyspace, since).await {
            Ok(difference) => Some(Ok(Fetching::difference(difference?))),
            Err(error) => Some(Err(error)),
        }
    }
}
