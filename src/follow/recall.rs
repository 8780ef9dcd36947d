//! What the history of the log says of bad records that this node came after: the last good value, which every node shows.
//!
//! It asks for so many records and versions at most, and what the log has forgotten stays forgotten.

use futures::stream::{self, StreamExt};
use globe_log_client::{Bytes, Epoch, LogClient, Position, Revision};

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::entry::quarantine::LastGood;
use crate::follow::applier::Applier;
use crate::follow::decoder::is_written_otherwise;
use crate::follow::fetching::answer;
use crate::follow::installation::{Installation, Lost};

/// Bad records of one snapshot whose history is asked for. A wrong codec makes all of them bad.
const RECORDS: usize = 64;
/// Of so many at once.
const AT_ONCE: usize = 8;
/// How many versions of a key are asked for, from the newest back, when one after the other is bad.
const VERSIONS: usize = 16;

/// What the history says of a bad record.
enum Recalled<V> {
    Good(Entry<V>),
    /// No good value stood there since the key was created.
    Never,
    Forgotten,
}

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
    /// Looks up what stood before the bad records of a snapshot that this node has not followed, as far as the log
    /// remembers: so that every node shows the same.
    pub(crate) async fn recall_lost(&self, log: &dyn LogClient, install: &mut Installation<K, V>) {
        let epoch = install.position().epoch;
        let lost = install.take_lost(RECORDS);
        let asked = lost.into_iter().map(|lost| async move {
            let recalled = self.last_good(log, epoch, &lost.text, lost.written).await;
            (lost, recalled)
        });
        let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        for (lost, recalled) in answers {
            recall(install, lost, recalled);
        }
    }

    /// The last good value of a key before a bad one was written.
    async fn last_good(
        &self,
        log: &dyn LogClient,
        epoch: Epoch,
        key: &Bytes,
        mut written: Revision,
    ) -> Recalled<V> {
        let keyspace = self.replica().keyspace();
        for _ in 0..VERSIONS {
            let at = Position::new(epoch, Revision(written.0.saturating_sub(1)));
            let found = answer("an earlier version", log.record_at(keyspace, key, at)).await;
            let record = match found {
                Ok(Some(record)) if record.modified < written => record,
                Ok(None) => return Recalled::Never,
                Ok(Some(_)) | Err(_) => return Recalled::Forgotten,
            };
            if let Ok(entry) = self.decoder.entry(&record, epoch) {
                return Recalled::Good(entry);
            }
            if record.created == record.modified {
                return Recalled::Never;
            }
            written = record.modified;
        }
        Recalled::Forgotten
    }
}

/// Shows what the history says of a bad record of a snapshot.
fn recall<K: Key, V>(install: &mut Installation<K, V>, lost: Lost<K>, recalled: Recalled<V>) {
    let staged = &mut install.staged;
    let last_good = match recalled {
        Recalled::Forgotten => return,
        // Another record is shown there.
        _ if is_written_otherwise(&staged.state, &lost.key, &lost.text) => LastGood::None,
        Recalled::Never => {
            staged.remove(&lost.key);
            LastGood::None
        }
        Recalled::Good(entry) => {
            let version = entry.version();
            if staged.state.entries.get(&lost.key) != Some(&entry) {
                staged.put(lost.key, entry);
            }
            LastGood::Shown(version)
        }
    };
    if let Some(bad) = staged.state.quarantine.get_mut(&lost.text) {
        bad.last_good = last_good;
    }
}
