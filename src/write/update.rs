//! A new value made of the old one, by a closure of the caller's.
//!
//! Nothing is locked in the log meanwhile: it is computed again until nobody came in between.

use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{Error, ErrorKind, LeaseId, Position, Record, Result};

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::replica::state::State;
use crate::write::attempt::{Basis, Outcome};
use crate::write::draft::{Draft, Stands};
use crate::write::write_set::WriteSet;
use crate::write::writer::Writer;
use crate::write::written::{Edit, Updated};

/// What was committed of what a closure decided.
struct Done<V> {
    /// The key as it stands in the log, and the bytes that were put.
    record: (Bytes, Bytes),
    /// The lease it was put under.
    lease: Option<LeaseId>,
    old: Option<Entry<V>>,
    position: Position,
}

impl<V> Done<V> {
    /// The entry that a put became: it goes on from the old one.
    fn entry(&self, value: V) -> Entry<V> {
        let (key, bytes) = self.record.clone();
        let (old, at) = (self.old.as_ref(), self.position);
        let created = old.map_or(at.revision, |old| old.created().revision());
        let record = Record::new(key, bytes, created, at.revision).with_lease(self.lease);
        Entry::new(&record, at.epoch, value)
    }
}

impl<K: Key, V: Send + Sync + 'static> Writer<K, V> {
    /// Replaces a value by what a closure makes of it.
    pub(crate) async fn update(
        &self,
        bound: Duration,
        key: &K,
        mut next: impl FnMut(Option<&V>) -> V,
    ) -> Result<Entry<V>> {
        let decide = |text: &Bytes, old: Option<&V>| {
            let value = next(old);
            let draft = self.draft(text, &value, false)?;
            Ok::<_, Error>((draft, value))
        };
        let (value, done) = self.decide(bound, key, decide).await?;
        Ok(done.entry(value))
    }

    /// Does what a closure decides on the old value.
    pub(crate) async fn try_update<E: From<Error>>(
        &self,
        bound: Duration,
        key: &K,
        mut next: impl FnMut(Option<&V>) -> Result<Edit<V>, E>,
    ) -> Result<Updated<V>, E> {
        let decide = |text: &Bytes, old: Option<&V>| {
            let edit = next(old)?;
            let draft = match &edit {
                Edit::Put(value) => self.draft(text, value, false)?,
                Edit::Delete => Draft::Delete,
                Edit::Keep => Draft::Keep,
            };
            Ok::<_, E>((draft, edit))
        };
        let (decision, done) = self.decide(bound, key, decide).await?;
        let replaced = done.old.is_some() && !matches!(decision, Edit::Keep);
        let position = done.position;
        let entry = match decision {
            Edit::Keep => done.old,
            Edit::Delete => None,
            Edit::Put(value) => Some(done.entry(value)),
        };
        Ok(Updated {
            position,
            entry,
            replaced,
        })
    }

    /// Asks a closure what to do, again and again until nobody came in between.
    async fn decide<D, E: From<Error>>(
        &self,
        bound: Duration,
        key: &K,
        mut decide: impl FnMut(&Bytes, Option<&V>) -> Result<(Draft, D), E>,
    ) -> Result<(D, Done<V>), E> {
        let mut committer = self.committer(bound);
        let text = self.encode_key(key)?;
        loop {
            let state = self.replica.state();
            self.check_is_good(&state, &text)?;
            let old = state.entries.get(key).cloned();
            let life = state.epoch();
            // What is under way keeps nothing of the map but this entry.
            drop(state);
            let stands = old.as_ref().map_or(Stands::Nothing, Stands::entry);
            let (draft, decision) = decide(&text, old.as_ref().map(|old| &**old.value()))?;
            let record = (text.clone(), draft.bytes());
            let set = WriteSet::one(life, text.clone(), stands, draft);
            if self.gives_way(&mut committer, &set).await {
                continue;
            }
            let sent = self.commit_staying(&mut committer, &set, Basis::Read);
            let (outcome, staying) = sent.await?;
            if let Outcome::Committed(position) = outcome {
                let lease = staying.as_ref().unwrap_or(&set).lease(&text);
                let done = Done {
                    record,
                    lease,
                    old,
                    position,
                };
                return Ok((decision, done));
            }
        }
    }

    /// Refuses what nothing can be decided on: a value that cannot be decoded.
    fn check_is_good(&self, state: &State<K, V>, text: &Bytes) -> Result<()> {
        let Some(bad) = state.quarantine.get(text) else {
            return Ok(());
        };
        let name = self.name(text);
        let why = format!(
            "{name} cannot be updated: its value cannot be decoded: {}",
            bad.reason
        );
        Err(Error::new(ErrorKind::Codec, why))
    }
}
