//! One key of the map as it came from the log, and the words that belong to it: its key, its codec, its changes.
//!
//! It never shows a value: a `Debug` of an entry holds its versions only.

pub(crate) mod change;
pub(crate) mod codec;
pub(crate) mod into_key;
pub(crate) mod key;
pub(crate) mod key_range;
pub(crate) mod key_types;
pub(crate) mod lookup;
pub(crate) mod parts;
pub(crate) mod prefix;
pub(crate) mod quarantine;

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::quality::FixedState;
use globe_log_client::{Epoch, LeaseId, Record, Revision, Version};

/// One entry of the map: the decoded value, and which write of the key it is.
///
/// It reads as its value: `entry.percent` is `entry.value().percent`. What it says of itself comes first: where the value has
/// a method `version` of its own, that is `entry.value().version()`. Cloning one copies no value.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Globe, MemoryLog};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// struct Limit { percent: u8 }
///
/// # let limits: Globe<String, Limit> = Globe::open(MemoryLog::new(), "limits").await?;
/// limits.put("web", Limit { percent: 25 }).await?;
/// if let Some(entry) = limits.get_entry("web") {
///     assert_eq!(entry.percent, 25);
///     assert_eq!(entry.version(), entry.created()); // nobody wrote it since
/// }
/// # Ok(()) }
/// ```
pub struct Entry<V> {
    value: Arc<V>,
    epoch: Epoch,
    created: Revision,
    modified: Revision,
    lease: Option<LeaseId>,
    /// Of the value's bytes: what tells two entries apart whose revisions are equal in different epochs.
    digest: u64,
}

impl<V> Entry<V> {
    pub(crate) fn new(record: &Record, epoch: Epoch, value: V) -> Entry<V> {
        Entry {
            value: Arc::new(value),
            epoch,
            created: record.created,
            modified: record.modified,
            lease: record.lease,
            digest: digest(&record.value),
        }
    }

    /// Whether `record` is what this entry was decoded from.
    pub(crate) fn is_from(&self, record: &Record) -> bool {
        self.modified == record.modified
            && self.created == record.created
            && self.lease == record.lease
            && self.digest == digest(&record.value)
    }

    /// The same write, as it stands in another life of the log.
    pub(crate) fn in_life(&self, epoch: Epoch) -> Entry<V> {
        Entry {
            epoch,
            ..self.clone()
        }
    }

    /// Whether `record` is a later write of the same key, not deleted in between.
    pub(crate) fn is_created_by(&self, record: &Record) -> bool {
        self.created == record.created
    }

    /// Whether the key was not deleted and created again in between.
    pub(crate) fn is_same_key(&self, other: &Entry<V>) -> bool {
        self.created == other.created
    }

    /// The value, decoded once when it arrived.
    #[must_use]
    pub fn value(&self) -> &Arc<V> {
        &self.value
    }

    /// The write that created the key (again, if it had been deleted): what tells two keys of one name apart.
    #[must_use]
    pub fn created(&self) -> Version {
        Version::new(self.epoch, self.created)
    }

    /// The write that this entry is: what [`Globe::put_if`](crate::Globe::put_if) compares. It may travel: it is text, and
    /// fits an HTTP `ETag`.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::new(self.epoch, self.modified)
    }

    /// The lease the entry ends with, if any.
    #[must_use]
    pub fn lease(&self) -> Option<LeaseId> {
        self.lease
    }
}

impl<V> Deref for Entry<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

fn digest(value: &Bytes) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(value);
    hasher.finish()
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Entry<V> {
        Entry {
            value: Arc::clone(&self.value),
            ..*self
        }
    }
}

/// Two entries are equal when they are the same write: a rewrite of the same value is not. What a restored log still holds
/// is the same write as before.
impl<V> PartialEq for Entry<V> {
    fn eq(&self, other: &Entry<V>) -> bool {
        self.modified == other.modified
            && self.created == other.created
            && self.lease == other.lease
            && self.digest == other.digest
    }
}

impl<V> fmt::Debug for Entry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("created", &self.created())
            .field("version", &self.version())
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}
