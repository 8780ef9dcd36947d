//! The next state, staged beside the one that is published, and what the two differ by.
//!
//! Nobody sees it before it is published, whole.

use std::sync::Arc;

use globe_log_client::Bytes;
use imbl::ordmap::DiffItem;

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::entry::quarantine::Quarantined;
use crate::ground::pace::Pace;
use crate::replica::Replica;
use crate::replica::delta::Delta;
use crate::replica::entries::Difference;
use crate::replica::state::State;

/// A state in the making.
pub(crate) struct Staged<K, V> {
    pub(crate) state: State<K, V>,
    delta: Delta<K, V>,
    removed: usize,
}

impl<K: Key, V> Staged<K, V> {
    /// What follows on `now`: the same, until something is changed.
    pub(crate) fn after(now: &State<K, V>) -> Staged<K, V> {
        Staged {
            state: now.successor(),
            delta: Delta::new(),
            removed: 0,
        }
    }

    /// How many entries were taken out.
    pub(crate) fn removed(&self) -> usize {
        self.removed
    }

    /// The keys whose entries will be others, and whether they will have one.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&Arc<K>, bool)> {
        self.delta.iter().map(|(key, value)| (key, value.is_some()))
    }

    /// A change that is in the state already.
    pub(crate) fn note(&mut self, item: Difference<'_, K, V>) {
        let (key, entry) = match item {
            DiffItem::Add(key, entry)
            | DiffItem::Update {
                new: (key, entry), ..
            } => (key, Some(entry)),
            DiffItem::Remove(key, _) => (key, None),
        };
        self.removed += usize::from(entry.is_none());
        let value = entry.map(|entry| Arc::clone(entry.value()));
        self.delta.push(Arc::clone(key), value);
    }

    /// Whether what will be published holds other entries than what is.
    pub(crate) fn has_changes(&self) -> bool {
        !self.delta.is_empty()
    }

    /// Puts an entry in its place.
    pub(crate) fn put(&mut self, key: Arc<K>, entry: Entry<V>) {
        let value = Arc::clone(entry.value());
        self.state.entries.insert(Arc::clone(&key), entry);
        self.delta.push(key, Some(value));
    }

    /// Puts entries that come in the order of their keys, behind all that there are.
    ///
    /// Every other one first: a leaf of the map that is full is split in the middle, so that a run which is put in its order
    /// leaves each of them half empty; those that are put later fill them up (`tests/costs.rs` counts it).
    pub(crate) async fn append(
        &mut self,
        run: impl ExactSizeIterator<Item = (Arc<K>, Entry<V>)>,
        pace: &mut Pace,
    ) {
        let mut later = Vec::with_capacity(run.len() / 2);
        for (place, (key, entry)) in run.enumerate() {
            let value = Arc::clone(entry.value());
            self.delta.push(Arc::clone(&key), Some(value));
            match place % 2 {
                0 => self.state.entries.insert(key, entry),
                _ => later.push((key, entry)),
            }
            pace.step().await;
        }
        for (key, entry) in later {
            self.state.entries.insert(key, entry);
            pace.step().await;
        }
    }

    /// Takes an entry out, if there is one.
    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(key) = self.state.entries.remove(key) {
            self.delta.push(key, None);
            self.removed += 1;
        }
    }

    /// Lists a record as kept out.
    pub(crate) fn keep_out(&mut self, bad: Quarantined) {
        self.state.quarantine.insert(bad.text().clone(), bad);
    }

    /// A record is kept out no more.
    pub(crate) fn let_in(&mut self, text: &Bytes) {
        // Asked first: to take out nothing would copy what it looked through.
        if self.state.quarantine.contains_key(text) {
            self.state.quarantine.remove(text);
        }
    }

    pub(crate) async fn publish(mut self, replica: &Replica<K, V>)
    where
        V: Send + Sync + 'static,
    {
        if self.has_changes() {
            self.state.sequence += 1;
            self.state.changed = self.state.position.revision;
        }
        replica.publish(self.state, self.delta).await;
    }
}
