//! Stand-ins for what the order of claims reads: a view of a map, with what is in it.
//!
//! Each holds what the real one shows, and has no bad records.

use std::collections::BTreeMap;
use std::ops::Deref;

use globe_log_client::Revision;

/// A value, and the commit that created its key.
pub(crate) struct Entry<V> {
    value: V,
    created: Revision,
}

impl<V> Entry<V> {
    pub(crate) fn new(value: V, created: u64) -> Entry<V> {
        let created = Revision(created);
        Entry { value, created }
    }

    pub(crate) fn created(&self) -> Created {
        Created(self.created)
    }
}

/// The commit that created a key.
pub(crate) struct Created(Revision);

impl Created {
    pub(crate) fn revision(&self) -> Revision {
        self.0
    }
}

impl<V> Deref for Entry<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

/// A record that cannot be read. There is none.
pub(crate) struct Quarantined;

impl Quarantined {
    pub(crate) fn key(&self) -> &[u8] {
        &[]
    }
}

/// What stood at one moment.
pub(crate) struct View<K, V>(BTreeMap<K, Entry<V>>);

impl<V> View<String, V> {
    pub(crate) fn new(entries: impl IntoIterator<Item = (String, Entry<V>)>) -> View<String, V> {
        View(entries.into_iter().collect())
    }

    pub(crate) fn quarantine(&self) -> impl Iterator<Item = &Quarantined> {
        std::iter::empty()
    }

    pub(crate) fn with_prefix(&self, prefix: &&str) -> impl Iterator<Item = (&String, &Entry<V>)> {
        let entries = self.0.iter();
        entries.filter(move |(key, _)| key.starts_with(*prefix))
    }
}
