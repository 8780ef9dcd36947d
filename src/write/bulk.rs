//! Many writes at once, in as few transactions as the log's limits allow.
//!
//! It never sends a part before all of it is known to be within the limits, and never works long without a turn for others.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use globe_log_client::{Epoch, Position, Result};

use crate::entry::key::Key;
use crate::ground::pace::Pace;
use crate::replica::state::State;
use crate::write::chunks::chunks;
use crate::write::guarded::{Draft, Guarded, Stands};
use crate::write::writer::{Writer, Writes};

/// Transactions under way at once.
const PIPELINE: usize = 8;

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Writes many entries in as few transactions as the log's limits allow, several under way at once.
    pub(crate) async fn put_all(&self, entries: Vec<(K, V)>) -> Result<Position> {
        let state = self.replica.state();
        let mut writes = Writes::new();
        let mut pace = Pace::new();
        for (key, value) in entries {
            let text = self.encode_key(&key)?;
            let draft = self.draft(&text, &value, false)?;
            let stands = self.known(&state, &text, &key);
            writes.insert(text, Guarded { stands, draft });
            pace.step().await;
        }
        let (none, epoch) = (state.position, state.epoch());
        // What is under way keeps nothing of the map.
        drop(state);
        let positions = self.commit_chunks(epoch, writes).await?;
        let newest = positions.into_iter().max_by_key(|at| at.revision);
        Ok(newest.unwrap_or(none))
    }

    /// Deletes every key that begins with `prefix`; how many there were.
    pub(crate) async fn delete_prefix(&self, prefix: &str) -> Result<usize> {
        let state = self.replica.state();
        let writes = self.under(&state, prefix).await?;
        let (count, epoch) = (writes.len(), state.epoch());
        drop(state);
        self.commit_chunks(epoch, writes).await.map(|_| count)
    }

    /// The deletes of all that begins with `prefix`, bad records as well.
    async fn under(&self, state: &State<K, V>, prefix: &str) -> Result<Writes> {
        let mut writes = Writes::new();
        let mut pace = Pace::new();
        let start = K::at_or_after(prefix);
        let is_ordered = start.is_some();
        let candidates = match &start {
            Some(start) => state.entries.range::<_, K>(start..),
            None => state.entries.range::<_, K>(..),
        };
        for (key, entry) in candidates {
            pace.step().await;
            let text = self.encode_key(key)?;
            if text.starts_with(prefix.as_bytes()) {
                let (stands, draft) = (Stands::entry(entry), Draft::Delete);
                writes.insert(text, Guarded { stands, draft });
            } else if is_ordered {
                break;
            }
        }
        let bad = state
            .quarantine
            .range(Bytes::copy_from_slice(prefix.as_bytes())..);
        for (text, bad) in bad.take_while(|(text, _)| text.starts_with(prefix.as_bytes())) {
            let (stands, draft) = (Stands::bad(bad), Draft::Delete);
            writes.insert(text.clone(), Guarded { stands, draft });
            pace.step().await;
        }
        Ok(writes)
    }

    async fn commit_chunks(&self, epoch: Option<Epoch>, writes: Writes) -> Result<Vec<Position>> {
        let chunks = chunks(self.replica.keyspace(), writes, &self.log.capabilities()).await;
        let count = chunks.len();
        // What the log would refuse is refused before any part is sent.
        for chunk in &chunks {
            self.transaction(chunk).check(&self.log.capabilities())?;
            tokio::task::consume_budget().await;
        }
        let commits = chunks
            .into_iter()
            .enumerate()
            .map(|(index, chunk)| async move {
                let committed = self.commit_all(&mut self.committer(), epoch, chunk).await;
                committed.map_err(|error| match count {
                    1 => error,
                    _ => error.while_doing(format_args!(
                        "transaction {} of {count}; others may have been committed",
                        index + 1
                    )),
                })
            });
        stream::iter(commits).buffered(PIPELINE).try_collect().await
    }
}
