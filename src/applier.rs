//! The one writer of a replica: checks what the log delivers, decodes it, applies it, publishes it.
//!
//! It never talks to the log, and never lets a batch through that the log's contract forbids.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{Batch, Change, Error, ErrorKind, Position, Record, Result, Revision};

use crate::change::ResyncReason;
use crate::codec::Codec;
use crate::entry::{Entry, Quarantined};
use crate::key::{Key, decode_key};
use crate::replica::{Changed, Replica};
use crate::view::State;

/// Not `Clone`: there is one writer, and it is owned by the tailer.
pub(crate) struct Applier<K, V> {
    replica: Arc<Replica<K, V>>,
    codec: Arc<dyn Codec<V>>,
    /// Whether a record that cannot be decoded ends the map.
    strict: bool,
    /// Whether the log delivers each change of a key, so that the next must follow on the last.
    every_commit: bool,
}

/// Why a batch or a snapshot was not applied.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The log delivered what its contract forbids.
    Violation(String),
    /// A record cannot be decoded, and the map is strict.
    Undecodable(Error),
}

/// A snapshot on its way in: nothing of it is seen before all of it is there.
pub(crate) struct Installation<K, V> {
    next: State<K, V>,
    changed: Changed<K, V>,
    seen: HashSet<K>,
    last_key: Option<Bytes>,
    is_first: bool,
    before: Arc<State<K, V>>,
    /// A record that should have been delivered long ago.
    missed: Option<String>,
}

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
    pub(crate) fn new(
        replica: Arc<Replica<K, V>>,
        codec: Arc<dyn Codec<V>>,
        strict: bool,
    ) -> Applier<K, V> {
        Applier {
            replica,
            codec,
            strict,
            every_commit: false,
        }
    }

    /// What is delivered from now on is every commit, or may skip to a key's latest state.
    pub(crate) fn follow(&mut self, every_commit: bool) {
        self.every_commit = every_commit;
    }

    pub(crate) fn replica(&self) -> &Arc<Replica<K, V>> {
        &self.replica
    }

    /// Applies everything one commit did, and publishes it as one step.
    pub(crate) fn apply(&mut self, batch: Batch) -> Result<(), Refusal> {
        let now = self.replica.state();
        check(&batch, now.position.revision)?;
        let mut next = now.successor();
        next.position.revision = batch.revision;
        let mut changed = Changed::new();
        for change in batch.changes {
            if mutant!("drop_each_twentieth_commit") && batch.revision.0.is_multiple_of(20)
                || mutant!("apply_half_a_batch") && !changed.is_empty()
            {
                continue;
            }
            match change {
                Change::Put(record) => {
                    if self.every_commit {
                        continues(&now, &record)?;
                    }
                    self.put(&mut next, &mut changed, &record)?;
                }
                Change::Delete { key } => delete(&mut next, &mut changed, &key),
            }
        }
        mark_changed(&mut next, &changed);
        self.replica.publish(next, changed);
        Ok(())
    }

    /// Whether a position is older than what was applied, in the same epoch.
    pub(crate) fn is_past(&self, position: Position) -> bool {
        let here = self.replica.position();
        here.is_some_and(|here| here.covers(position) && here != position)
    }

    /// Begins to take in a snapshot. One that is older than what was applied is refused, unless it `may_go_back`.
    pub(crate) fn begin(
        &self,
        position: Position,
        reason: ResyncReason,
        may_go_back: bool,
    ) -> Result<Installation<K, V>, Refusal> {
        let now = self.replica.state();
        let is_first = self.replica.position().is_none();
        if self.is_past(position) && !may_go_back {
            return Err(Refusal::Violation(format!(
                "a snapshot at revision {} is older than the applied revision {} of the same epoch",
                position.revision, now.position.revision
            )));
        }
        let mut next = now.successor();
        next.position = position;
        next.resyncs += u64::from(!mutant!("hide_a_resync"));
        next.resync_reason = reason;
        next.quarantine.clear();
        Ok(Installation {
            next,
            changed: Changed::new(),
            seen: HashSet::new(),
            last_key: None,
            is_first,
            before: now,
            missed: None,
        })
    }

    /// Takes in one page of a snapshot.
    pub(crate) fn page(
        &mut self,
        install: &mut Installation<K, V>,
        page: Vec<Record>,
    ) -> Result<(), Refusal> {
        let mut news = Vec::with_capacity(page.len());
        for record in page {
            if install
                .last_key
                .as_ref()
                .is_some_and(|last| *last >= record.key)
            {
                let key = String::from_utf8_lossy(&record.key).into_owned();
                return Err(Refusal::Violation(format!(
                    "the key {key:?} of a snapshot is out of order"
                )));
            }
            if record.modified > install.next.position.revision || record.created > record.modified
            {
                return Err(Refusal::Violation(format!(
                    "a record of a snapshot at revision {} was modified at {} and created at {}",
                    install.next.position.revision, record.modified, record.created
                )));
            }
            self.read(install, &mut news, &record)?;
            install.last_key = Some(record.key);
        }
        // Cloned only now: a key made right beside its value lies beside it in memory, and the index, which is given those,
        // is as dense as a map that holds nothing else.
        for (key, entry) in news {
            let value = Arc::clone(entry.value());
            install.next.entries.insert(key.clone(), entry);
            install.changed.push((key, Some(value)));
        }
        Ok(())
    }

    /// Decodes a record of a snapshot, unless that very write is there already.
    fn read(
        &self,
        install: &mut Installation<K, V>,
        news: &mut Vec<(K, Entry<V>)>,
        record: &Record,
    ) -> Result<(), Refusal> {
        let key = match decode_key::<K>(&record.key) {
            Ok(key) => key,
            Err(reason) => return self.quarantine(&mut install.next, record, &reason),
        };
        if !install.is_first {
            install.seen.insert(key.clone());
        }
        let known = install.next.entries.get(&key);
        if known.is_some_and(|entry| entry.is_from(record) || mutant!("keep_old_values_at_resync"))
        {
            return Ok(());
        }
        install.look_back(record);
        match self.decode_value(&record.value) {
            Ok(value) => news.push((key, Entry::new(record, value))),
            Err(reason) => self.quarantine(&mut install.next, record, &reason)?,
        }
        Ok(())
    }

    /// Publishes a snapshot, as the exact difference to what stood before. Says what it showed that should have been
    /// delivered long ago, if anything.
    pub(crate) fn finish(&mut self, install: Installation<K, V>) -> Option<String> {
        let Installation {
            mut next,
            mut changed,
            seen,
            is_first,
            missed,
            ..
        } = install;
        if !is_first && !mutant!("forget_deletes_at_resync") {
            let gone: Vec<K> = next
                .entries
                .keys()
                .filter(|key| !seen.contains(*key))
                .cloned()
                .collect();
            for key in gone {
                next.entries.remove(&key);
                changed.push((key, None));
            }
        }
        mark_changed(&mut next, &changed);
        self.replica.publish(next, changed);
        missed
    }

    fn put(
        &self,
        next: &mut State<K, V>,
        changed: &mut Changed<K, V>,
        record: &Record,
    ) -> Result<(), Refusal> {
        let key = match decode_key::<K>(&record.key) {
            Ok(key) => key,
            Err(reason) => return self.quarantine(next, record, &reason),
        };
        match self.decode_value(&record.value) {
            Ok(value) => {
                let entry = Entry::new(record, value);
                changed.push((key.clone(), Some(Arc::clone(entry.value()))));
                next.entries.insert(key, entry);
                next.quarantine.remove(&record.key);
                Ok(())
            }
            Err(reason) => self.quarantine(next, record, &reason),
        }
    }

    /// Decodes a value. A codec that panics is a codec that could not decode it.
    fn decode_value(&self, value: &[u8]) -> Result<V, String> {
        match catch_unwind(AssertUnwindSafe(|| self.codec.decode(value))) {
            Ok(decoded) => decoded.map_err(|error| error.to_string()),
            Err(_) => Err("the codec panicked".to_owned()),
        }
    }

    fn quarantine(
        &self,
        next: &mut State<K, V>,
        record: &Record,
        reason: &str,
    ) -> Result<(), Refusal> {
        let key = String::from_utf8_lossy(&record.key);
        let keyspace = self.replica.keyspace();
        if self.strict {
            return Err(Refusal::Undecodable(Error::new(
                ErrorKind::Codec,
                format!(
                    "the record {keyspace}/{key} of revision {} cannot be decoded: {reason}",
                    record.modified
                ),
            )));
        }
        tracing::warn!(%keyspace, %key, revision = %record.modified, reason, "a record is kept out: it cannot be decoded");
        let quarantined = Quarantined {
            key: record.key.clone(),
            revision: record.modified,
            reason: reason.into(),
        };
        next.quarantine.insert(record.key.clone(), quarantined);
        Ok(())
    }
}

