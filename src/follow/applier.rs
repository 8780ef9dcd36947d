//! The one writer of a replica: applies what the log delivers, and publishes it.
//!
//! It never talks to the log, and never lets a batch through that the door refuses.

use std::sync::Arc;

use globe_log_client::{Batch, Bytes, Change, Position, Record};
use globe_offline::RecordedLog;
use tokio::time::Instant;

use crate::entry::codec::Decode;
use crate::entry::key::Key;
use crate::entry::quarantine::LastGood;
use crate::follow::decoder::{Decoder, key_beside};
use crate::follow::door::{Refusal, check, continues, not_known};
use crate::follow::held::Held;
use crate::follow::staged::Staged;
use crate::ground::pace::Pace;
use crate::replica::Replica;
use crate::replica::state::State;

/// Not `Clone`: there is one writer, and it is owned by the tailer.
pub(crate) struct Applier<K, V> {
    replica: Arc<Replica<K, V>>,
    pub(crate) decoder: Decoder<V>,
    /// Whether the log delivers each change of a key, so that the next must follow on the last.
    every_commit: bool,
    /// The copy on disk, which goes no further than what is shown.
    pub(crate) copy: Option<RecordedLog>,
    /// What the guard withholds.
    pub(crate) held: Option<Held<K, V>>,
    /// Whether a tail is open: the time of what is withheld runs only then.
    pub(crate) follows: bool,
}

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
    pub(crate) fn new(
        replica: Arc<Replica<K, V>>,
        codec: Arc<dyn Decode<V>>,
        strict: bool,
    ) -> Applier<K, V> {
        Applier {
            decoder: Decoder::new(replica.keyspace().clone(), codec, strict),
            replica,
            every_commit: false,
            copy: None,
            held: None,
            follows: false,
        }
    }

    /// As it is; and what is shown may become this copy, and nothing else.
    pub(crate) fn confirming(mut self, copy: Option<RecordedLog>) -> Applier<K, V> {
        self.copy = copy;
        self
    }

    /// The log is followed from now on, by what is every commit, or may skip to a key's latest state.
    pub(crate) fn follow(&mut self, every_commit: bool) {
        (self.every_commit, self.follows) = (every_commit, true);
        if let Some(held) = &mut self.held {
            held.wait.run(Instant::now());
        }
    }

    pub(crate) fn replica(&self) -> &Arc<Replica<K, V>> {
        &self.replica
    }

    /// Whether a position is older than what was applied, in the same epoch.
    pub(crate) fn is_past(&self, position: Position) -> bool {
        let here = self.replica.position();
        here.is_some_and(|here| here.covers(position) && here != position)
    }

    /// Applies everything one commit did, and publishes it as one step, unless the guard withholds that.
    pub(crate) async fn apply(&mut self, batch: Batch) -> Result<(), Refusal> {
        let now = self.newest();
        check(&batch, now.position.revision)?;
        let mut staged = Staged::after(&now);
        staged.state.position.revision = batch.revision;
        if !batch.is_progress() {
            staged.state.since = batch.revision;
        }
        let mut pace = Pace::new();
        for change in batch.changes {
            match change {
                Change::Put(record) => self.put(&now, &mut staged, &record)?,
                Change::Delete { key, .. } => delete(&mut staged, &key),
                // What it did to its key is not known, so what stands there is not either.
                unknown => return Err(not_known(&unknown)),
            }
            pace.step().await;
        }
        // Whoever lets go of it last frees it: that is to be the publication, which knows where.
        drop(now);
        let kept_out = self.show(staged).await;
        self.decoder.sum_up(kept_out);
        Ok(())
    }

    fn put(
        &mut self,
        now: &State<K, V>,
        staged: &mut Staged<K, V>,
        record: &Record,
    ) -> Result<(), Refusal> {
        let (reason, last_good) = match key_beside(&staged.state, &record.key) {
            Err(reason) => (reason, LastGood::None),
            Ok(key) => {
                if self.every_commit {
                    continues(now, &key, record)?;
                }
                match self.decoder.entry(record, now.position.epoch) {
                    Ok(entry) => {
                        staged.put(key, entry);
                        staged.let_in(&record.key);
                        return Ok(());
                    }
                    Err(reason) => (reason, shown_before(now, &key, record)),
                }
            }
        };
        self.decoder.keep_out(staged, record, &reason, last_good)
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

pub(crate) fn delete<K: Key, V>(staged: &mut Staged<K, V>, text: &Bytes) {
    staged.let_in(text);
    if let Ok(key) = key_beside(&staged.state, text) {
        staged.remove(&key);
    }
}
