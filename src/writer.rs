//! Writes of one map: encode, commit under a guard, wait until it is visible here.
//!
//! It never touches the replica: what it wrote comes back down the tail like everybody else's.
//!
//! Every write is guarded by the revision of the key it replaces, so that a copy of it that arrives late, over newer
//! data, fails (a put that had timed out at its client was seen to be applied 26 s later). A write that the caller meant
//! to be unconditional is tried again with the newer revision.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use globe_log_client::{
    Conflict, Epoch, Error, ErrorKind, LogClient, Position, Precondition, Result, Transaction,
    Write,
};
use tokio::time::Instant;

use crate::chunks::{Guarded, chunks};
use crate::codec::Codec;
use crate::committer::Committer;
use crate::key::Key;
use crate::replica::Replica;
use crate::view::State;

/// Transactions of one `put_all` under way at once.
const PIPELINE: usize = 8;

/// The writing side of one map.
pub(crate) struct Writer<K, V> {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) replica: Arc<Replica<K, V>>,
    pub(crate) codec: Arc<dyn Codec<V>>,
    /// How long one write may take, in all.
    pub(crate) deadline: Duration,
}

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    pub(crate) fn committer(&self) -> Committer<'_> {
        Committer::new(
            &self.log,
            vec![Arc::clone(&self.replica) as _],
            self.deadline,
        )
    }

    /// Writes whatever stands there.
    pub(crate) async fn put(&self, key: &K, value: &V) -> Result<Position> {
        let key = self.encode_key(key)?;
        let write = self.encode_value(&key, value)?;
        let state = self.replica.state();
        let precondition = self.known(&state, &key, None);
        self.commit_all(
            &mut self.committer(),
            state.epoch(),
            BTreeMap::from([(
                key,
                Guarded {
                    precondition,
                    write,
                },
            )]),
        )
        .await
    }

    /// Writes if the precondition holds.
    pub(crate) async fn put_if(
        &self,
        key: &K,
        value: &V,
        precondition: Precondition,
    ) -> Result<Position> {
        let key = self.encode_key(key)?;
        let write = self.encode_value(&key, value)?;
        let epoch = self.life_of(precondition);
        self.commit_if(&mut self.committer(), epoch, key, precondition, write)
            .await
    }

    /// Deletes whatever stands there; whether anything did.
    pub(crate) async fn delete(&self, key: &K) -> Result<bool> {
        let mut committer = self.committer();
        let key = self.encode_key(key)?;
        let mut state = self.replica.state();
        let mut precondition = self.known(&state, &key, None);
        loop {
            let asked = Instant::now();
            let transaction = self.one(&key, precondition, Write::Delete);
            match committer.commit(&transaction.within(state.epoch())).await {
                Ok(position) => {
                    committer.visible(position, asked).await?;
                    return Ok(precondition != Precondition::Absent);
                }
                Err(error) if committer.reborn(&error, state.epoch()).await => {
                    state = self.replica.state();
                    precondition = self.known(&state, &key, None);
                }
                Err(error) => precondition = self.newer(&mut committer, error, &key).await?,
            }
        }
    }

    /// Deletes if the precondition holds.
    pub(crate) async fn delete_if(&self, key: &K, precondition: Precondition) -> Result<Position> {
        let key = self.encode_key(key)?;
        let (epoch, write) = (self.life_of(precondition), Write::Delete);
        self.commit_if(&mut self.committer(), epoch, key, precondition, write)
            .await
    }

    /// Replaces a value by what a closure makes of it, again and again until nobody came in between.
    pub(crate) async fn update(
        &self,
        key: &K,
        mut next: impl FnMut(Option<&V>) -> V,
    ) -> Result<Arc<V>> {
        let mut committer = self.committer();
        let text = self.encode_key(key)?;
        loop {
            let state = self.replica.state();
            if let Some(bad) = state.quarantine.get(&text) {
                let why = format!(
                    "{} cannot be updated: its value cannot be decoded: {}",
                    self.name(&text),
                    bad.reason
                );
                return Err(Error::new(ErrorKind::Codec, why));
            }
            let old = state.entries.get(key);
            let precondition = old.map_or(Precondition::Absent, |entry| {
                Precondition::At(entry.modified())
            });
            let value = next(old.map(|entry| &**entry.value()));
            let write = self.encode_value(&text, &value)?;
            let epoch = state.epoch();
            match self
                .commit_if(&mut committer, epoch, text.clone(), precondition, write)
                .await
            {
                Ok(_) => return Ok(Arc::new(value)),
                Err(error) if committer.reborn(&error, epoch).await => {}
                Err(error) if error.is_conflict() && committer.pause().await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes many entries in as few transactions as the log's limits allow, several under way at once.
    pub(crate) async fn put_all(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Position> {
        let state = self.replica.state();
        let mut writes = BTreeMap::new();
        for (key, value) in entries {
            let text = self.encode_key(&key)?;
            let write = self.encode_value(&text, &value)?;
            let precondition = self.known(&state, &text, Some(&key));
            writes.insert(
                text,
                Guarded {
                    precondition,
                    write,
                },
            );
        }
        let none = state.position;
        self.commit_chunks(state.epoch(), writes)
            .await
            .map(|positions| {
                positions
                    .into_iter()
                    .max_by_key(|position| position.revision)
                    .unwrap_or(none)
            })
    }

    /// Deletes every key that begins with `prefix`; how many there were.
    pub(crate) async fn delete_prefix(&self, state: &State<K, V>, prefix: &str) -> Result<usize> {
        let mut writes = BTreeMap::new();
        for (key, entry) in &state.entries {
            let text = self.encode_key(key)?;
            if text.starts_with(prefix.as_bytes()) {
                let precondition = Precondition::At(entry.modified());
                writes.insert(
                    text,
                    Guarded {
                        precondition,
                        write: Write::Delete,
                    },
                );
            }
        }
        for (text, bad) in &state.quarantine {
            if text.starts_with(prefix.as_bytes()) {
                let precondition = Precondition::At(bad.revision);
                writes.insert(
                    text.clone(),
                    Guarded {
                        precondition,
                        write: Write::Delete,
                    },
                );
            }
        }
        let count = writes.len();
        self.commit_chunks(state.epoch(), writes)
            .await
            .map(|_| count)
    }

    async fn commit_chunks(
        &self,
        epoch: Option<Epoch>,
        writes: BTreeMap<Bytes, Guarded>,
    ) -> Result<Vec<Position>> {
        let chunks = chunks(self.replica.keyspace(), writes, &self.log.capabilities());
        let count = chunks.len();
        // What the log would refuse is refused before any part is sent.
        for chunk in &chunks {
            self.transaction(chunk).check(&self.log.capabilities())?;
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

    /// Commits writes that the caller meant to be unconditional: on a conflict, with the newer revisions; in another life
    /// of the log than the guards are from, with the guards of that one.
    async fn commit_all(
        &self,
        committer: &mut Committer<'_>,
        mut epoch: Option<Epoch>,
        mut writes: BTreeMap<Bytes, Guarded>,
    ) -> Result<Position> {
        loop {
            let transaction = self.transaction(&writes).within(epoch);
            let asked = Instant::now();
            let error = match committer.commit(&transaction).await {
                Ok(position) => return committer.visible(position, asked).await,
                Err(error) => error,
            };
            if committer.reborn(&error, epoch).await {
                let state = self.replica.state();
                epoch = state.epoch();
                for (key, guarded) in &mut writes {
                    guarded.precondition = self.known(&state, key, None);
                }
                continue;
            }
            let ErrorKind::Conflict(conflict) = error.kind() else {
                return Err(error);
            };
            for failed in &conflict.failed {
                if let Some(guarded) = writes.get_mut(&failed.key) {
                    guarded.precondition = found(&failed.found);
                }
            }
            if !committer.make_way().await {
                return Err(error);
            }
        }
    }

    /// Commits a write under the caller's own precondition. On a conflict, what stands there is visible here on return.
    async fn commit_if(
        &self,
        committer: &mut Committer<'_>,
        epoch: Option<Epoch>,
        key: Bytes,
        precondition: Precondition,
        write: Write,
    ) -> Result<Position> {
        let asked = Instant::now();
        let transaction = self.one(&key, precondition, write).within(epoch);
        match committer.commit(&transaction).await {
            Ok(position) => committer.visible(position, asked).await,
            Err(error) => {
                if let ErrorKind::Conflict(conflict) = error.kind() {
                    committer.saw(conflict).await;
                }
                Err(error)
            }
        }
    }

    /// The life of the log a caller's precondition speaks of: this replica's, if it names a revision.
    fn life_of(&self, precondition: Precondition) -> Option<Epoch> {
        match precondition {
            Precondition::At(_) => self.replica.state().epoch(),
            Precondition::Absent | Precondition::Present => None,
        }
    }

    /// What a conflict found at `key`, for another attempt; any other error, and a conflict at the deadline, is the answer.
    async fn newer(
        &self,
        committer: &mut Committer<'_>,
        error: Error,
        key: &Bytes,
    ) -> Result<Precondition> {
        let ErrorKind::Conflict(Conflict { failed, .. }) = error.kind() else {
            return Err(error);
        };
        let newer = failed
            .iter()
            .find(|failed| failed.key == *key)
            .map(|failed| found(&failed.found));
        match newer {
            Some(newer) if committer.make_way().await => Ok(newer),
            _ => Err(error),
        }
    }

    fn transaction(&self, writes: &BTreeMap<Bytes, Guarded>) -> Transaction {
        let keyspace = self.replica.keyspace();
        let begin = Transaction::new();
        writes.iter().fold(begin, |transaction, (key, guarded)| {
            transaction
                .when(keyspace, key.clone(), guarded.precondition)
                .write(keyspace, key.clone(), guarded.write.clone())
        })
    }

    fn one(&self, key: &Bytes, precondition: Precondition, write: Write) -> Transaction {
        let keyspace = self.replica.keyspace();
        if mutant!("drop_the_guard") {
            return Transaction::new().write(keyspace, key.clone(), write);
        }
        Transaction::new()
            .when(keyspace, key.clone(), precondition)
            .write(keyspace, key.clone(), write)
    }

    /// What this replica knows to stand at a key.
    pub(crate) fn known(&self, state: &State<K, V>, text: &Bytes, key: Option<&K>) -> Precondition {
        if let Some(bad) = state.quarantine.get(text) {
            return Precondition::At(bad.revision);
        }
        let entry = match key {
            Some(key) => state.entries.get(key),
            None => std::str::from_utf8(text)
                .ok()
                .and_then(|text| K::decode(text).ok())
                .and_then(|key| state.entries.get(&key)),
        };
        entry.map_or(Precondition::Absent, |entry| {
            Precondition::At(entry.modified())
        })
    }

    pub(crate) fn encode_key(&self, key: &K) -> Result<Bytes> {
        let text = key.encode().map_err(|error| {
            error.while_doing(format_args!("a key of {}", self.replica.keyspace()))
        })?;
        Ok(Bytes::from(text))
    }

    pub(crate) fn encode_value(&self, key: &Bytes, value: &V) -> Result<Write> {
        match self.codec.encode(value) {
            Ok(bytes) => Ok(Write::Put {
                value: bytes.into(),
                lease: None,
            }),
            Err(error) => {
                let why = format!("the value of {} cannot be encoded: {error}", self.name(key));
                Err(Error::new(ErrorKind::Codec, why))
            }
        }
    }

    fn name(&self, key: &Bytes) -> String {
        format!(
            "{}/{}",
            self.replica.keyspace(),
            String::from_utf8_lossy(key)
        )
    }
}

fn found(record: &Option<globe_log_client::Record>) -> Precondition {
    record.as_ref().map_or(Precondition::Absent, |record| {
        Precondition::At(record.modified)
    })
}