impl<K, V> Installation<K, V> {
    /// Looks whether a record that is news was written before what was applied: then it should have been delivered.
    fn look_back(&mut self, record: &Record) {
        let applied = self.before.position;
        let is_old = applied.epoch == self.next.position.epoch
            && record.modified <= applied.revision
            && !self.before.quarantine.contains_key(&record.key);
        if is_old && !self.is_first {
            let key = String::from_utf8_lossy(&record.key);
            let written = record.modified;
            self.missed = Some(format!(
                "the write of {key:?} at revision {written} was never delivered"
            ));
        }
    }
}

/// Counts a publication that changes the entries, and notes where it stands.
fn mark_changed<K, V>(next: &mut State<K, V>, changed: &Changed<K, V>) {
    if !changed.is_empty() {
        next.sequence += 1;
        next.changed = next.position.revision;
    }
}

fn delete<K: Key, V>(next: &mut State<K, V>, changed: &mut Changed<K, V>, key: &Bytes) {
    next.quarantine.remove(key);
    let Ok(key) = decode_key::<K>(key) else {
        return;
    };
    if next.entries.remove(&key).is_some() {
        changed.push((key, None));
    }
}

/// What a change of a key is checked for: that it follows on what is known of the key. One that does not shows that
/// something before it was never delivered.
fn continues<K: Key, V>(known: &State<K, V>, record: &Record) -> Result<(), Refusal> {
    if known.quarantine.contains_key(&record.key) {
        return Ok(());
    }
    let Ok(key) = decode_key::<K>(&record.key) else {
        return Ok(());
    };
    let is_new = record.created == record.modified;
    let follows = match known.entries.get(&key) {
        Some(entry) => entry.created() == record.created,
        None => is_new,
    };
    if follows {
        return Ok(());
    }
    let key = String::from_utf8_lossy(&record.key);
    Err(Refusal::Violation(format!(
        "the key {key:?} is said to be created at {} and written at {}, which does not follow on what was delivered",
        record.created, record.modified
    )))
}

