//! The writes of a [`Globe`]: what each promises, and what it says that it did.
//!
//! It only passes on to the writer: nothing is encoded, guarded or sent here.

use globe_log_client::{Error, ErrorKind, Result};

use crate::entry::Entry;
use crate::entry::into_key::IntoKey;
use crate::entry::key::Key;
use crate::globe::Globe;
use crate::write::expected::Expected;
use crate::write::written::{Edit, Updated, Written, WrittenAll};

/// Writing: through the log, visible here on return.
///
/// Every write says where it was committed, and whether something stood there. It may fail with
/// - `Behind`: committed, but not visible here by the deadline;
/// - `Indeterminate`: it may or may not have been committed;
/// - `EpochChanged`: the log was restored or replaced meanwhile; whether the write is part of its new life is not known;
/// - `Unavailable`, `Full`: not committed. While the log cannot be reached it is tried again until the deadline;
/// - `Denied`, `TooLarge`, `Closed`: not committed;
/// - `Codec`: not sent, because nobody could read it: a key or value that is not read back as it was written.
///
/// One costs a round trip to the log, and the wait until it comes back down the tail; each attempt after a conflict costs
/// another. The deadline, of the builder or of [`Globe::with_deadline`], is for all attempts together.
///
/// Cancel safe: a write that is dropped before it returned may or may not have been committed, never in part.
///
/// A key that ends with a lease goes on doing so, whatever is written to it; only the methods named `…_detached` take it off
/// its lease.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Writes a key, whatever stands there: the last writer wins.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// # let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
    /// let first = map.put("a", 1).await?;
    /// assert!(!first.replaced());
    /// let second = map.put("a", 2).await?;
    /// assert!(second.replaced());
    /// assert!(second.position().covers(first.position()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Conflict` only when others kept overwriting the key until the deadline; otherwise as every write.
    pub async fn put(&self, key: impl IntoKey<K>, value: V) -> Result<Written> {
        let bound = self.deadline()?;
        self.writer()
            .put(bound, &key.into_key(), value, false)
            .await
    }

    /// As [`Globe::put`], and takes the key off its lease: it ends with none any more, and stays until it is deleted.
    ///
    /// # Errors
    /// As [`Globe::put`].
    pub async fn put_detached(&self, key: impl IntoKey<K>, value: V) -> Result<Written> {
        let bound = self.deadline()?;
        self.writer().put(bound, &key.into_key(), value, true).await
    }

    /// Writes a key only if there is none. Of several that try, on whatever node, exactly one does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::{ErrorKind, Globe, MemoryLog};
    ///
    /// # let log = MemoryLog::new();
    /// let here: Globe<String, String> = Globe::open(log.clone(), "owners").await?;
    /// let there: Globe<String, String> = Globe::open(log, "owners").await?;
    /// here.create("shard-1", "node-a".to_owned()).await?;
    /// let refused = there.create("shard-1", "node-b".to_owned()).await.unwrap_err();
    /// assert!(matches!(refused.kind(), ErrorKind::Conflict(_)));
    /// assert_eq!(there.get("shard-1").as_deref().map(String::as_str), Some("node-a"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Conflict` with what stands there, which is then visible here; otherwise as every write.
    pub async fn create(&self, key: impl IntoKey<K>, value: V) -> Result<Written> {
        self.put_if(key, value, Expected::Absent).await
    }

    /// Writes a key only if it holds what is expected: the [`version`](Entry::version) of an entry, or of what was
    /// [`Written`], is compare-and-swap.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::{Expected, Globe, MemoryLog};
    ///
    /// let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
    /// let seen = map.put("a", 1).await?.version();
    ///
    /// // With the version that was seen, by whoever was told it: it travels as text.
    /// let expected = seen.map_or(Expected::Absent, Expected::At);
    /// map.put_if("a", 2, expected).await?;
    ///
    /// // It stands there no longer, so nothing is written.
    /// let refused = map.put_if("a", 3, expected).await.unwrap_err();
    /// assert!(refused.is_conflict());
    /// assert_eq!(map.get("a").as_deref(), Some(&2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Globe::create`]; `EpochChanged` for a version of another life of the log, even if the same revision stands there.
    pub async fn put_if(
        &self,
        key: impl IntoKey<K>,
        value: V,
        expected: impl Into<Expected>,
    ) -> Result<Written> {
        let (bound, key, expected) = (self.deadline()?, key.into_key(), expected.into());
        self.writer().put_if(bound, &key, &value, expected).await
    }

    /// Deletes a key, whatever stands there; [`Written::replaced`] says whether anything did. Deleting nothing is no error,
    /// and changes nothing.
    ///
    /// # Errors
    /// As [`Globe::put`].
    pub async fn delete(&self, key: impl IntoKey<K>) -> Result<Written> {
        let bound = self.deadline()?;
        self.writer().delete(bound, &key.into_key()).await
    }

    /// Deletes a key only if it holds what is expected: with a version, exactly that write of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Expected, Globe, MemoryLog};
    /// # let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
    /// map.put("a", 1).await?;
    /// map.delete_if("a", Expected::Present).await?;
    /// let refused = map.delete_if("a", Expected::Present).await.unwrap_err();
    /// assert!(refused.is_conflict());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Globe::put_if`].
    pub async fn delete_if(
        &self,
        key: impl IntoKey<K>,
        expected: impl Into<Expected>,
    ) -> Result<Written> {
        let (bound, key, expected) = (self.deadline()?, key.into_key(), expected.into());
        self.writer().delete_if(bound, &key, expected).await
    }

    /// Deletes every key whose text in the log begins with `prefix`, of all that was committed before the call. One
    /// transaction when they fit into one (see [`Capabilities`](crate::Capabilities)), otherwise several, with the deadline
    /// for each. Undecodable records under the prefix are deleted as well. Costs a question to the log before the first of
    /// them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// let shards: Globe<String, u64> = Globe::open(MemoryLog::new(), "shards").await?;
    /// let entries = ["eu/1", "eu/2", "us/1"].map(|shard| (shard.to_owned(), 0));
    /// shards.put_all(entries).await?;
    ///
    /// let deleted = shards.delete_prefix("eu/").await?;
    /// assert_eq!((deleted.count(), shards.len()), (2, 1));
    ///
    /// // An empty prefix is refused; all that there is goes by name.
    /// assert!(shards.delete_prefix("").await.is_err());
    /// assert_eq!(shards.clear().await?.count(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for an empty prefix, which would be everything: that is [`Globe::clear`]. Otherwise as every write; when
    /// there were several transactions, others of them may have been committed.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<WrittenAll> {
        if prefix.is_empty() {
            let why = "every key begins with an empty prefix: `clear` deletes all of them";
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        self.sync().await?;
        self.writer().delete_prefix(self.deadline()?, prefix).await
    }

    /// Deletes every key, of all that was committed before the call, in as many transactions as [`Globe::delete_prefix`]
    /// would. Undecodable records are deleted as well, whoever wrote them. Everybody who shares the keyspace loses it: there
    /// is no way back but a backup of the log.
    ///
    /// # Errors
    /// As [`Globe::delete_prefix`].
    pub async fn clear(&self) -> Result<WrittenAll> {
        self.sync().await?;
        self.writer().delete_prefix(self.deadline()?, "").await
    }

    /// Replaces the value of a key by what a closure makes of the old one, and returns the new entry. The closure is called
    /// again when somebody else wrote the key in between, so it should do nothing but compute. To delete, to keep or to refuse
    /// there is [`Globe::try_update`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// let visits: Globe<String, u64> = Globe::open(MemoryLog::new(), "visits").await?;
    /// let visit = || visits.update("home", |seen| seen.map_or(1, |seen| seen + 1));
    /// visit().await?;
    /// let entry = visit().await?;
    /// assert_eq!(*entry, 2); // an entry reads as its value
    /// assert_eq!(entry.version().position(), visits.view().position());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Conflict` only when others kept coming in between until the deadline; `Codec` when what stands there cannot be
    /// decoded; otherwise as every write.
    pub async fn update(
        &self,
        key: impl IntoKey<K>,
        next: impl FnMut(Option<&V>) -> V,
    ) -> Result<Entry<V>> {
        let bound = self.deadline()?;
        self.writer().update(bound, &key.into_key(), next).await
    }

    /// Does with a key what a closure decides on its old value: puts a new one, deletes it, keeps it, or refuses with an
    /// error of the caller's own. The closure is called again when somebody else wrote the key in between, so it should do
    /// nothing but compute.
    ///
    /// What is kept is proved as well: a commit that only compares, a round trip like every other, shows that the closure
    /// decided on what stood in the log at [`Updated::position`]. A refusal is not proved: nothing is sent, and the value it
    /// was decided on may be older than the log.
    ///
    /// ```
    /// use globe::{Edit, Globe, MemoryLog};
    ///
    /// #[derive(Debug)]
    /// enum Refusal { SoldOut, Log(globe::Error) }
    /// impl From<globe::Error> for Refusal {
    ///     fn from(error: globe::Error) -> Refusal { Refusal::Log(error) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Refusal> {
    /// let stock: Globe<String, u64> = Globe::open(MemoryLog::new(), "stock").await?;
    /// stock.put("apples", 1).await?;
    /// let take = |left: Option<&u64>| match left {
    ///     None | Some(0) => Err(Refusal::SoldOut),
    ///     Some(1) => Ok(Edit::Delete),
    ///     Some(left) => Ok(Edit::Put(left - 1)),
    /// };
    /// let taken = stock.try_update("apples", take).await?;
    /// assert!(taken.replaced() && taken.entry().is_none());
    /// let refused = stock.try_update("apples", take).await;
    /// assert!(matches!(refused, Err(Refusal::SoldOut)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What the closure returned, with nothing written; otherwise as [`Globe::update`].
    pub async fn try_update<E: From<Error>>(
        &self,
        key: impl IntoKey<K>,
        next: impl FnMut(Option<&V>) -> Result<Edit<V>, E>,
    ) -> Result<Updated<V>, E> {
        let bound = self.deadline()?;
        self.writer().try_update(bound, &key.into_key(), next).await
    }

    /// Writes many entries, batched to the log's limits and several transactions at a time: each transaction is seen
    /// whole, the total is not one, and the deadline is for each. Of entries with the same key the last one counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Globe, MemoryLog};
    /// let squares: Globe<u64, u64> = Globe::open(MemoryLog::new(), "squares").await?;
    /// let written = squares.put_all((0..1_000).map(|n| (n, n * n))).await?;
    /// assert_eq!(written.count(), 1_000);
    /// assert_eq!(squares.get(&31).as_deref(), Some(&961));
    ///
    /// // Nothing to write is committed nowhere.
    /// let nothing = squares.put_all([]).await?;
    /// assert_eq!((nothing.position(), nothing.count()), (None, 0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Globe::put`]; when there were several transactions, others of them may have been committed.
    pub async fn put_all(&self, entries: impl IntoIterator<Item = (K, V)>) -> Result<WrittenAll> {
        let (bound, entries) = (self.deadline()?, entries.into_iter().collect());
        self.writer().put_all(bound, entries).await
    }
}
