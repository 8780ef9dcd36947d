//! Which keys a keyspace held where a map stands, or a copy: who says that to the log is told no more than what has changed.
//!
//! It says nothing where it is not certain of all of them.

use globe_log_client::{Bytes, KnownKeys};
use tokio::task::spawn_blocking;

use crate::entry::key::Key;
use crate::follow::applier::Applier;
use crate::follow::decoder::WRITTEN_OTHERWISE;
use crate::ground::pace::Pace;

/// So many are put in their order on the spot; more of them where nobody waits for it.
const FEW: usize = 1_000;

/// Keys in the order of their bytes, each once.
pub(crate) async fn known(mut keys: Vec<Bytes>) -> Option<KnownKeys> {
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
    /// The keys that the log held where this map stands: of what is shown, and of what is kept out.
    pub(crate) async fn known_keys(&self) -> Option<KnownKeys> {
        let state = self.replica().state();
        // Which of two records with equal keys is shown is decided among all that there are.
        let mut kept_out = state.quarantine.values();
        if kept_out.any(|bad| &*bad.reason == WRITTEN_OTHERWISE) {
            return None;
        }
        let mut keys: Vec<Bytes> = state.quarantine.keys().cloned().collect();
        let mut pace = Pace::new();
        for key in state.entries.keys() {
            keys.push(key.encode().ok()?.into());
            pace.step().await;
        }
        drop(state);
        known(keys).await
    }
}
