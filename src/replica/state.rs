//! What is published, whole: the entries, the position they are true at, and how it came about.
//!
//! A state never changes: the applier makes the next one beside it.

use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{Epoch, Position, Revision};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use tokio::time::Instant;

use crate::entry::change::{Change, ResyncReason};
use crate::entry::key::Key;
use crate::entry::quarantine::Quarantined;
use crate::replica::delta::Delta;
use crate::replica::entries::Entries;

/// What is published, whole, by the one applier.
pub(crate) struct State<K, V> {
    pub(crate) entries: Entries<K, V>,
    pub(crate) quarantine: OrdMap<Bytes, Quarantined>,
    /// Which replica published it: its counters compare only inside one.
    pub(crate) origin: Arc<()>,
    pub(crate) position: Position,
    /// Counts the publications that changed the entries: one more is the very next step.
    pub(crate) sequence: u64,
    /// The commit of the last publication that changed the entries: progress moves the position past it.
    pub(crate) changed: Revision,
    /// The commit that brought it about: nothing in this keyspace was written between that and the position.
    pub(crate) since: Revision,
    /// Counts the snapshots that were installed, and why the last one was.
    pub(crate) resyncs: u64,
    pub(crate) resync_reason: ResyncReason,
    /// When the log was followed into the life it is in now, if another was known here before.
    pub(crate) moved: Option<Instant>,
    /// What it changes of the one before it, if that is little: for readers who find the index on the way between the two.
    pub(crate) delta: Option<Delta<K, V>>,
}

impl<K: Key, V> State<K, V> {
    pub(crate) fn empty(origin: Arc<()>) -> State<K, V> {
        State {
            entries: Entries::new(),
            quarantine: OrdMap::new(),
            origin,
            position: Position::default(),
            sequence: 0,
            changed: Revision::ZERO,
            since: Revision::ZERO,
            resyncs: 0,
            resync_reason: ResyncReason::Hydration,
            moved: None,
            delta: None,
        }
    }

    /// Where it is true; `None` before the first snapshot.
    pub(crate) fn known_position(&self) -> Option<Position> {
        (self.resyncs > 0).then_some(self.position)
    }

    /// The life of the log it is from; `None` before the first snapshot.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.known_position().map(|position| position.epoch)
    }

    /// The commit of the last publication that changed the entries.
    pub(crate) fn changed_at(&self) -> Position {
        Position::new(self.position.epoch, self.changed)
    }

    /// Whether the map stood so when the log was there, as far as is known.
    pub(crate) fn stood_at(&self, at: Position) -> bool {
        self.position.covers(at) && self.since <= at.revision
    }

    /// The same map, in the applier's hands: the copy shares everything with this one.
    pub(crate) fn successor(&self) -> State<K, V> {
        State {
            entries: self.entries.clone(),
            quarantine: self.quarantine.clone(),
            origin: Arc::clone(&self.origin),
            delta: None,
            ..*self
        }
    }
}

/// What differs between two states, in the order of the keys: a change, or nothing where the key is not wanted. So whoever
/// takes turns can count what is passed over as well.
pub(crate) fn differences<'a, K: Key, V>(
    older: &'a State<K, V>,
    newer: &'a State<K, V>,
    wants: impl Fn(&K) -> bool + 'a,
) -> impl Iterator<Item = Option<Change<K, V>>> + 'a {
    let gone_by = newer.changed_at();
    older.entries.diff(&newer.entries).map(move |item| {
        let (key, old, new) = match item {
            DiffItem::Add(key, new) => (key, None, Some(new)),
            DiffItem::Update {
                old: (_, old),
                new: (key, new),
            } => (key, Some(old), Some(new)),
            DiffItem::Remove(key, old) => (key, Some(old), None),
        };
        wants(key).then(|| Change::between(K::clone(key), old.cloned(), new.cloned(), gone_by))
    })
}
