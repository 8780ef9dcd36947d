//! Transactions over one or several maps of one log: what was read is validated when it is committed.
//!
//! Nothing is locked, and nothing is written before the closure has returned.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{Epoch, Error, ErrorKind, Keyspace, LogClient, Result, Transaction};

use crate::entry::Entry;
use crate::entry::into_key::IntoKey;
use crate::entry::key::{Key, decode_key};
use crate::entry::key_range::KeyRange;
use crate::entry::prefix::KeyPrefix;
use crate::globe::Globe;
use crate::read::view::View;
use crate::write::attempt::{Basis, Outcome};
use crate::write::committer::Committer;
use crate::write::replicas::{AnyReplica, Replicas};
use crate::write::write_set::{Draft, Stands};
use crate::write::written::Committed;

/// What a closure of [`Globe::transact`](crate::Globe::transact) reads and writes through: it shows the maps as they stood
/// when it first touched them, with what the closure wrote since.
///
/// Reads and writes here are local and talk to nobody. What was read or written is a precondition of the commit, and what was
/// written an operation: [`Capabilities`](crate::Capabilities) says how many of each a log takes.
pub struct Txn<'a> {
    log: &'a Arc<dyn LogClient>,
    maps: Vec<(Arc<dyn AnyReplica>, Seen)>,
    /// The lives of the log the views are from: one, but for a moment after a restore.
    epochs: HashSet<Epoch>,
    /// What was read or written: what this attempt relies on standing there.
    guards: BTreeMap<(Keyspace, Bytes), Stands>,
    writes: BTreeMap<(Keyspace, Bytes), Pending>,
}

/// The view of one map that one attempt reads, whatever its type.
type Seen = Arc<dyn Any + Send + Sync>;

/// A write of this attempt: what is sent, and what a read of this attempt gets.
struct Pending {
    draft: Draft,
    value: Option<Arc<dyn Any + Send + Sync>>,
}

impl<'a> Txn<'a> {
    fn new(log: &'a Arc<dyn LogClient>) -> Txn<'a> {
        Txn {
            log,
            maps: Vec::new(),
            epochs: HashSet::new(),
            guards: BTreeMap::new(),
            writes: BTreeMap::new(),
        }
    }

    /// Reads a key: what this transaction wrote, or else what stands in the map. The transaction is committed only if
    /// that still stands there then.
    ///
    /// # Errors
    /// `Invalid` for a map of another log; `Codec` for a key that cannot be encoded, or a value that cannot be decoded.
    pub fn get<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl IntoKey<K>,
    ) -> Result<Option<Arc<V>>> {
        let key = key.into_key();
        let (target, view) = self.touch(map, &key)?;
        if let Some(pending) = self.writes.get(&target) {
            return Ok(pending
                .value
                .clone()
                .and_then(|value| value.downcast().ok()));
        }
        check_is_good(&view, &target)?;
        Ok(view.get(&key))
    }

