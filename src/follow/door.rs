//! The door: what the log delivers is checked before it touches anything.
//!
//! It never decodes a value, and never mends anything: what it refuses is healed by a resync.

use std::collections::HashSet;

use globe_log_client::{Batch, Bytes, Change, Error, Record, Revision};

use crate::entry::key::Key;
use crate::replica::state::State;

/// Why a batch or a snapshot was not applied.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The log delivered what its contract forbids.
    Violation(String),
    /// A record cannot be decoded, and the map is strict.
    Undecodable(Error),
}

/// What a change of a key is checked for: that it follows on what is known of the key. One that does not shows that
/// something before it was never delivered.
pub(crate) fn continues<K: Key, V>(
    known: &State<K, V>,
    key: &K,
    record: &Record,
) -> Result<(), Refusal> {
    if known.quarantine.contains_key(&record.key) {
        return Ok(());
    }
    let is_new = record.created == record.modified;
    let follows = match known.entries.get(key) {
        Some(entry) => entry.is_created_by(record),
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
pub(crate) fn check(batch: &Batch, applied: Revision) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::Violation(why));
    let revision = batch.revision;
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
    if let Some(key) = twice(&batch.changes) {
        let key = String::from_utf8_lossy(key);
        return refuse(format!(
            "the batch of revision {revision} holds the key {key:?} twice"
        ));
    }
    for change in &batch.changes {
        match change {
            Change::Put(record) if record.modified != revision || record.created > revision => {
                return refuse(format!(
                    "the batch of revision {revision} holds a record modified at {} and created at {}",
                    record.modified, record.created
                ));
            }
            Change::Put(_) | Change::Delete { .. } => {}
            unknown => return Err(not_known(unknown)),
        }
    }
    Ok(())
}

/// A key that several of these change.
fn twice(changes: &[Change]) -> Option<&Bytes> {
    // One cannot, and mostly there is but one.
    let [_, _, ..] = changes else {
        return None;
    };
    let mut keys = HashSet::with_capacity(changes.len());
    let mut all = changes.iter().map(Change::key);
    all.find(|key| !keys.insert(*key))
}

/// A change of a kind that this build does not know, as a log may deliver that is newer.
pub(crate) fn not_known(change: &Change) -> Refusal {
    let key = String::from_utf8_lossy(change.key());
    Refusal::Violation(format!(
        "the log delivered a change of the key {key:?} that this build does not know"
    ))
}

/// What a record of a snapshot is checked for: that it comes after the last one, and was written by then.
pub(crate) fn check_record(
    record: &Record,
    last_key: Option<&[u8]>,
    snapshot: Revision,
) -> Result<(), Refusal> {
    check_order(&record.key, last_key)?;
    if record.modified > snapshot || record.created > record.modified {
        return Err(Refusal::Violation(format!(
            "a record of a snapshot at revision {snapshot} was modified at {} and created at {}",
            record.modified, record.created
        )));
    }
    Ok(())
}

/// What each key of a snapshot, or of a difference, is checked for.
pub(crate) fn check_order(key: &[u8], last_key: Option<&[u8]>) -> Result<(), Refusal> {
    if last_key.is_some_and(|last| last >= key) {
        let key = String::from_utf8_lossy(key);
        return Err(Refusal::Violation(format!(
            "the key {key:?} of a snapshot is out of order"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static str, created: u64, modified: u64) -> Change {
        Change::Put(Record::new(key, "", Revision(created), Revision(modified)))
    }

    #[test]
    fn a_batch_the_contract_forbids_is_refused_at_the_door() {
        let at = |revision, changes| Batch::new(Revision(revision), changes);
        let verdict = |batch| check(&batch, Revision(7)).is_ok();
        let gone = || Change::delete("a");

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
