//! A snapshot on its way in, or a difference: compared with what stands, page by page, and published as one exact difference.
//!
//! Nothing of it is seen before all of it is there, and it never talks to the log.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use globe_log_client::{Bytes, Change, Position, Record, Revision, Version};
use tokio::time::Instant;

use crate::entry::Entry;
use crate::entry::change::ResyncReason;
use crate::entry::key::{Key, decode_key};
use crate::entry::quarantine::LastGood;
use crate::follow::applier::{Applier, delete};
use crate::follow::decoder::is_written_otherwise;
use crate::follow::door::{Refusal, check_order, check_record, not_known};
use crate::follow::staged::Staged;
use crate::ground::pace::Pace;
use crate::replica::state::State;

pub(crate) struct Installation<K, V> {
    pub(crate) staged: Staged<K, V>,
    hasher: RandomState,
    /// The hashes of the keys that stood before and are in the snapshot: a million keys of their own would take long to
    /// make and to free.
    seen: Vec<u64>,
    last_key: Option<Bytes>,
    is_first: bool,
    /// What stands is of another life of the log, be it one of the same name.
    is_other_life: bool,
    /// It says only what has changed: whatever it does not name stands.
    is_difference: bool,
    /// Whose key is equal to another's, but written otherwise: only when all is there it is known which of them is shown.
    pub(crate) rivals: Vec<(Arc<K>, Record)>,
    pub(crate) before: Arc<State<K, V>>,
    /// A record that should have been delivered long ago.
    missed: Option<String>,
    lost: Vec<Lost<K>>,
}

/// A bad record whose last good value this node may not have seen: the log's history may tell.
pub(crate) struct Lost<K> {
    pub(crate) key: Arc<K>,
    /// The key in the log.
    pub(crate) text: Bytes,
    /// The write that is bad.
    pub(crate) written: Revision,
}

/// What a record of a page has become.
type News<K, V> = (Arc<K>, Entry<V>, Record);

impl<K, V> Installation<K, V> {
    pub(crate) fn position(&self) -> Position {
        self.staged.state.position
    }

    /// Why the snapshot was taken.
    pub(crate) fn reason(&self) -> ResyncReason {
        self.staged.state.resync_reason
    }

    /// The bad records whose last good value is to be looked up, of which there are at most so many.
    pub(crate) fn take_lost(&mut self, most: usize) -> Vec<Lost<K>> {
        let mut lost = std::mem::take(&mut self.lost);
        lost.truncate(most);
        lost
    }

    /// The same for a log that says only what has changed since what stands.
    pub(crate) fn of_changes(mut self) -> Installation<K, V> {
        self.is_difference = true;
        self.staged.state.quarantine = self.before.quarantine.clone();
        self
    }

    /// Whether all that is there has to be known, to tell which of some records with equal keys is shown.
    pub(crate) fn lacks_the_rest(&self) -> bool {
        self.is_difference && !self.rivals.is_empty()
    }

    fn is_same_life(&self) -> bool {
        !self.is_first && !self.is_other_life
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
        let now = self.replica().state();
        let is_first = self.replica().position().is_none();
        if self.is_past(position) && !may_go_back {
            return Err(Refusal::Violation(format!(
                "a snapshot at revision {} is older than the applied revision {} of the same epoch",
                position.revision, now.position.revision
            )));
        }
        let mut staged = Staged::after(&now);
        staged.state.position = position;
        // Of what a snapshot shows it is not known since when it stood.
        staged.state.since = position.revision;
        staged.state.resyncs += 1;
        staged.state.resync_reason = reason;
        let is_other_life =
            now.position.epoch != position.epoch || reason == ResyncReason::EpochChanged;
        if !is_first && is_other_life {
            staged.state.moved = Some(Instant::now());
        }
        staged.state.quarantine.clear();
        Ok(Installation {
            staged,
            hasher: RandomState::new(),
            seen: Vec::new(),
            last_key: None,
            is_first,
            is_other_life,
            is_difference: false,
            rivals: Vec::new(),
            before: now,
            missed: None,
            lost: Vec::new(),
        })
    }

