//! Writes of one map: encode, commit under a guard, wait until it is visible here.
//!
//! It never touches the replica: what it wrote comes back down the tail like everybody else's.
//!
//! Every write is guarded by the revision of the key it replaces, so that a copy of it that arrives late, over newer
//! data, fails (a put that had timed out at its client was seen to be applied 26 s later). A write that the caller meant
//! to be unconditional is tried again with the newer revision. The guard also tells the lease a key has: a put keeps it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{
    Conflict, Error, ErrorKind, FailedPrecondition, LogClient, Position, Result, Version,
};

use crate::entry::codec::{self, Codec};
use crate::entry::key::{Key, decode_key, encode_key};
use crate::read::barrier::Barrier;
use crate::replica::Replica;
use crate::replica::state::State;
use crate::write::attempt::{Basis, Outcome};
use crate::write::committer::Committer;
use crate::write::draft::{Draft, Stands};
use crate::write::expected::Expected;
use crate::write::replicas::Replicas;
use crate::write::wanted_keys::WantedKeys;
use crate::write::write_set::WriteSet;
use crate::write::writing::end;
use crate::write::written::Written;

/// The writing side of one map.
pub(crate) struct Writer<K, V> {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) replica: Arc<Replica<K, V>>,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) wanted: Arc<WantedKeys>,
}

/// Writes of one key, each within the time it may take in all.
impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Writes whatever stands there.
    pub(crate) async fn put(
        &self,
        bound: Duration,
        key: &K,
        value: V,
        is_detached: bool,
    ) -> Result<Written> {
        let text = self.encode_key(key)?;
        if let (false, Some(session)) = (is_detached, self.wanted.session_of(&text)) {
            let basis = Basis::Nothing;
            let put = self.put_leased(bound, &session, key, &value, basis, false);
            return put.await;
        }
        let draft = self.draft(&text, &value, is_detached)?;
        let set = self.over_what_stands(key, text, draft);
        let mut committer = self.committer(bound);
        let (position, set) = self.write(&mut committer, set, Basis::Nothing).await?;
        Ok(Written::new(position, &set))
    }

    /// Deletes whatever stands there.
    pub(crate) async fn delete(&self, bound: Duration, key: &K) -> Result<Written> {
        let text = self.encode_key(key)?;
        let set = self.over_what_stands(key, text, Draft::Delete);
        let mut committer = self.committer(bound);
        let (position, set) = self.write(&mut committer, set, Basis::Nothing).await?;
        Ok(Written::new(position, &set))
    }

    /// Writes if the key holds what is expected.
    pub(crate) async fn put_if(
        &self,
        bound: Duration,
        key: &K,
        value: &V,
        expected: Expected,
    ) -> Result<Written> {
        let text = self.encode_key(key)?;
        let draft = self.draft(&text, value, false)?;
        self.write_if(bound, key, text, draft, expected).await
    }

    /// Deletes if the key holds what is expected.
    pub(crate) async fn delete_if(
        &self,
        bound: Duration,
        key: &K,
        expected: Expected,
    ) -> Result<Written> {
        let text = self.encode_key(key)?;
        self.write_if(bound, key, text, Draft::Delete, expected)
            .await
    }

    async fn write_if(
        &self,
        bound: Duration,
        key: &K,
        text: Bytes,
        draft: Draft,
        expected: Expected,
    ) -> Result<Written> {
        let mut committer = self.committer(bound);
        let (life, stands) = match expected {
            Expected::Present => {
                let set = self.over_what_stands(key, text, draft);
                return self.write_if_present(&mut committer, set).await;
            }
            Expected::Absent => (None, Stands::Nothing),
            Expected::At(version) => {
                let stands = match draft {
                    Draft::Delete => Stands::Record(version.revision(), None),
                    _ => self.stands_at(&committer, &text, key, version).await?,
                };
                (Some(version.epoch()), stands)
            }
        };
        let set = WriteSet::one(life, text, stands, draft);
        let (position, set) = self.write(&mut committer, set, Basis::Exactly).await?;
        Ok(Written::new(position, &set))
    }

    /// Writes over whatever stands there, if anything does.
    async fn write_if_present(
        &self,
        committer: &mut Committer<'_>,
        mut set: WriteSet,
    ) -> Result<Written> {
        loop {
            if set.standing() == 0 {
                // This replica may only be behind: the log tells.
                self.find(committer, &mut set).await?;
            } else if let Some(position) =
                self.attempt(committer, &mut set, Basis::Presence).await?
            {
                return Ok(Written::new(position, &set));
            }
        }
    }

    /// Guards writes by what the log finds where nothing is known to stand; a conflict when there is nothing.
    async fn find(&self, committer: &mut Committer<'_>, set: &mut WriteSet) -> Result<()> {
        let nothing_stands = set.comparison();
        let position = match self
            .commit(committer, &nothing_stands, Basis::Presence)
            .await
        {
            Ok(Outcome::Overtaken(conflict)) => {
                set.guard_by(&conflict);
                return Ok(());
            }
            Ok(Outcome::OtherLife) => {
                self.guard_by_what_stands(set);
                return Ok(());
            }
            // Nothing was written there, so nothing is behind.
            Err(error) => match *error.kind() {
                ErrorKind::Behind(position) => position,
                _ => return Err(error),
            },
            Ok(Outcome::Committed(position)) => position,
        };
        let keyspace = self.replica.keyspace();
        let failed = set.writes.keys();
        let failed = failed.map(|key| FailedPrecondition::new(keyspace.clone(), key.clone(), None));
        Err(Error::conflict(Conflict::new(position, failed.collect())))
    }
}

