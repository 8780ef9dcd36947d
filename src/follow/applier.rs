//! The one writer of a replica: decodes what the log delivers, applies it, publishes it.
//!
//! It never talks to the log, and never lets a batch through that the door refuses.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use globe_log_client::{Batch, Bytes, Change, Error, ErrorKind, Position, Record, Version};

use crate::entry::Entry;
use crate::entry::codec::Decode;
use crate::entry::key::{Key, decode_key, is_written};
use crate::entry::quarantine::{LastGood, Quarantined};
use crate::follow::complaints::Complaints;
use crate::follow::door::{Refusal, check, continues};
use crate::ground::pace::Pace;
use crate::replica::state::State;
use crate::replica::{Changed, Replica};

/// Not `Clone`: there is one writer, and it is owned by the tailer.
pub(crate) struct Applier<K, V> {
    pub(crate) replica: Arc<Replica<K, V>>,
    codec: Arc<dyn Decode<V>>,
    /// Whether a record that cannot be decoded ends the map.
    strict: bool,
    /// Whether the log delivers each change of a key, so that the next must follow on the last.
    every_commit: bool,
    pub(crate) complaints: Complaints,
}

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
    pub(crate) fn new(
        replica: Arc<Replica<K, V>>,
        codec: Arc<dyn Decode<V>>,
        strict: bool,
    ) -> Applier<K, V> {
        Applier {
            replica,
            codec,
            strict,
            every_commit: false,
            complaints: Complaints::default(),
        }
    }

    /// What is delivered from now on is every commit, or may skip to a key's latest state.
    pub(crate) fn follow(&mut self, every_commit: bool) {
        self.every_commit = every_commit;
    }

    pub(crate) fn replica(&self) -> &Arc<Replica<K, V>> {
        &self.replica
    }

    /// Whether a position is older than what was applied, in the same epoch.
    pub(crate) fn is_past(&self, position: Position) -> bool {
        let here = self.replica.position();
        here.is_some_and(|here| here.covers(position) && here != position)
    }

    /// Applies everything one commit did, and publishes it as one step.
    pub(crate) async fn apply(&mut self, batch: Batch) -> Result<(), Refusal> {
        let now = self.replica.state();
        check(&batch, now.position.revision)?;
        let mut next = now.successor();
        next.position.revision = batch.revision;
        let mut changed = Changed::new();
        let mut pace = Pace::new();
        for change in batch.changes {
            if mutant!("drop_each_twentieth_commit") && batch.revision.0.is_multiple_of(20)
                || mutant!("apply_half_a_batch") && !changed.is_empty()
            {
                continue;
            }
            match change {
                Change::Put(record) => self.put(&now, &mut next, &mut changed, &record)?,
                Change::Delete { key } => delete(&mut next, &mut changed, &key),
            }
            pace.step().await;
        }
        // Whoever lets go of it last frees it: that is to be the publication, which knows where.
        drop(now);
        let kept_out = next.quarantine.len();
        mark_changed(&mut next, &changed);
        self.replica.publish(next, changed).await;
        self.complaints.sum_up(self.replica.keyspace(), kept_out);
        Ok(())
    }

    fn put(
        &mut self,
        now: &State<K, V>,
        next: &mut State<K, V>,
        changed: &mut Changed<K, V>,
        record: &Record,
    ) -> Result<(), Refusal> {
        let key = match decode_key::<K>(&record.key) {
            Ok(key) => key,
            Err(reason) => return self.keep_out(next, record, &reason, LastGood::None),
        };
        if is_written_otherwise(next, &key, &record.key) {
            let reason = "another record has an equal key that is written otherwise";
            return self.keep_out(next, record, reason, LastGood::None);
        }
        if self.every_commit {
            continues(now, &key, record)?;
        }
        let value = match self.decode_value(&record.value) {
            Ok(value) => value,
            Err(reason) => {
                let last_good = shown_before(now, &key, record);
                return self.keep_out(next, record, &reason, last_good);
            }
        };
        let entry = Entry::new(record, next.position.epoch, value);
        changed.push((key.clone(), Some(Arc::clone(entry.value()))));
        next.entries.insert(key, entry);
        next.quarantine.remove(&record.key);
        Ok(())
    }

    /// Decodes a value. A codec that panics is a codec that could not decode it.
    pub(crate) fn decode_value(&self, value: &[u8]) -> Result<V, String> {
        let decode = || {
            let decoded = self.codec.decode(value);
            decoded.map_err(|error| error.to_string())
        };
        match catch_unwind(AssertUnwindSafe(decode)) {
            Ok(decoded) => decoded,
            Err(_) => Err("the codec panicked".to_owned()),
        }
    }

    /// Keeps a record out of the map; or refuses it, under `strict`.
    pub(crate) fn keep_out(
        &mut self,
        next: &mut State<K, V>,
        record: &Record,
        reason: &str,
        last_good: LastGood,
    ) -> Result<(), Refusal> {
        let keyspace = self.replica.keyspace();
        if self.strict {
            let key = String::from_utf8_lossy(&record.key);
            return Err(Refusal::Undecodable(Error::new(
                ErrorKind::Codec,
                format!(
                    "the record {keyspace}/{key} of revision {} cannot be decoded: {reason}",
                    record.modified
                ),
            )));
        }
        let version = Version::new(next.position.epoch, record.modified);
        let bad = Quarantined::new(record, version, reason, last_good);
        self.complaints.of(keyspace, &bad);
        next.quarantine.insert(record.key.clone(), bad);
        Ok(())
    }
}

/// What a map that missed nothing shows in the place of a bad record that was just delivered.
fn shown_before<K: Key, V>(now: &State<K, V>, key: &K, record: &Record) -> LastGood {
    if let Some(bad) = now.quarantine.get(&record.key) {
        return bad.last_good;
    }
    let good = now.entries.get(key);
    good.map_or(LastGood::None, |good| LastGood::Shown(good.version()))
}

/// Counts a publication that changes the entries, and notes where it stands.
pub(crate) fn mark_changed<K, V>(next: &mut State<K, V>, changed: &Changed<K, V>) {
    if !changed.is_empty() {
        next.sequence += 1;
        next.changed = next.position.revision;
    }
}

fn delete<K: Key, V>(next: &mut State<K, V>, changed: &mut Changed<K, V>, text: &Bytes) {
    next.quarantine.remove(text);
    let Ok(key) = decode_key::<K>(text) else {
        return;
    };
    if is_written_otherwise(next, &key, text) {
        return;
    }
    if next.entries.remove(&key).is_some() {
        changed.push((key, None));
    }
}

/// Whether what stands at a key is a record whose key is equal, but written otherwise.
pub(crate) fn is_written_otherwise<K: Key, V>(state: &State<K, V>, key: &K, text: &[u8]) -> bool {
    let stands = state.entries.get_key_value(key);
    stands.is_some_and(|(stands, _)| !is_written(stands, text))
}
