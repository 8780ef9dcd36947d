//! Transactions over one or several maps of one log: what was read is validated when it is committed.
//!
//! Nothing is locked, and nothing is written before the closure has returned.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{Epoch, Error, ErrorKind, Keyspace, LogClient, Result, Transaction};

use crate::entry::key::Key;
use crate::globe::Globe;
use crate::read::view::View;
use crate::write::attempt::{Basis, Outcome};
use crate::write::committer::Committer;
use crate::write::replicas::{AnyReplica, Replicas};
use crate::write::write_set::{Draft, Stands};

/// What a closure of [`Globe::transact`](crate::Globe::transact) reads and writes through.
pub struct Txn<'a> {
    log: &'a Arc<dyn LogClient>,
    maps: Vec<(Arc<dyn AnyReplica>, Seen)>,
    /// The lives of the log the views are from: one, but for a moment after a restore.
    lives: BTreeSet<u64>,
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
            lives: BTreeSet::new(),
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
        key: impl Into<K>,
    ) -> Result<Option<Arc<V>>> {
        let key = key.into();
        let (target, view) = self.touch(map, &key)?;
        if mutant!("forget_what_was_read") {
            self.guards.remove(&target);
        }
        if let Some(pending) = self.writes.get(&target) {
            return Ok(pending
                .value
                .clone()
                .and_then(|value| value.downcast().ok()));
        }
        if let Some(bad) = view.state.quarantine.get(&target.1) {
            let name = String::from_utf8_lossy(&target.1);
            let why = format!(
                "the value of {}/{name} cannot be decoded: {}",
                target.0, bad.reason
            );
            return Err(Error::new(ErrorKind::Codec, why));
        }
        Ok(view.get(&key).cloned())
    }

    /// Writes a key, if the transaction is committed. A key that ends with a lease goes on doing so.
    ///
    /// # Errors
    /// `Invalid` for a map of another log; `Codec` for a key or value that cannot be encoded, or could not be read again.
    pub fn put<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl Into<K>,
        value: V,
    ) -> Result<()> {
        self.write(map, &key.into(), value, false)
    }

    /// As [`Txn::put`], and takes the key off its lease: it ends with none any more.
    ///
    /// # Errors
    /// As [`Txn::put`].
    pub fn put_detached<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl Into<K>,
        value: V,
    ) -> Result<()> {
        self.write(map, &key.into(), value, true)
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

    /// Deletes a key, if the transaction is committed.
    ///
    /// # Errors
    /// As [`Txn::put`].
    pub fn delete<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        key: impl Into<K>,
    ) -> Result<()> {
        let (target, _) = self.touch(map, &key.into())?;
        self.writes.insert(
            target,
            Pending {
                draft: Draft::Delete,
                value: None,
            },
        );
        Ok(())
    }

    /// An error to return from the closure when it does not want to go on. Nothing is written, nothing is tried again.
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
        self.lives.extend(view.state.epoch().map(|epoch| epoch.0));
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

/// Transactions.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Runs a closure over views of this map and others of the same log, and commits what it wrote if everything it read
    /// still stands: whole, or not at all, in one round trip. When something has changed in between, the closure is called
    /// again with newer views, so it should do nothing but compute. See [`Txn`].
    ///
    /// An error that the closure returns is returned as it is: what it was decided on has not been validated, and may be
    /// older than the log.
    ///
    /// What is validated is the keys it read, or wrote. Each map is read at one position; several maps may be read at
    /// different ones until the commit proves that nothing in between mattered.
    ///
    /// # Errors
    /// What the closure returned; `Conflict` only when others kept coming in between until the deadline; otherwise as
    /// every write.
    pub async fn transact<R>(&self, body: impl FnMut(&mut Txn<'_>) -> Result<R>) -> Result<R> {
        transact(self.log(), self.deadline(), body).await
    }
}

/// Runs a closure and commits what it wrote, again and again until nothing it read has changed in between.
async fn transact<R>(
    log: &Arc<dyn LogClient>,
    bound: Duration,
    mut body: impl FnMut(&mut Txn<'_>) -> Result<R>,
) -> Result<R> {
    let mut committer = Committer::new(log, bound);
    loop {
        let mut attempt = Txn::new(log);
        let answer = body(&mut attempt)?;
        let lives = std::mem::take(&mut attempt.lives);
        let (mut replicas, transaction) = attempt.into_parts();
        if lives.len() > 1 {
            // One map has followed the log into another life, the other has not yet.
            if committer.pause().await {
                continue;
            }
            let why = "the maps of a transaction show different lives of the log";
            return Err(Error::new(ErrorKind::EpochChanged, why));
        }
        let transaction = transaction.within(lives.first().copied().map(Epoch));
        if mutant!("wait_for_one_map_only") {
            replicas.truncate(1);
        }
        let outcome = committer.commit(&replicas, &transaction, Basis::Read);
        if let Outcome::Committed(_) = outcome.await? {
            return Ok(answer);
        }
    }
}
