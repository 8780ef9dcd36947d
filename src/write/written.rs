//! What a write says that it did: where it was committed, and what it found there.
//!
//! Nothing here is guessed: what stood at a key is what the guard said under which the write was committed.

use globe_log_client::{Position, Version};

use crate::entry::Entry;
use crate::write::write_set::WriteSet;

/// What the write of one key did. It is committed, and visible here.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::{Consistency, Globe, MemoryLog};
///
/// # let log = MemoryLog::new();
/// let here: Globe<String, u64> = Globe::open(log.clone(), "stock").await?;
/// # let there: Globe<String, u64> = Globe::open(log, "stock").await?;
/// let written = here.put("apples", 7).await?;
/// assert!(!written.replaced() && written.version().is_some());
///
/// // What another node is told, so that it shows at least this.
/// there.view_at(Consistency::AtLeast(written.position())).await?;
/// assert!(there.contains_key("apples"));
///
/// let deleted = here.delete("apples").await?;
/// assert!(deleted.replaced() && deleted.version().is_none());
/// assert!(!here.delete("apples").await?.replaced()); // nothing stood there
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    position: Position,
    version: Option<Version>,
    replaced: bool,
}

impl Written {
    /// What a set of one write did.
    pub(crate) fn new(position: Position, set: &WriteSet) -> Written {
        let is_put = set.writes.iter().any(|(_, guarded)| guarded.draft.is_put());
        Written {
            position,
            version: is_put.then(|| Version::new(position.epoch, position.revision)),
            replaced: set.standing() > 0,
        }
    }

    /// Where this very write was committed: a token another service can wait for, with
    /// [`Consistency::AtLeast`](crate::Consistency::AtLeast). Of a delete of nothing: a position at which there was nothing.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The version of what was put, to compare with at the next write; `None` for a delete.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether a record stood there, which is overwritten or deleted now. Also true of one that could not be decoded.
    #[must_use]
    pub fn replaced(&self) -> bool {
        self.replaced
    }
}

/// What a write of many keys did: [`Globe::put_all`](crate::Globe::put_all), [`Globe::clear`](crate::Globe::clear) and
/// [`Globe::delete_prefix`](crate::Globe::delete_prefix). All of it is committed, and visible here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenAll {
    position: Option<Position>,
    count: usize,
}

impl WrittenAll {
    pub(crate) fn new(parts: impl IntoIterator<Item = (Position, usize)>) -> WrittenAll {
        let begin = WrittenAll::default();
        parts.into_iter().fold(begin, |all, (position, count)| {
            let newest = all.position.filter(|newest| newest.covers(position));
            WrittenAll {
                position: newest.or(Some(position)),
                count: all.count + count,
            }
        })
    }

    /// The newest position at which a part of it was committed; `None` when there was nothing to write.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// How many keys were written; of a delete, how many records there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// What is to become of a key, for [`Globe::try_update`](crate::Globe::try_update).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Edit<V> {
    /// It holds this value.
    Put(V),
    /// There is no such key any more. Deleting nothing is no error.
    Delete,
    /// It stays as it is. That it was so is proved by a commit that only compares.
    Keep,
}

/// What [`Globe::try_update`](crate::Globe::try_update) did. It is committed, and visible here.
pub struct Updated<V> {
    pub(crate) position: Position,
    pub(crate) entry: Option<Entry<V>>,
    pub(crate) replaced: bool,
}

impl<V> Updated<V> {
    /// Where it was committed. Of what was kept, and of a delete of nothing: a position at which it was so.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// What stands there now, that is at [`Updated::position`]: `None` when there is no such key.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry<V>> {
        self.entry.as_ref()
    }

    /// Whether a record stood there, which is overwritten or deleted now. False of what was kept.
    #[must_use]
    pub fn replaced(&self) -> bool {
        self.replaced
    }
}

impl<V> Clone for Updated<V> {
    fn clone(&self) -> Updated<V> {
        Updated {
            entry: self.entry.clone(),
            ..*self
        }
    }
}

impl<V> std::fmt::Debug for Updated<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Updated")
            .field("position", &self.position)
            .field("entry", &self.entry)
            .field("replaced", &self.replaced)
            .finish()
    }
}

/// What a transaction came to: [`Globe::transact`](crate::Globe::transact). It is committed, and visible in every map it
/// touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<R> {
    pub(crate) position: Position,
    pub(crate) value: R,
}

impl<R> Committed<R> {
    /// Where it was committed. Of one that wrote nothing: a position at which all that it read was so.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// What its closure returned.
    #[must_use]
    pub fn value(&self) -> &R {
        &self.value
    }

    /// As [`Committed::value`], to keep.
    #[must_use]
    pub fn into_value(self) -> R {
        self.value
    }
}
