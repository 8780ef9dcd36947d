//! A new value made of the old one, by a closure of the caller's.
//!
//! Nothing is locked meanwhile: it is computed again until nobody came in between.

use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{Error, ErrorKind, Position, Record, Result};

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::replica::state::State;
use crate::write::attempt::{Basis, Outcome};
use crate::write::write_set::{Draft, Stands, WriteSet};
use crate::write::writer::Writer;
use crate::write::written::{Edit, Updated};

/// What a closure decided, and what was committed of it.
struct Decided<V, D> {
    decision: D,
    /// The key as it stands in the log, and the bytes that were put.
    record: (Bytes, Bytes),
    old: Option<Entry<V>>,
    position: Position,
}

/// The entry that a put became: it goes on from the old one, and keeps its lease.
fn entry<V>(record: (Bytes, Bytes), old: Option<&Entry<V>>, at: Position, value: V) -> Entry<V> {
    let (key, bytes) = record;
    let created = old.map_or(at.revision, |old| old.created().revision());
    let record = Record::new(key, bytes, created, at.revision);
    let record = record.with_lease(old.and_then(Entry::lease));
    Entry::new(&record, at.epoch, value)
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
        let done = self.decide(bound, key, decide).await?;
        let (value, old) = (done.decision, done.old.as_ref());
        Ok(entry(done.record, old, done.position, value))
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
        let done = self.decide(bound, key, decide).await?;
        let (old, position) = (done.old, done.position);
        let replaced = old.is_some() && !matches!(done.decision, Edit::Keep);
        let entry = match done.decision {
            Edit::Keep => old,
            Edit::Delete => None,
            Edit::Put(value) => {
                let old = old.as_ref();
                Some(entry(done.record, old, position, value))
            }
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
    ) -> Result<Decided<V, D>, E> {
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
            let outcome = self.commit(&mut committer, &set, Basis::Read).await?;
            if let Outcome::Committed(position) = outcome {
                return Ok(Decided {
                    decision,
                    record,
                    old,
                    position,
                });
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
