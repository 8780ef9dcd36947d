//! What the closure of a transaction reads and writes through.
//!
//! Never talks to a log: it shows views, and remembers what was read and what is to be written.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeBounds;
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{
    Epoch, Error, ErrorKind, Keyspace, Lease, LogClient, LogId, Position, Precondition, Result,
    Revision, Transaction,
};

use crate::entry::Entry;
use crate::entry::into_key::IntoKey;
use crate::entry::key::{Key, decode_key};
use crate::entry::key_range::KeyRange;
use crate::entry::prefix::KeyPrefix;
use crate::globe::Globe;
use crate::read::view::View;
use crate::transaction::prepared::{Pending, Prepared};
use crate::write::draft::{Draft, Stands};
use crate::write::leasing::Leasing;
use crate::write::replicas::AnyReplica;

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
    /// The sessions it writes for, each with the lease it writes under.
    sessions: Vec<(Arc<dyn Leasing>, Lease)>,
    /// A session that had no lease to write under.
    pub(crate) awaited: Option<Arc<dyn Leasing>>,
    /// What has to be held: the commit that created each claim.
    required: BTreeMap<(Keyspace, Bytes), Revision>,
    /// What was read or written: what this attempt relies on standing there.
    guards: BTreeMap<(Keyspace, Bytes), Stands>,
    writes: BTreeMap<(Keyspace, Bytes), Pending>,
}

/// The view of one map that one attempt reads, whatever its type.
type Seen = Arc<dyn Any + Send + Sync>;

impl<'a> Txn<'a> {
    pub(crate) fn new(log: &'a Arc<dyn LogClient>) -> Txn<'a> {
        Txn {
            log,
            maps: Vec::new(),
            epochs: HashSet::new(),
            sessions: Vec::new(),
            awaited: None,
            required: BTreeMap::new(),
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
        let wanted = &map.writer().wanted;
        let bound = self.guards.get(&target).and_then(|stands| stands.lease());
        if let (false, Some(session)) = (is_detached, wanted.stays_with(&target.1, bound)) {
            return self.write_leased(map, &session, key, value);
        }
        let draft = map.writer().draft(&target.1, &value, is_detached)?;
        let (value, wanted) = (Some(Arc::new(value) as _), Arc::clone(wanted));
        let session = None;
        let pending = Pending {
            draft,
            value,
            wanted,
            session,
        };
        self.writes.insert(target, pending);
        Ok(())
    }

    /// Writes a key that is to stand as long as a session does.
    pub(crate) fn write_leased<K: Key, V: Send + Sync + 'static>(
        &mut self,
        map: &Globe<K, V>,
        session: &Arc<dyn Leasing>,
        key: &K,
        value: V,
    ) -> Result<()> {
        let (target, _) = self.touch(map, key)?;
        let encoded = map.writer().draft(&target.1, &value, false)?.bytes();
        let bound = self.guards.get(&target).and_then(|stands| stands.lease());
        let lease = session.lease(bound).inspect_err(|error| {
            if error.can_retry_later() {
                self.awaited = Some(Arc::clone(session));
            }
        })?;
        self.epochs.insert(lease.epoch);
        self.sessions.push((Arc::clone(session), lease));
        let pending = Pending {
            draft: Draft::PutLeased(encoded, lease.id),
            value: Some(Arc::new(value) as _),
            wanted: Arc::clone(&map.writer().wanted),
            session: Some((Arc::downgrade(session), lease.epoch)),
        };
        self.writes.insert(target, pending);
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
                wanted: Arc::clone(&map.writer().wanted),
                session: None,
            },
        );
        Ok(())
    }

    /// Commits it only while a claim stands that was created there.
    pub(crate) fn require_claim(
        &mut self,
        (log, keyspace): &(LogId, Keyspace),
        text: &Bytes,
        created: Position,
    ) -> Result<()> {
        if *log != self.log.id() {
            let why = "what is to guard a transaction is held in another log";
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        self.epochs.insert(created.epoch);
        let target = (keyspace.clone(), text.clone());
        self.required.insert(target, created.revision);
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

    pub(crate) fn prepare(self) -> Prepared {
        let mut transaction = Transaction::new();
        let mut writings = Vec::new();
        for (target, pending) in self.writes {
            let stands = self.guards.get(&target).copied();
            let stands = stands.unwrap_or(Stands::Nothing);
            writings.push(pending.begin(&target.1, stands));
            if let Some(write) = pending.draft.write(stands) {
                transaction = transaction.write(&target.0, target.1, write);
            }
        }
        for ((keyspace, key), created) in &self.required {
            let since = Precondition::Since(*created);
            transaction = transaction.when(keyspace, key.clone(), since);
        }
        for ((keyspace, key), stands) in self.guards {
            transaction = transaction.when(&keyspace, key, stands.precondition());
        }
        Prepared {
            replicas: self.maps.into_iter().map(|(replica, _)| replica).collect(),
            transaction,
            epochs: self.epochs,
            sessions: self.sessions,
            required: self.required.into_keys().collect(),
            writings,
        }
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
