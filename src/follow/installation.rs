//! A snapshot on its way in: compared with what stands, page by page, and published as the exact difference.
//!
//! Nothing of it is seen before all of it is there, and it never talks to the log.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use globe_log_client::{Bytes, Position, Record, Revision};

use crate::entry::Entry;
use crate::entry::change::ResyncReason;
use crate::entry::key::{Key, decode_key};
use crate::entry::quarantine::LastGood;
use crate::follow::applier::{Applier, is_written_otherwise, mark_changed};
use crate::follow::door::{Refusal, check_record};
use crate::ground::pace::Pace;
use crate::replica::Changed;
use crate::replica::state::State;

pub(crate) struct Installation<K, V> {
    next: State<K, V>,
    changed: Changed<K, V>,
    hasher: RandomState,
    /// The hashes of the keys that stood before and are in the snapshot: a million keys of their own would take long to
    /// make and to free.
    seen: Vec<u64>,
    last_key: Option<Bytes>,
    is_first: bool,
    /// A key is equal to one that stood before, but written otherwise: counting tells nothing then.
    is_odd: bool,
    before: Arc<State<K, V>>,
    /// A record that should have been delivered long ago.
    missed: Option<String>,
    lost: Vec<Lost<K>>,
}

/// A bad record whose last good value this node may not have seen: the log's history may tell.
pub(crate) struct Lost<K> {
    key: K,
    /// The key in the log.
    pub(crate) text: Bytes,
    /// The write that is bad.
    pub(crate) written: Revision,
}

/// What the history says of a bad record.
pub(crate) enum Recalled<V> {
    Good(Record, V),
    /// No good value stood there since the key was created.
    Never,
    Forgotten,
}

impl<K, V> Installation<K, V> {
    pub(crate) fn position(&self) -> Position {
        self.next.position
    }

    /// The bad records whose last good value is to be looked up, of which there are at most so many.
    pub(crate) fn take_lost(&mut self, most: usize) -> Vec<Lost<K>> {
        let mut lost = std::mem::take(&mut self.lost);
        lost.truncate(most);
        lost
    }

