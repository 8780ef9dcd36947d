//! What a keyspace held where a map stands, or a copy: who tells the log its keys is told no more than what has changed.
//!
//! It says nothing where it is not certain of all of it.

use globe_log_client::{
    Bytes, Difference, Keyspace, KnownKeys, LogClient, Position, Result, Revision,
};
use tokio::task::spawn_blocking;

use crate::entry::key::Key;
use crate::follow::applier::Applier;
use crate::follow::decoder::WRITTEN_OTHERWISE;
use crate::follow::fetching::answer;
use crate::ground::pace::Pace;

/// So many are put in their order on the spot; more of them where nobody waits for it.
const FEW: usize = 1_000;

/// All keys of a keyspace as it stood, and the write that was the last one then of those that stood.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    keys: KnownKeys,
    newest: (Bytes, Revision),
}

impl Known {
    /// What has changed since; nothing where the log may be another than the one that was known.
    ///
    /// It is the same while that write stands. Where the log was restored, even so that its revisions only grew, it does not,
    /// and what is known tells nothing of it. Where the key was written since, nobody can tell.
    pub(crate) async fn difference(
        &self,
        log: &dyn LogClient,
        keyspace: &Keyspace,
        since: Position,
    ) -> Result<Option<Difference>> {
        let asked = log.difference(keyspace, since, self.keys.clone());
        let difference = answer("a difference", asked).await?;
        let (key, written) = &self.newest;
        // Before anything is read: what is read is written down on the way.
        let asked = log.record_at(keyspace, key, difference.position());
        let stands = answer("the newest record", asked).await?;
        let is_same = stands.is_some_and(|record| record.modified == *written);
        Ok(is_same.then_some(difference))
    }
}

/// What is known by these keys, in whatever order, and when each was written. Nothing of a keyspace that is empty.
pub(crate) async fn known(written: Vec<(Bytes, Revision)>) -> Option<Known> {
    let newest = written.iter().max_by_key(|(_, written)| *written)?.clone();
    let keys = in_order(written.into_iter().map(|(key, _)| key).collect()).await?;
    Some(Known { keys, newest })
}

/// Keys in the order of their bytes, each once.
async fn in_order(mut keys: Vec<Bytes>) -> Option<KnownKeys> {
    let is_few = keys.len() <= FEW;
    let order = move || {
        keys.sort_unstable();
        keys.dedup();
        KnownKeys::new(keys).ok()
    };
    match is_few {
        true => order(),
        false => spawn_blocking(order).await.ok()?,
    }
}

impl<K: Key, V: Send + Sync + 'static> Applier<K, V> {
    /// What the log held where this map stands: what is shown, and what is kept out.
    pub(crate) async fn known(&self) -> Option<Known> {
        let state = self.replica().state();
        // Which of two records with equal keys is shown is decided among all that there are.
        let mut kept_out = state.quarantine.values();
        if kept_out.any(|bad| &*bad.reason == WRITTEN_OTHERWISE) {
            return None;
        }
        let kept_out = state.quarantine.iter();
        let mut written: Vec<(Bytes, Revision)> = kept_out
            .map(|(key, bad)| (key.clone(), bad.version.revision()))
            .collect();
        let mut pace = Pace::new();
        for (key, entry) in state.entries.iter() {
            written.push((key.encode().ok()?.into(), entry.version().revision()));
            pace.step().await;
        }
        drop(state);
        known(written).await
    }
}
