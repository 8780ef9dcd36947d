//! The newest value of one key, again and again: what a setting that may change at any time wants.
//!
//! It never shows what was there in between, and keeps nothing of the map but that entry.

use std::fmt;
use std::sync::Arc;

use globe_log_client::Error;

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::read::watch::Watch;
use crate::replica::Replica;
use crate::replica::state::State;
use crate::replica::subscribers::Interest;

/// Follows the value of one key. Made by [`Reader::watch_value`](crate::Reader::watch_value).
///
/// It begins with the present value, of a map that is hydrated; then it shows the newest one whenever the key was written,
/// be it with an equal value, or deleted. What came and went between two looks is not shown. Other keys' changes do not wake
/// it, and while nobody calls `next` it keeps one entry of the map. It does not keep the map alive.
///
/// ```
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> globe::Result<()> {
/// let limits: Globe<String, u64> = Globe::open(MemoryLog::new(), "limits").await?;
/// let mut limit = limits.watch_value("uploads");
/// assert_eq!(limit.next().await, Some(None)); // There is none yet.
///
/// limits.put("uploads", 10).await?;
/// limits.put("uploads", 20).await?;
/// limits.close().await;
/// let mut shown = Vec::new();
/// while let Some(value) = limit.next().await {
///     shown.push(value.map_or(5, |value| *value)); // the default is 5
/// }
/// assert_eq!(shown, [20]);
/// # Ok(())
/// # }
/// ```
pub struct ValueWatch<K: Key, V> {
    watch: Watch<K, V>,
    key: K,
    /// Whether the present value was shown: only then there is something to compare with.
    has_begun: bool,
}

impl<K: Key, V: Send + Sync + 'static> ValueWatch<K, V> {
    pub(crate) fn new(replica: Arc<Replica<K, V>>, key: K) -> ValueWatch<K, V> {
        ValueWatch {
            watch: Watch::new(replica, Interest::Key(key.clone())),
            key,
            has_begun: false,
        }
    }

    pub(super) fn replica(&self) -> &Arc<Replica<K, V>> {
        &self.watch.replica
    }

    /// The present value when it is called first, then the newest one as soon as the key has changed since: `Some(None)`
    /// when there is no such key. `None` when the map has ended and the last value was shown: [`ValueWatch::ended`] says why.
    ///
    /// Cancel safe: what was not returned is shown by the next call.
    pub async fn next(&mut self) -> Option<Option<Arc<V>>> {
        if self.has_begun {
            let changes = self.watch.next().await?;
            return Some(
                changes
                    .iter()
                    .next()
                    .and_then(|change| change.new_value().cloned()),
            );
        }
        // What is not known yet must not be taken for absent.
        self.replica().hydrated().await.ok()?;
        self.has_begun = true;
        let view = self.watch.catch_up();
        Some(self.value(&view.state))
    }

    fn value(&self, state: &State<K, V>) -> Option<Arc<V>> {
        let entry: Option<&Entry<V>> = state.entries.get(&self.key);
        entry.map(|entry| Arc::clone(entry.value()))
    }

    /// Why the map has ended and no more will come: `Closed`, or what it could not go on with. `None` while it follows.
    #[must_use]
    pub fn ended(&self) -> Option<Error> {
        self.watch.ended()
    }
}

impl<K: Key, V> fmt::Debug for ValueWatch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueWatch")
            .field("keyspace", self.watch.replica.keyspace())
            .finish_non_exhaustive()
    }
}