    fn is_same_life(&self) -> bool {
        self.before.position.epoch == self.next.position.epoch && !self.is_first
    }
}

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
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
        // Of what a snapshot shows it is not known since when it stood.
        next.since = position.revision;
        next.resyncs += u64::from(!mutant!("hide_a_resync"));
        next.resync_reason = reason;
        next.quarantine.clear();
        Ok(Installation {
            next,
            changed: Changed::new(),
            hasher: RandomState::new(),
            seen: Vec::new(),
            last_key: None,
            is_first,
            is_odd: false,
            before: now,
            missed: None,
            lost: Vec::new(),
        })
    }

    /// Takes in one page of a snapshot.
    pub(crate) async fn page(
        &mut self,
        install: &mut Installation<K, V>,
        page: Vec<Record>,
    ) -> Result<(), Refusal> {
        let mut news = Vec::with_capacity(page.len());
        let mut pace = Pace::new();
        for record in page {
            check_record(
                &record,
                install.last_key.as_deref(),
                install.next.position.revision,
            )?;
            self.read(install, &mut news, &record)?;
            install.last_key = Some(record.key);
            pace.step().await;
        }
        // Cloned only now: a key made right beside its value lies beside it in memory, and the index, which is given those,
        // is as dense as a map that holds nothing else.
        for (key, entry) in news {
            let value = Arc::clone(entry.value());
            install.next.entries.insert(key.clone(), entry);
            install.changed.push((key, Some(value)));
            pace.step().await;
        }
        Ok(())
    }

    /// Decodes a record of a snapshot, unless that very write is there already.
    fn read(
        &mut self,
        install: &mut Installation<K, V>,
        news: &mut Vec<(K, Entry<V>)>,
        record: &Record,
    ) -> Result<(), Refusal> {
        let key = match decode_key::<K>(&record.key) {
            Ok(key) => key,
            Err(reason) => {
                return self.keep_out(&mut install.next, record, &reason, LastGood::None);
            }
        };
        let before = Arc::clone(&install.before);
        let known = before.entries.get(&key);
        if known.is_some() {
            install.is_odd |= is_written_otherwise(&before, &key, &record.key);
            install.seen.push(install.hasher.hash_one(&key));
        }
        if let Some(entry) = known
            && (entry.is_from(record) || mutant!("keep_old_values_at_resync"))
        {
            if !install.is_same_life() {
                let entry = entry.in_life(install.next.position.epoch);
                install.next.entries.insert(key, entry);
            }
            return Ok(());
        }
        install.look_back(record);
        match self.decode_value(&record.value) {
            Ok(value) => {
                let epoch = install.next.position.epoch;
                news.push((key, Entry::new(record, epoch, value)));
                Ok(())
            }
            Err(reason) => self.read_bad(install, key, record, &reason),
        }
    }

    /// Keeps a record of a snapshot out, and what stood before in its place, if that is of the same key in the same life.
    fn read_bad(
        &mut self,
        install: &mut Installation<K, V>,
        key: K,
        record: &Record,
        reason: &str,
    ) -> Result<(), Refusal> {
        let before = Arc::clone(&install.before);
        let known_bad = before.quarantine.get(&record.key);
        let is_known = |version: Revision| install.is_same_life() && version == record.modified;
        if let Some(bad) = known_bad.filter(|bad| is_known(bad.version.revision())) {
            install
                .next
                .quarantine
                .insert(record.key.clone(), bad.clone());
            return Ok(());
        }
        let good = before.entries.get(&key);
        let own = good.filter(|good| {
            (install.is_same_life() && good.is_created_by(record)) || mutant!("keep_another_life")
        });
        if good.is_some() && own.is_none() {
            install.next.entries.remove(&key);
            install.changed.push((key.clone(), None));
        }
        let is_new = record.created == record.modified;
        let last_good = match own {
            Some(own) => LastGood::Seen(own.version()),
            None if is_new => LastGood::None,
            None => LastGood::Forgotten,
        };
        self.keep_out(&mut install.next, record, reason, last_good)?;
        if !is_new {
            let (text, written) = (record.key.clone(), record.modified);
            install.lost.push(Lost { key, text, written });
        }
        Ok(())
    }

    /// What the history says of a bad record of this snapshot: its last good value is shown, as on every other node.
    pub(crate) fn recall(
        &self,
        install: &mut Installation<K, V>,
        lost: Lost<K>,
        recalled: Recalled<V>,
    ) {
        let epoch = install.next.position.epoch;
        let last_good = match recalled {
            Recalled::Forgotten => return,
            Recalled::Never => {
                if install.next.entries.remove(&lost.key).is_some() {
                    install.changed.push((lost.key, None));
                }
                LastGood::None
            }
            Recalled::Good(record, value) => {
                let entry = Entry::new(&record, epoch, value);
                let version = entry.version();
                if install.next.entries.get(&lost.key) != Some(&entry) {
                    let value = Arc::clone(entry.value());
                    install.next.entries.insert(lost.key.clone(), entry);
                    install.changed.push((lost.key, Some(value)));
                }
                LastGood::Shown(version)
            }
        };
        if let Some(bad) = install.next.quarantine.get_mut(&lost.text) {
            bad.last_good = last_good;
        }
    }

    /// Publishes a snapshot, as the exact difference to what stood before. Says what it showed that should have been
    /// delivered long ago, if anything.
    pub(crate) async fn finish(&mut self, mut install: Installation<K, V>) -> Option<String> {
        let is_whole = mutant!("forget_deletes_at_resync") || install.remove_gone().await;
        let Installation {
            mut next,
            changed,
            missed,
            before,
            ..
        } = install;
        // Whoever lets go of it last frees it: that is to be the publication, which knows where.
        drop(before);
        let kept_out = next.quarantine.len();
        mark_changed(&mut next, &changed);
        self.replica.publish(next, changed).await;
        let keyspace = self.replica.keyspace();
        self.complaints.sum_up_snapshot(keyspace, kept_out);
        if !is_whole {
            // Of a key that is gone, the entry still stands: the next snapshot is compared by other hashes.
            self.replica.doubt().raise();
        }
        missed
    }
}

impl<K: Key, V> Installation<K, V> {
    /// Removes what stood before and is not in the snapshot. Counting tells whether there is anything to look for, and
    /// whether all of it was found: false when two keys have one hash, which another snapshot mends.
    async fn remove_gone(&mut self) -> bool {
        let before = Arc::clone(&self.before);
        let gone = before.entries.len().saturating_sub(self.seen.len());
        if gone == 0 && !self.is_odd {
            return true;
        }
        let mut pace = Pace::new();
        let mut seen = HashSet::with_capacity(self.seen.len());
        for hash in std::mem::take(&mut self.seen) {
            seen.insert(hash);
            pace.step().await;
        }
        let mut found = 0;
        for key in before.entries.keys() {
            if !seen.contains(&self.hasher.hash_one(key)) {
                self.next.entries.remove(key);
                self.changed.push((key.clone(), None));
                found += 1;
            }
            pace.step().await;
        }
        found == gone || self.is_odd
    }

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