    /// Takes in one page of a snapshot.
    pub(crate) async fn page(
        &mut self,
        install: &mut Installation<K, V>,
        page: Vec<Change>,
    ) -> Result<(), Refusal> {
        let mut news = Vec::with_capacity(page.len());
        let mut pace = Pace::new();
        let at = install.position().revision;
        for change in page {
            let last = install.last_key.replace(change.key().clone());
            match change {
                Change::Put(record) => {
                    check_record(&record, last.as_deref(), at)?;
                    self.read(install, &mut news, record)?;
                }
                Change::Delete { key, .. } if install.is_difference => {
                    check_order(&key, last.as_deref())?;
                    delete(&mut install.staged, &key);
                }
                unknown => return Err(not_known(&unknown)),
            }
            pace.step().await;
        }
        // Only now: what this makes would otherwise lie between the keys and the values, which a look-up finds faster side by
        // side.
        if install.is_continued_by(&news, &mut pace).await {
            let run = news.into_iter().map(|(key, entry, _)| (key, entry));
            install.staged.append(run, &mut pace).await;
            return Ok(());
        }
        for (key, entry, record) in news {
            if is_written_otherwise(&install.staged.state, &key, &record.key) {
                install.rivals.push((key, record));
            } else {
                install.staged.put(key, entry);
                if install.is_difference {
                    install.staged.let_in(&record.key);
                }
            }
            pace.step().await;
        }
        Ok(())
    }

    /// Decodes a record of a snapshot, unless that very write is there already.
    fn read(
        &mut self,
        install: &mut Installation<K, V>,
        news: &mut Vec<News<K, V>>,
        record: Record,
    ) -> Result<(), Refusal> {
        let epoch = install.position().epoch;
        let key = match decode_key::<K>(&record.key) {
            Ok(key) => key,
            Err(reason) => {
                let staged = &mut install.staged;
                return self
                    .decoder
                    .keep_out(staged, &record, &reason, LastGood::None);
            }
        };
        if is_written_otherwise(&install.before, &key, &record.key) {
            install.rivals.push((Arc::new(key), record));
            return Ok(());
        }
        let key = install.before.entries.share(key);
        if install.keep_same(&key, &record) {
            return Ok(());
        }
        install.notice_missed(&record);
        match self.decoder.entry(&record, epoch) {
            Ok(entry) => {
                news.push((key, entry, record));
                Ok(())
            }
            Err(reason) => self.read_bad(install, key, &record, &reason),
        }
    }

    /// Keeps a record of a snapshot out, and what stood before in its place, if that is of the same key in the same life.
    pub(crate) fn read_bad(
        &mut self,
        install: &mut Installation<K, V>,
        key: Arc<K>,
        record: &Record,
        reason: &str,
    ) -> Result<(), Refusal> {
        if let Some(last_good) = install.keep_same_bad(record) {
            if last_good == LastGood::Forgotten {
                // The log was not asked yet, if what stands is a copy from the disk.
                install.look_up(key, record);
            }
            return Ok(());
        }
        let is_new = record.created == record.modified;
        let last_good = match install.keep_last_good(&key, record) {
            Some(own) => LastGood::Seen(own),
            None if is_new => LastGood::None,
            None => LastGood::Forgotten,
        };
        let staged = &mut install.staged;
        self.decoder.keep_out(staged, record, reason, last_good)?;
        if !is_new {
            install.look_up(key, record);
        }
        Ok(())
    }

    /// Publishes a snapshot, as the exact difference to what stood before, unless the guard withholds that. Says what it showed
    /// that should have been delivered long ago, if anything.
    pub(crate) async fn finish(&mut self, mut install: Installation<K, V>) -> Option<String> {
        let is_whole = install.remove_gone().await;
        let Installation {
            staged,
            missed,
            before,
            ..
        } = install;
        // Whoever lets go of it last frees it: that is to be the publication, which knows where.
        drop(before);
        let kept_out = self.show_anew(staged).await;
        self.decoder.sum_up_snapshot(kept_out);
        if !is_whole {
            // Of a key that is gone, the entry still stands: the next snapshot is compared by other hashes.
            self.replica().doubt();
        }
        missed
    }
}

