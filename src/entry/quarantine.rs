//! Records that are kept out of the map because they cannot be decoded.
//!
//! It never holds a value.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{LeaseId, Record, Version};

/// A record that could not be decoded, and is therefore kept out of the map.
///
/// Listed by [`Reader::quarantine`](crate::Reader::quarantine), counted in [`Status::quarantined`](crate::Status), followed by
/// [`Reader::watch_quarantine`](crate::Reader::watch_quarantine). The next good write of the key heals it, and so does deleting it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # use globe::{Globe, Keyspace, LogClient, MemoryLog, log_client::Transaction};
/// use globe::LastGood;
///
/// # let log = MemoryLog::new();
/// let map: Globe<String, u64> = Globe::open(log.clone(), "numbers").await?;
/// let good = map.put("a", 1).await?;
///
/// // Another program writes what this one cannot read.
/// # let keyspace = Keyspace::new("numbers")?;
/// log.commit(Transaction::new().put(&keyspace, "a", "no number")).await?;
/// map.sync().await?;
///
/// assert_eq!(map.get("a").as_deref(), Some(&1)); // the last good value
/// for bad in map.quarantine() {
///     assert_eq!(bad.key(), b"a");
///     assert_eq!(good.version().map(LastGood::Shown), Some(bad.last_good));
///     println!("{bad:?}"); // says why, and never shows the value
/// }
///
/// map.put("a", 2).await?;
/// assert!(map.quarantine().is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    key: Bytes,
    /// The write that is bad.
    pub version: Version,
    /// The lease the record ends with, if any.
    pub lease: Option<LeaseId>,
    /// Why it could not be decoded. Never holds the value.
    pub reason: Arc<str>,
    /// What the map shows in its place.
    pub last_good: LastGood,
}

/// What a map shows at a key whose record cannot be decoded: [`Quarantined::last_good`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastGood {
    /// Nothing: no good value stood there before, since the key was last created.
    None,
    /// The value of this version, which was the last good one: every node shows the same.
    Shown(Version),
    /// The value of this version, the last good one this node has seen. The log could not tell whether there was a later
    /// one, so another node may show that.
    Seen(Version),
    /// Nothing, although there may have been a good value: this node came after the bad one, and the log could not tell
    /// what stood there before (it was compacted, keeps no history, or had too many bad records).
    Forgotten,
}

impl Quarantined {
    /// The key as it stands in the log, without the keyspace. Where it is the key that cannot be decoded it may be any bytes.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The same key, to be kept: it shares the bytes.
    pub(crate) fn text(&self) -> &Bytes {
        &self.key
    }

    pub(crate) fn new(
        record: &Record,
        version: Version,
        reason: &str,
        last_good: LastGood,
    ) -> Quarantined {
        Quarantined {
            // Of its own: it may be kept for long, and what it was read from is large.
            key: Bytes::copy_from_slice(&record.key),
            version,
            lease: record.lease,
            reason: reason.into(),
            last_good,
        }
    }
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = String::from_utf8_lossy(&self.key);
        write!(f, "{key:?}, {}: {}", self.version, self.reason)
    }
}
