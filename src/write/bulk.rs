//! Many writes at once, in as few transactions as the log's limits allow.
//!
//! It never sends a part before all of it is known to be within the limits, and never works long without a turn for others.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use globe_log_client::{Capabilities, Epoch, Keyspace, Position, Result};

use crate::entry::key::Key;
use crate::ground::pace::Pace;
use crate::replica::state::State;
use crate::write::attempt::Basis;
use crate::write::draft::{Draft, Guarded, Stands};
use crate::write::write_set::WriteSet;
use crate::write::writer::Writer;
use crate::write::writes::Writes;
use crate::write::written::WrittenAll;

/// Writes that are gathered in whatever order, by the key in the log: of those of one key the last one counts.
pub(crate) type Gathered = BTreeMap<Bytes, Guarded>;

/// Transactions under way at once.
pub(crate) const PIPELINE: usize = 8;

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Writes many entries in as few transactions as the log's limits allow, several under way at once.
    pub(crate) async fn put_all(
        &self,
        bound: Duration,
        entries: Vec<(K, V)>,
    ) -> Result<WrittenAll> {
        let state = self.replica.state();
        let mut writes = Gathered::new();
        let mut pace = Pace::new();
        for (key, value) in entries {
            let text = self.encode_key(&key)?;
            let draft = self.draft(&text, &value, false)?;
            let stands = self.known(&state, &text, &key);
            writes.insert(text, Guarded { stands, draft });
            pace.step().await;
        }
        let life = state.epoch();
        // What is under way keeps nothing of the map.
        drop(state);
        let parts = self.commit_chunks(bound, life, writes).await?;
        let written = parts.iter().map(|(at, set)| (*at, set.writes.len()));
        Ok(WrittenAll::new(written))
    }

    /// Deletes every key that begins with `prefix`.
    pub(crate) async fn delete_prefix(&self, bound: Duration, prefix: &str) -> Result<WrittenAll> {
        let state = self.replica.state();
        let writes = self.under(&state, prefix).await?;
        let life = state.epoch();
        drop(state);
        let parts = self.commit_chunks(bound, life, writes).await?;
        let deleted = parts.iter().map(|(at, set)| (*at, set.standing()));
        Ok(WrittenAll::new(deleted))
    }

    /// The deletes of all that begins with `prefix`, bad records as well.
    async fn under(&self, state: &State<K, V>, prefix: &str) -> Result<Gathered> {
        let mut writes = Gathered::new();
        let mut pace = Pace::new();
        let start = K::at_or_after(prefix);
        let is_ordered = start.is_some();
        let start = start.map_or(Bound::Unbounded, Bound::Included);
        let candidates = state.entries.range(&(start, Bound::Unbounded));
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

    /// Commits them in parts; where each was, and with which guards.
    async fn commit_chunks(
        &self,
        bound: Duration,
        life: Option<Epoch>,
        writes: Gathered,
    ) -> Result<Vec<(Position, WriteSet)>> {
        let (keyspace, capabilities) = (self.replica.keyspace(), self.log.capabilities());
        let chunks = chunks(keyspace, writes, &capabilities).await;
        let count = chunks.len();
        let sets = chunks.into_iter().map(|writes| WriteSet { life, writes });
        let sets: Vec<WriteSet> = sets.collect();
        // What the log would refuse is refused before any part is sent.
        for set in &sets {
            set.transaction(keyspace).check(&capabilities)?;
            tokio::task::consume_budget().await;
        }
        let commits = sets.into_iter().enumerate().map(|(index, set)| async move {
            let mut committer = self.committer(bound);
            let committed = self.write(&mut committer, set, Basis::Nothing).await;
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

/// Splits writes so that each part is within the log's limits. A single write over a limit is a part of its own, which
/// the log refuses by name.
pub(crate) async fn chunks(
    keyspace: &Keyspace,
    writes: Gathered,
    capabilities: &Capabilities,
) -> Vec<Writes> {
    let mut chunks: Vec<Writes> = Vec::new();
    let mut bytes = 0;
    let mut pace = Pace::new();
    for (key, guarded) in writes {
        let value = guarded.draft.bytes().len();
        // The key counts twice: once compared, once written.
        let size = 2 * (keyspace.as_str().len() + 1 + key.len()) + value;
        let fits = |chunk: &Writes| {
            chunk.len() < capabilities.max_operations
                && bytes + size <= capabilities.max_transaction_bytes
        };
        match chunks.last_mut() {
            Some(chunk) if fits(chunk) => {
                chunk.push(key, guarded);
                bytes += size;
            }
            _ => {
                chunks.push(Writes::one(key, guarded));
                bytes = size;
            }
        }
        pace.step().await;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn many_writes_are_split_at_each_limit_and_none_is_lost() {
        let mut capabilities = Capabilities::full("test");
        capabilities.max_operations = 10;
        capabilities.max_transaction_bytes = 1000;
        let keyspace = Keyspace::new("ks").unwrap();
        let writes = |count: usize, size: usize| -> Gathered {
            let guarded = || Guarded {
                stands: Stands::Nothing,
                draft: Draft::Put(vec![0; size].into()),
            };
            (0..count)
                .map(|i| (Bytes::from(format!("{i:03}")), guarded()))
                .collect()
        };
        let sizes = |writes| {
            let chunks = chunks(&keyspace, writes, &capabilities).now_or_never();
            let chunks = chunks.unwrap();
            chunks.iter().map(Writes::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(writes(25, 1)), [10, 10, 5]);
        assert_eq!(sizes(writes(5, 400)), [2, 2, 1]);
        assert_eq!(sizes(writes(2, 5000)), [1, 1]);
        assert_eq!(sizes(writes(0, 1)), [0; 0]);
    }
}
