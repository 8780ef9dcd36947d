//! Writes of one map: encode, commit under a guard, wait until it is visible here.
//!
//! It never touches the replica: what it wrote comes back down the tail like everybody else's.
//!
//! Every write is guarded by the revision of the key it replaces, so that a copy of it that arrives late, over newer
//! data, fails (a put that had timed out at its client was seen to be applied 26 s later). A write that the caller meant
//! to be unconditional is tried again with the newer revision. The guard also tells the lease a key has: a put keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{
    Epoch, Error, ErrorKind, LogClient, Position, Precondition, Result, Transaction, Version,
};
use tokio::time::Instant;

use crate::entry::codec::{self, Codec};
use crate::entry::key::{Key, encode_key};
use crate::read::consistency::Looker;
use crate::replica::Replica;
use crate::replica::state::State;
use crate::write::committer::Committer;
use crate::write::expected::Expected;
use crate::write::guarded::{Draft, Guarded, Stands};

/// Writes of a map, by the key in the log.
pub(crate) type Writes = BTreeMap<Bytes, Guarded>;

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
    pub(crate) async fn put(&self, key: &K, value: &V, is_detached: bool) -> Result<Position> {
        let text = self.encode_key(key)?;
        let draft = self.draft(&text, value, is_detached)?;
        let (stands, epoch) = self.stands(&text, key);
        let writes = Writes::from([(text, Guarded { stands, draft })]);
        self.commit_all(&mut self.committer(), epoch, writes).await
    }

    /// Writes if the key holds what is expected.
    pub(crate) async fn put_if(&self, key: &K, value: &V, expected: Expected) -> Result<Position> {
        let text = self.encode_key(key)?;
        let draft = self.draft(&text, value, false)?;
        let mut committer = self.committer();
        match expected {
            Expected::Absent => {
                let stands = Stands::Nothing;
                self.commit_if(&mut committer, None, &text, Guarded { stands, draft })
                    .await
            }
            Expected::At(version) => {
                let stands = self.stands_at(&committer, &text, key, version).await?;
                let epoch = expected.precondition().1;
                self.commit_if(&mut committer, epoch, &text, Guarded { stands, draft })
                    .await
            }
            Expected::Present => self.put_over(&mut committer, key, &text, draft).await,
        }
    }

    /// Writes over whatever stands there, if anything does.
    async fn put_over(
        &self,
        committer: &mut Committer<'_>,
        key: &K,
        text: &Bytes,
        draft: Draft,
    ) -> Result<Position> {
        loop {
            let (stands, epoch) = self.stands(text, key);
            if stands == Stands::Nothing {
                // This replica may only be behind: the log tells.
                let asked = Instant::now();
                let question = self.when(text, Precondition::Present);
                let there = committer.commit(&question).await;
                self.answered(committer, there, asked).await?;
                continue;
            }
            let draft = draft.clone();
            let attempt = Guarded { stands, draft };
            let committed = self.commit_if(committer, epoch, text, attempt).await;
            match committed {
                Err(error) if committer.reborn(&error, epoch).await => {}
                Err(error) if is_overtaken(&error) && committer.make_way().await => {}
                outcome => return outcome,
            }
        }
    }

    /// Deletes whatever stands there; whether anything did.
    pub(crate) async fn delete(&self, key: &K) -> Result<bool> {
        let mut committer = self.committer();
        let text = self.encode_key(key)?;
        let (mut stands, mut epoch) = self.stands(&text, key);
        loop {
            let asked = Instant::now();
            let draft = Draft::Delete;
            let transaction = self.one(&text, &Guarded { stands, draft });
            match committer.commit(&transaction.within(epoch)).await {
                Ok(position) => {
                    committer.visible(position, asked).await?;
                    return Ok(stands != Stands::Nothing);
                }
                Err(error) if committer.reborn(&error, epoch).await => {
                    (stands, epoch) = self.stands(&text, key);
                }
                Err(error) => stands = self.newer(&mut committer, error, &text).await?,
            }
        }
    }

    /// Deletes if the key holds what is expected.
    pub(crate) async fn delete_if(&self, key: &K, expected: Expected) -> Result<Position> {
        let text = self.encode_key(key)?;
        let (precondition, epoch) = expected.precondition();
        let write = Draft::Delete.write(Stands::Nothing);
        let transaction =
            self.when(&text, precondition)
                .write(self.replica.keyspace(), text, write);
        let mut committer = self.committer();
        let asked = Instant::now();
        let committed = committer.commit(&transaction.within(epoch)).await;
        self.answered(&committer, committed, asked).await
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
            let stands = old.map_or(Stands::Nothing, Stands::entry);
            let value = next(old.map(|entry| &**entry.value()));
            let draft = self.draft(&text, &value, false)?;
            let epoch = state.epoch();
            // What is under way keeps nothing of the map.
            drop(state);
            let transaction = self.one(&text, &Guarded { stands, draft }).within(epoch);
            let asked = Instant::now();
            let error = match committer.commit(&transaction).await {
                Ok(position) => {
                    committer.visible(position, asked).await?;
                    return Ok(Arc::new(value));
                }
                Err(error) => error,
            };
            committer.look_again(error, epoch).await?;
        }
    }

    /// Commits writes that the caller meant to be unconditional: on a conflict, with the newer revisions; in another life
    /// of the log than the guards are from, with the guards of that one.
    pub(crate) async fn commit_all(
        &self,
        committer: &mut Committer<'_>,
        mut epoch: Option<Epoch>,
        mut writes: Writes,
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
                for (text, guarded) in &mut writes {
                    guarded.stands = self.known_by_text(&state, text);
                }
                continue;
            }
            let ErrorKind::Conflict(conflict) = error.kind() else {
                return Err(error);
            };
            for failed in &conflict.failed {
                if let Some(guarded) = writes.get_mut(failed.key()) {
                    guarded.stands = Stands::found(failed.found());
                }
            }
            if !committer.make_way().await {
                return Err(error);
            }
        }
    }

    /// Commits a write under the caller's own condition. On a conflict, what stands there is visible here on return.
    async fn commit_if(
        &self,
        committer: &mut Committer<'_>,
        epoch: Option<Epoch>,
        text: &Bytes,
        write: Guarded,
    ) -> Result<Position> {
        let asked = Instant::now();
        let transaction = self.one(text, &write).within(epoch);
        let committed = committer.commit(&transaction).await;
        self.answered(committer, committed, asked).await
    }

    /// Waits until what a commit did, or what stood in its way, is visible here.
    async fn answered(
        &self,
        committer: &Committer<'_>,
        committed: Result<Position>,
        asked: Instant,
    ) -> Result<Position> {
        match committed {
            Ok(position) => committer.visible(position, asked).await,
            Err(error) => {
                if let ErrorKind::Conflict(conflict) = error.kind() {
                    committer.saw(conflict).await;
                }
                Err(error)
            }
        }
    }

    /// What stands at a key that is at a version. A replica that has not seen that version yet waits for it: it tells the
    /// lease that a put is to keep.
    async fn stands_at(
        &self,
        committer: &Committer<'_>,
        text: &Bytes,
        key: &K,
        version: Version,
    ) -> Result<Stands> {
        let at = |stands| matches!(stands, Stands::Record(at, _) if at == version.revision());
        let state = self.replica.state();
        let here = self.known(&state, text, key);
        if state.epoch() == Some(version.epoch()) && at(here) {
            return Ok(here);
        }
        let looker = Looker {
            log: &self.log,
            replica: &self.replica,
            deadline: committer.deadline,
        };
        let seen = looker.at_least(version.position()).await;
        seen.map_err(|error| match error.kind() {
            ErrorKind::Stale => {
                let why = format!("{} was not seen at {version} here", self.name(text));
                Error::new(ErrorKind::Unavailable, why).with_source(error)
            }
            _ => error,
        })?;
        let here = self.known(&self.replica.state(), text, key);
        // What is here by now overtook that version: the log says so.
        let overtaken = Stands::Record(version.revision(), None);
        Ok(if at(here) { here } else { overtaken })
    }

    /// What a conflict found at `key`, for another attempt; any other error, and a conflict at the deadline, is the answer.
    async fn newer(
        &self,
        committer: &mut Committer<'_>,
        error: Error,
        text: &Bytes,
    ) -> Result<Stands> {
        let ErrorKind::Conflict(conflict) = error.kind() else {
            return Err(error);
        };
        let mut failed = conflict.failed.iter();
        let newer = failed
            .find(|failed| failed.key() == *text)
            .map(|failed| Stands::found(failed.found()));
        match newer {
            Some(newer) if committer.make_way().await => Ok(newer),
            _ => Err(error),
        }
    }

    pub(crate) fn transaction(&self, writes: &Writes) -> Transaction {
        let keyspace = self.replica.keyspace();
        let begin = Transaction::new();
        writes.iter().fold(begin, |transaction, (text, guarded)| {
            transaction
                .when(keyspace, text.clone(), guarded.stands.precondition())
                .write(keyspace, text.clone(), guarded.write())
        })
    }

    fn one(&self, text: &Bytes, guarded: &Guarded) -> Transaction {
        let begin = match mutant!("drop_the_guard") {
            true => Transaction::new(),
            false => self.when(text, guarded.stands.precondition()),
        };
        begin.write(self.replica.keyspace(), text.clone(), guarded.write())
    }

    fn when(&self, text: &Bytes, precondition: Precondition) -> Transaction {
        Transaction::new().when(self.replica.keyspace(), text.clone(), precondition)
    }

    /// What this replica knows to stand at a key, and in which life of the log. It keeps nothing of the map.
    fn stands(&self, text: &Bytes, key: &K) -> (Stands, Option<Epoch>) {
        let state = self.replica.state();
        (self.known(&state, text, key), state.epoch())
    }

    /// What a state knows to stand at a key.
    pub(crate) fn known(&self, state: &State<K, V>, text: &Bytes, key: &K) -> Stands {
        if let Some(bad) = state.quarantine.get(text) {
            return Stands::bad(bad);
        }
        let entry = state.entries.get(key);
        entry.map_or(Stands::Nothing, Stands::entry)
    }

    fn known_by_text(&self, state: &State<K, V>, text: &Bytes) -> Stands {
        match crate::entry::key::decode_key::<K>(text) {
            Ok(key) => self.known(state, text, &key),
            Err(_) => {
                let bad = state.quarantine.get(text);
                bad.map_or(Stands::Nothing, Stands::bad)
            }
        }
    }

    /// A key as it stands in the log.
    pub(crate) fn encode_key(&self, key: &K) -> Result<Bytes> {
        let text = encode_key(key).map_err(|error| {
            error.while_doing(format_args!("a key of {}", self.replica.keyspace()))
        })?;
        Ok(Bytes::from(text))
    }

    /// A put of a value.
    pub(crate) fn draft(&self, text: &Bytes, value: &V, is_detached: bool) -> Result<Draft> {
        let encoded = codec::encode(&*self.codec, value).map_err(|reason| {
            let why = format!(
                "the value of {} cannot be encoded: {reason}",
                self.name(text)
            );
            Error::new(ErrorKind::Codec, why)
        })?;
        let encoded = Bytes::from(encoded);
        Ok(match is_detached {
            true => Draft::PutDetached(encoded),
            false => Draft::Put(encoded),
        })
    }

    fn name(&self, text: &Bytes) -> String {
        format!(
            "{}/{}",
            self.replica.keyspace(),
            String::from_utf8_lossy(text)
        )
    }
}

/// Whether a conflict found something else than was known, and not nothing.
fn is_overtaken(error: &Error) -> bool {
    let ErrorKind::Conflict(conflict) = error.kind() else {
        return false;
    };
    conflict
        .failed
        .iter()
        .all(|failed| failed.found().is_some())
}
