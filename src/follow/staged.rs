//! The next state, staged beside the one that is published, and what the two differ by.
//!
//! Nobody sees it before it is published, whole.

use std::sync::Arc;

use globe_log_client::Bytes;
use imbl::ordmap::DiffItem;

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::entry::quarantine::Quarantined;
use crate::replica::state::State;
use crate::replica::{Delta, Replica};

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
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&K, bool)> {
        self.delta.iter().map(|(key, value)| (key, value.is_some()))
    }

    /// A change that is in the state already.
    pub(crate) fn note(&mut self, item: DiffItem<'_, '_, K, Entry<V>>) {
        let (key, entry) = match item {
            DiffItem::Add(key, entry)
            | DiffItem::Update {
                new: (key, entry), ..
            } => (key, Some(entry)),
            DiffItem::Remove(key, _) => (key, None),
        };
        self.removed += usize::from(entry.is_none());
        let value = entry.map(|entry| Arc::clone(entry.value()));
        self.delta.push((key.clone(), value));
    }

    /// Whether what will be published holds other entries than what is.
    pub(crate) fn has_changes(&self) -> bool {
        !self.delta.is_empty()
    }

    /// Puts an entry in its place. The index is given this key, and the state a copy: made beside its value, it lies beside
    /// it in memory, where a look-up wants both.
    pub(crate) fn put(&mut self, key: K, entry: Entry<V>) {
        let value = Arc::clone(entry.value());
        self.state.entries.insert(key.clone(), entry);
        self.delta.push((key, Some(value)));
    }

    /// Takes an entry out, if there is one.
    pub(crate) fn remove(&mut self, key: &K) {
        if self.state.entries.remove(key).is_some() {
            self.delta.push((key.clone(), None));
            self.removed += 1;
        }
    }

    /// Lists a record as kept out.
    pub(crate) fn keep_out(&mut self, bad: Quarantined) {
        self.state.quarantine.insert(bad.text().clone(), bad);
    }

    /// A record is kept out no more.
    pub(crate) fn let_in(&mut self, text: &Bytes) {
        self.state.quarantine.remove(text);
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