/// Writes of one map on their way to the log.
impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// For one write, which may take so long in all.
    pub(crate) fn committer(&self, bound: Duration) -> Committer<'_> {
        Committer::new(&self.log, bound)
    }

    /// Commits writes, however many attempts it takes; where, and with which guards.
    pub(crate) async fn write(
        &self,
        committer: &mut Committer<'_>,
        mut set: WriteSet,
        basis: Basis,
    ) -> Result<(Position, WriteSet)> {
        loop {
            if let Some(position) = self.attempt(committer, &mut set, basis).await? {
                return Ok((position, set));
            }
        }
    }

    /// One attempt at it; otherwise their guards are newer.
    async fn attempt(
        &self,
        committer: &mut Committer<'_>,
        set: &mut WriteSet,
        basis: Basis,
    ) -> Result<Option<Position>> {
        match self.commit(committer, set, basis).await? {
            Outcome::Committed(position) => return Ok(Some(position)),
            Outcome::Overtaken(conflict) => set.guard_by(&conflict),
            Outcome::OtherLife => self.guard_by_what_stands(set),
        }
        Ok(None)
    }

    /// Hands a set of guarded writes of this map over to be committed, as one transaction of its own. Whether it is sent together
    /// with those of other callers is the log's to decide: what is given up has to be closed before a later write of this
    /// process is acknowledged, and only the log can do that.
    pub(crate) async fn commit(
        &self,
        committer: &mut Committer<'_>,
        set: &WriteSet,
        basis: Basis,
    ) -> Result<Outcome> {
        let sent = self.commit_staying(committer, set, basis).await?;
        Ok(sent.0)
    }

    /// As [`Writer::commit`]; and what was sent instead of the set, so that a key stays with its session.
    pub(crate) async fn commit_staying(
        &self,
        committer: &mut Committer<'_>,
        set: &WriteSet,
        basis: Basis,
    ) -> Result<(Outcome, Option<WriteSet>)> {
        loop {
            let Some(mut announced) = self.announced(committer, set, basis).await? else {
                return Ok((Outcome::OtherLife, None));
            };
            let sent = announced.staying.as_ref().unwrap_or(set);
            let outcome = self.send(committer, sent, basis).await;
            end(std::mem::take(&mut announced.writings), &outcome);
            match outcome {
                // Its caller named no lease: it goes on under the next.
                Err(error) if *error.kind() == ErrorKind::LeaseLost && announced.doubts() => {
                    if !committer.pause().await {
                        return Err(error);
                    }
                }
                outcome => return Ok((outcome?, announced.staying)),
            }
        }
    }

    /// Waits for others of this process that lost before and touch the same; whether it had to, and is not sent after all.
    pub(crate) async fn gives_way(&self, committer: &mut Committer<'_>, set: &WriteSet) -> bool {
        if !self.replica.lanes().is_taken(set.writes.keys()) {
            return false;
        }
        let replicas: Replicas = vec![Arc::clone(&self.replica) as _];
        let transaction = set.transaction(self.replica.keyspace());
        committer.gives_way(&replicas, &transaction).await
    }

    /// As [`Writer::commit`], of writes that no session has to hear of.
    pub(crate) async fn send(
        &self,
        committer: &mut Committer<'_>,
        set: &WriteSet,
        basis: Basis,
    ) -> Result<Outcome> {
        let replicas: Replicas = vec![Arc::clone(&self.replica) as _];
        let transaction = set.transaction(self.replica.keyspace());
        committer.commit(&replicas, &transaction, basis).await
    }
}

/// What is known to stand at a key.
impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// A write guarded by what stands here. It keeps nothing of the map.
    fn over_what_stands(&self, key: &K, text: Bytes, draft: Draft) -> WriteSet {
        let state = self.replica.state();
        let stands = self.known(&state, &text, key);
        WriteSet::one(state.epoch(), text, stands, draft)
    }

    /// Guards writes by what stands here now, in the life of the log it is from.
    fn guard_by_what_stands(&self, set: &mut WriteSet) {
        let state = self.replica.state();
        set.life = state.epoch();
        for (text, guarded) in set.writes.iter_mut() {
            guarded.stands = match decode_key::<K>(text) {
                Ok(key) => self.known(&state, text, &key),
                Err(_) => {
                    let bad = state.quarantine.get(text);
                    bad.map_or(Stands::Nothing, Stands::bad)
                }
            };
        }
    }

    /// What a state knows to stand at a key.
    pub(crate) fn known(&self, state: &State<K, V>, text: &Bytes, key: &K) -> Stands {
        if let Some(bad) = state.quarantine.get(text) {
            return Stands::bad(bad);
        }
        let entry = state.entries.get(key);
        entry.map_or(Stands::Nothing, Stands::entry)
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
        let barrier = Barrier {
            log: &self.log,
            replica: &self.replica,
            deadline: committer.deadline,
        };
        let seen = barrier.at_least(version.position()).await;
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
}

/// What is sent.
impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
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

    pub(crate) fn name(&self, text: &Bytes) -> String {
        format!(
            "{}/{}",
            self.replica.keyspace(),
            String::from_utf8_lossy(text)
        )
    }
}
