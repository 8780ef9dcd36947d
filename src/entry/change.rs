//! What happened to one key between two states of the map, and why a state came from a snapshot.
//!
//! Only says what happened: it is made by a difference, and never by what was expected to change.

use std::fmt;
use std::sync::Arc;

use globe_log_client::Position;

use crate::entry::Entry;

/// What happened to one key between two views.
///
/// At least one of `old` and `new` is there: a key that was deleted has no `new`, one that is new has no `old`.
///
/// ```
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> globe::Result<()> {
/// let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
/// let before = map.view();
/// map.put("a", 1).await?;
/// for change in map.view().diff(&before) {
///     assert_eq!(change.key(), "a");
///     assert!(change.old().is_none());
///     assert_eq!(change.new_value().map(|value| **value), Some(1));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Change<K, V> {
    key: K,
    old: Option<Entry<V>>,
    new: Option<Entry<V>>,
    gone_by: Position,
}

impl<K, V> Change<K, V> {
    pub(crate) fn between(
        key: K,
        old: Option<Entry<V>>,
        new: Option<Entry<V>>,
        gone_by: Position,
    ) -> Change<K, V> {
        Change {
            key,
            old,
            new,
            gone_by,
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.key
    }

    /// What the older view held: the value, and which write of the key it is of.
    #[must_use]
    pub fn old(&self) -> Option<&Entry<V>> {
        self.old.as_ref()
    }

    /// What the newer view holds.
    #[must_use]
    #[allow(
        clippy::new_ret_no_self,
        clippy::wrong_self_convention,
        reason = "it makes nothing: it is the other one of `old`"
    )]
    pub fn new(&self) -> Option<&Entry<V>> {
        self.new.as_ref()
    }

    /// The key, what the older view held, and what the newer view holds: to be kept, without a copy.
    #[must_use]
    pub fn into_parts(self) -> (K, Option<Entry<V>>, Option<Entry<V>>) {
        (self.key, self.old, self.new)
    }

    /// The value the older view held.
    #[must_use]
    pub fn old_value(&self) -> Option<&Arc<V>> {
        self.old.as_ref().map(Entry::value)
    }

    /// The value the newer view holds.
    #[must_use]
    pub fn new_value(&self) -> Option<&Arc<V>> {
        self.new.as_ref().map(Entry::value)
    }

    /// The commit that made the change; for a delete, the newest it can have been: exactly it when the changes are one
    /// [`Cause::Step`](crate::Cause::Step).
    #[must_use]
    pub fn position(&self) -> Position {
        let written = self.new.as_ref().map(|new| new.version().position());
        written.unwrap_or(self.gone_by)
    }

    /// Whether the key was deleted and created again in between.
    #[must_use]
    pub fn is_recreated(&self) -> bool {
        matches!((&self.old, &self.new), (Some(old), Some(new)) if !old.is_same_key(new))
    }
}

impl<K: Clone, V> Clone for Change<K, V> {
    fn clone(&self) -> Change<K, V> {
        Change {
            key: self.key.clone(),
            old: self.old.clone(),
            new: self.new.clone(),
            gone_by: self.gone_by,
        }
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Change<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("key", &self.key)
            .field("old", &self.old)
            .field("new", &self.new)
            .field("position", &self.position())
            .finish()
    }
}

/// Why a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResyncReason {
    /// The first one.
    Hydration,
    /// The log had forgotten the history in between.
    Compacted,
    /// The log was restored, wiped or replaced: it is in another epoch now.
    EpochChanged,
    /// The log delivered something its contract forbids; see [`Status::violations`](crate::Status::violations).
    Violation,
    /// None was: what the [guard](crate::Builder::guard) withheld is shown, and all that was committed meanwhile, in one step.
    Withheld,
}