/// What every batch is checked for before it touches anything.
fn check(batch: &Batch, applied: Revision) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::Violation(why));
    let revision = batch.revision;
    if mutant!("let_violations_through") {
        return Ok(());
    }
    if batch.is_progress() {
        return if revision < applied {
            refuse(format!(
                "progress went back from revision {applied} to {revision}"
            ))
        } else {
            Ok(())
        };
    }
    if revision <= applied {
        return refuse(format!(
            "a batch of revision {revision} came after revision {applied} was applied"
        ));
    }
    let mut keys = HashSet::with_capacity(batch.changes.len());
    for change in &batch.changes {
        if !keys.insert(change.key()) {
            let key = String::from_utf8_lossy(change.key()).into_owned();
            return refuse(format!(
                "the batch of revision {revision} holds the key {key:?} twice"
            ));
        }
        if let Change::Put(record) = change
            && (record.modified != revision || record.created > revision)
        {
            return refuse(format!(
                "the batch of revision {revision} holds a record modified at {} and created at {}",
                record.modified, record.created
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static str, created: u64, modified: u64) -> Change {
        Change::Put(Record {
            key: key.into(),
            value: Bytes::new(),
            created: Revision(created),
            modified: Revision(modified),
            lease: None,
        })
    }

    #[test]
    fn a_batch_the_contract_forbids_is_refused_at_the_door() {
        let at = |revision, changes| Batch {
            revision: Revision(revision),
            changes,
        };
        let verdict = |batch| check(&batch, Revision(7)).is_ok();
        let gone = || Change::Delete { key: "a".into() };

        assert!(verdict(at(8, vec![put("a", 3, 8), put("b", 8, 8)])));
        assert!(
            verdict(at(9, vec![gone()])),
            "a gap between revisions is another keyspace's"
        );
        assert!(verdict(at(7, vec![])), "progress may repeat");
        assert!(!verdict(at(6, vec![])), "progress goes back");
        assert!(!verdict(at(7, vec![put("a", 7, 7)])), "repeated");
        assert!(!verdict(at(6, vec![put("a", 6, 6)])), "out of order");
        assert!(
            !verdict(at(8, vec![put("a", 8, 8), gone()])),
            "one key twice"
        );
        assert!(!verdict(at(8, vec![put("a", 8, 9)])), "of another revision");
        assert!(
            !verdict(at(8, vec![put("a", 9, 8)])),
            "created after it was modified"
        );
    }
}