impl<K: Key, V> Installation<K, V> {
    /// Whether all that a page brings stands behind all that is there, in its order: so nothing of it is equal to anything.
    async fn is_continued_by(&self, news: &[News<K, V>], pace: &mut Pace) -> bool {
        if self.is_difference {
            return false;
        }
        let mut last = self.staged.state.entries.last_key();
        for (key, ..) in news {
            if last.is_some_and(|last| *last >= **key) {
                return false;
            }
            last = Some(&**key);
            pace.step().await;
        }
        true
    }

    /// Keeps what stood before at a key, if a record is that very write: then it need not be decoded again. Whether it is.
    fn keep_same(&mut self, key: &Arc<K>, record: &Record) -> bool {
        let Some(entry) = self.before.entries.get(&**key) else {
            return false;
        };
        self.seen.push(self.hasher.hash_one(key));
        let is_same = entry.is_from(record);
        if is_same && !self.is_same_life() {
            let entry = entry.in_life(self.position().epoch);
            self.staged.state.entries.insert(Arc::clone(key), entry);
        }
        is_same
    }

    /// What was good before a bad record is to be looked up.
    fn look_up(&mut self, key: Arc<K>, record: &Record) {
        let (text, written) = (record.key.clone(), record.modified);
        self.lost.push(Lost { key, text, written });
    }

    /// Keeps a bad record as it was listed before, if it is the same write in the same life: what is shown in its place.
    pub(crate) fn keep_same_bad(&mut self, record: &Record) -> Option<LastGood> {
        let bad = self.before.quarantine.get(&record.key);
        let same =
            bad.filter(|bad| self.is_same_life() && bad.version.revision() == record.modified)?;
        self.staged.keep_out(same.clone());
        Some(same.last_good)
    }

    /// Keeps what stood before at the key of a bad record, if it is of the same key in the same life: which version that is.
    fn keep_last_good(&mut self, key: &K, record: &Record) -> Option<Version> {
        if is_written_otherwise(&self.before, key, &record.key) {
            return None;
        }
        let good = self.before.entries.get(key);
        let own = good.filter(|good| self.is_same_life() && good.is_created_by(record));
        if good.is_some() && own.is_none() {
            self.staged.remove(key);
        }
        own.map(Entry::version)
    }

    /// Removes what stood before and is not in the snapshot. Counting tells whether there is anything to look for, and
    /// whether all of it was found: false when two keys have one hash, which another snapshot mends.
    async fn remove_gone(&mut self) -> bool {
        if self.is_difference {
            return true;
        }
        let before = Arc::clone(&self.before);
        let gone = before.entries.len().saturating_sub(self.seen.len());
        if gone == 0 {
            return true;
        }
        let seen = self.seen().await;
        let mut pace = Pace::new();
        let mut found = 0;
        for (key, _) in before.entries.iter() {
            if !seen.contains(&self.hasher.hash_one(key)) {
                self.staged.remove(key);
                found += 1;
            }
            pace.step().await;
        }
        found == gone
    }

    /// The hashes of the keys that stood before and are in the snapshot.
    pub(crate) async fn seen(&self) -> HashSet<u64> {
        let mut pace = Pace::new();
        let mut seen = HashSet::with_capacity(self.seen.len());
        for hash in &self.seen {
            seen.insert(*hash);
            pace.step().await;
        }
        seen
    }

    pub(crate) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Takes out what stood before at a key, because its record is gone.
    pub(crate) fn give_way(&mut self, key: &K) {
        self.staged.remove(key);
        self.seen.push(self.hash(key));
    }

    /// Notices a record that is news although it was written before what was applied: it should have been delivered.
    pub(crate) fn notice_missed(&mut self, record: &Record) {
        let applied = self.before.position;
        let is_old = record.modified <= applied.revision
            && !self.before.quarantine.contains_key(&record.key);
        if is_old && self.is_same_life() {
            let key = String::from_utf8_lossy(&record.key);
            let written = record.modified;
            self.missed = Some(format!(
                "the write of {key:?} at revision {written} was never delivered"
            ));
        }
    }
}