    /// Reads a key as [`Txn::get`] does, with the version of what stands in the map.
    ///
    /// # Errors
    /// As [`Txn::get`]; `Invalid` for a key this transaction has put: it has no version before it is committed.
    pub fn get_entry<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl IntoKey<K>,
    ) -> Result<Option<Entry<V>>> {
        let key = key.into_key();
        let (target, view) = self.touch(map, &key)?;
        match self.writes.get(&target) {
            Some(pending) if pending.value.is_none() => return Ok(None),
            Some(_) => {
                let name = String::from_utf8_lossy(&target.1);
                let why = format!(
                    "{}/{name} was put by this transaction: it has no version yet",
                    target.0
                );
                return Err(Error::new(ErrorKind::Invalid, why));
            }
            None => {}
        }
        check_is_good(&view, &target)?;
        Ok(view.get_entry(&key).cloned())
    }

    /// Whether there is such a key: a read as [`Txn::get`] is one.
    ///
    /// # Errors
    /// As [`Txn::get`].
    pub fn contains_key<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl IntoKey<K>,
    ) -> Result<bool> {
        Ok(self.get(map, key)?.is_some())
    }

    /// Reads the entries of a range of keys, in their order: those of this attempt's view, with what this transaction has
    /// put and deleted. The transaction is committed only if each of them still stands there then. A key that appears in
    /// the range meanwhile is NOT noticed: what must be seen needs a key of its own that all who write there write as well.
    ///
    /// Every entry counts as a precondition: more than the log takes in one transaction are `TooLarge` at the commit (see
    /// [`Capabilities::max_operations`](crate::Capabilities)). Costs O(log n), and encoding each key of the range.
    ///
    /// # Errors
    /// As [`Txn::get`], for each key of the range.
    pub fn range<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        range: impl KeyRange<K>,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let (view, range) = (self.view_of(map)?, range.into_bounds());
        let keys = view.range(range.clone()).map(|(key, _)| key.clone());
        self.read_all(map, keys.collect(), |key| range.contains(key))
    }

    /// Reads the entries whose key begins with `prefix`, as [`Txn::range`] does: with the same cost, and the same limit. An
    /// empty prefix is the whole map.
    ///
    /// # Errors
    /// As [`Txn::range`].
    pub fn prefix<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        prefix: impl KeyPrefix<K>,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let (view, prefix) = (self.view_of(map)?, prefix.keep());
        let keys = view.with_prefix(&prefix).map(|(key, _)| key.clone());
        self.read_all(map, keys.collect(), |key| prefix.place(key).is_eq())
    }

    /// Reads the keys that stand in a view, and those this transaction wrote, or nobody can decode, that are covered.
    fn read_all<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        mut keys: BTreeSet<K>,
        covers: impl Fn(&K) -> bool,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let view = self.view_of(map)?;
        let written = self.writes.keys();
        let written = written.filter(|(keyspace, _)| keyspace == map.keyspace());
        let others = written.map(|(_, text)| text);
        let others = others.chain(view.state.quarantine.keys());
        keys.extend(others.filter_map(|text| decode_key::<K>(text).ok().filter(&covers)));
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(value) = self.get(map, key.clone())? {
                entries.push((key, value));
            }
        }
        Ok(entries)
    }

    /// Writes a key, if the transaction is committed. A key that ends with a lease goes on doing so.
    ///
    /// # Errors
    /// `Invalid` for a map of another log; `Codec` for a key or value that cannot be encoded, or could not be read again.
    pub fn put<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl IntoKey<K>,
        value: V,
    ) -> Result<()> {
        self.write(map, &key.into_key(), value, false)
    }

    /// As [`Txn::put`], and takes the key off its lease: it ends with none any more.
    ///
    /// # Errors
    /// As [`Txn::put`].
    pub fn put_detached<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl IntoKey<K>,
        value: V,
    ) -> Result<()> {
        self.write(map, &key.into_key(), value, true)
    }

    fn write<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: &K,
        value: V,
        is_detached: bool,
    ) -> Result<()> {
        let (target, _) = self.touch(map, key)?;
        let draft = map.writer().draft(&target.1, &value, is_detached)?;
        let value = Some(Arc::new(value) as _);
        self.writes.insert(target, Pending { draft, value });
        Ok(())
    }

    /// Deletes a key, if the transaction is committed. Deleting nothing is no error.
    ///
    /// # Errors
    /// As [`Txn::put`].
    pub fn delete<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl IntoKey<K>,
    ) -> Result<()> {
        let (target, _) = self.touch(map, &key.into_key())?;
        self.writes.insert(
            target,
            Pending {
                draft: Draft::Delete,
                value: None,
            },
        );
        Ok(())
    }

    /// An error to return from the closure when it does not want to go on, of the kind `Aborted`. Nothing is written, nothing
    /// is tried again. For an error of your own see [`Globe::try_transact`](crate::Globe::try_transact).
    #[must_use]
    pub fn abort(&self, why: impl Into<String>) -> Error {
        Error::new(ErrorKind::Aborted, why)
    }

    /// Guards a key by what stands there in the view of its map.
    fn touch<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: &K,
    ) -> Result<((Keyspace, Bytes), View<K, V>)> {
        let view = self.view_of(map)?;
        let text = map.writer().encode_key(key)?;
        let guard = map.writer().known(&view.state, &text, key);
        let target = (map.keyspace().clone(), text);
        self.guards.entry(target.clone()).or_insert(guard);
        Ok((target, view))
    }

    /// The view of a map that this attempt reads: taken at the first touch.
    fn view_of<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
    ) -> Result<View<K, V>> {
        if map.log().id() != self.log.id() {
            let why = format!(
                "the map {} is on another log: a transaction cannot span logs",
                map.keyspace()
            );
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        let known = self
            .maps
            .iter()
            .find(|(replica, _)| replica.keyspace() == map.keyspace());
        if let Some((_, seen)) = known {
            let seen = Arc::clone(seen);
            let Some(view) = seen.downcast_ref::<View<K, V>>().cloned() else {
                let why = format!(
                    "two maps of different types are open on the keyspace {}",
                    map.keyspace()
                );
                return Err(Error::new(ErrorKind::Invalid, why));
            };
            self.also_shown_by(map, seen);
            return Ok(view);
        }
        let view = map.view();
        self.epochs.extend(view.state.epoch());
        self.maps
            .push((Arc::clone(map.replica()) as _, Arc::new(view.clone())));
        Ok(view)
    }

    /// Another handle on a keyspace that is touched already reads the same view, and must show the outcome as well.
    fn also_shown_by<K: Key, V: Send + Sync + 'static>(&mut self, map: &Globe<K, V>, seen: Seen) {
        let own: *const () = Arc::as_ptr(map.replica()).cast();
        let is_known = |(replica, _): &(Arc<dyn AnyReplica>, Seen)| {
            std::ptr::eq(Arc::as_ptr(replica).cast(), own)
        };
        if !self.maps.iter().any(is_known) {
            self.maps.push((Arc::clone(map.replica()) as _, seen));
        }
    }

    fn into_parts(self) -> (Replicas, Transaction) {
        let mut transaction = Transaction::new();
        for (target, pending) in self.writes {
            let stands = self.guards.get(&target).copied();
            if let Some(write) = pending.draft.write(stands.unwrap_or(Stands::Nothing)) {
                transaction = transaction.write(&target.0, target.1, write);
            }
        }
        for ((keyspace, key), stands) in self.guards {
            transaction = transaction.when(&keyspace, key, stands.precondition());
        }
        (
            self.maps.into_iter().map(|(replica, _)| replica).collect(),
            transaction,
        )
    }
}

impl std::fmt::Debug for Txn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Txn")
            .field("guards", &self.guards)
            .field("writes", &self.writes.len())
            .finish()
    }
}

/// Refuses what nothing can be decided on: a value that cannot be decoded.
fn check_is_good<K: Key, V>(view: &View<K, V>, target: &(Keyspace, Bytes)) -> Result<()> {
    let Some(bad) = view.state.quarantine.get(&target.1) else {
        return Ok(());
    };
    let name = String::from_utf8_lossy(&target.1);
    let why = format!(
        "the value of {}/{name} cannot be decoded: {}",
        target.0, bad.reason
    );
    Err(Error::new(ErrorKind::Codec, why))
}

/// Transactions.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Runs a closure over views of this map and others of the same log, and commits what it wrote if everything it read
    /// still stands: whole, or not at all, in one round trip. When something has changed in between, the closure is called
    /// again with newer views, so it should do nothing but compute. See [`Txn`].
    ///
    /// An error that the closure returns is returned as it is: what it was decided on has not been validated, and may be
    /// older than the log.
    ///
    /// Cancel safe, as every write is. What is validated is the keys it read, or wrote. Each map is read at one position; several maps may be read at
    /// different ones until the commit proves that nothing in between mattered.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::{Globe, MemoryLog};
    ///
    /// let bank: Globe<String, u64> = Globe::open(MemoryLog::new(), "bank").await?;
    /// bank.put("alice", 100).await?;
    /// let moved = bank
    ///     .transact(|txn| {
    ///         let alice = txn.get(&bank, "alice")?.map_or(0, |alice| *alice);
    ///         let bob = txn.get(&bank, "bob")?.map_or(0, |bob| *bob);
    ///         let amount = alice.min(30);
    ///         txn.put(&bank, "alice", alice - amount)?;
    ///         txn.put(&bank, "bob", bob + amount)?;
    ///         Ok(amount)
    ///     })
    ///     .await?;
    /// assert_eq!(*moved.value(), 30);
    /// assert!(bank.view().position().covers(moved.position()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What the closure returned; `Conflict` only when others kept coming in between until the deadline; otherwise as
    /// every write.
    pub async fn transact<R>(
        &self,
        body: impl FnMut(&mut Txn<'_>) -> Result<R>,
    ) -> Result<Committed<R>> {
        self.try_transact(body).await
    }

    /// As [`Globe::transact`], with an error of the caller's own, for which nothing is written and nothing tried again.
    /// [`Globe::try_update`] has an example of such an error.
    ///
    /// # Errors
    /// As [`Globe::transact`].
    pub async fn try_transact<R, E: From<Error>>(
        &self,
        body: impl FnMut(&mut Txn<'_>) -> Result<R, E>,
    ) -> Result<Committed<R>, E> {
        transact(self.log(), self.deadline()?, body).await
    }
}

/// Runs a closure and commits what it wrote, again and again until nothing it read has changed in between.
async fn transact<R, E: From<Error>>(
    log: &Arc<dyn LogClient>,
    bound: Duration,
    mut body: impl FnMut(&mut Txn<'_>) -> Result<R, E>,
) -> Result<Committed<R>, E> {
    let mut committer = Committer::new(log, bound);
    loop {
        let mut attempt = Txn::new(log);
        let value = body(&mut attempt)?;
        let epochs = std::mem::take(&mut attempt.epochs);
        let (replicas, transaction) = attempt.into_parts();
        if epochs.len() > 1 {
            // One map has followed the log into another life, the other has not yet.
            if committer.pause().await {
                continue;
            }
            let why = "the maps of a transaction show different lives of the log";
            return Err(Error::new(ErrorKind::EpochChanged, why).into());
        }
        let transaction = transaction.within(epochs.iter().next().copied());
        let outcome = committer.commit(&replicas, &transaction, Basis::Read);
        if let Outcome::Committed(position) = outcome.await? {
            return Ok(Committed { position, value });
        }
    }
}
