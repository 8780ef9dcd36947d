//! The keys that are deleted through a map, from when the log is told until the map shows it: its guard lets these pass.
//!
//! Never takes a key for deleted: it only says who wanted it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::key::Key;
use crate::ground::sync::{Mutex, lock};

/// How many deletes of a key are under way; of what may have been committed, nobody knows when it ends.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    under_way: usize,
    is_unknown: bool,
}

/// The keys, by their texts in the log.
#[derive(Debug, Default)]
pub(crate) struct Deletes(Mutex<HashMap<Bytes, Wanted>>);

impl Deletes {
    /// These are deleted from now on, until it is known what became of that.
    pub(crate) fn begin(self: &Arc<Self>, keys: Vec<Bytes>) -> Deleting {
        let mut wanted = lock(&self.0);
        for key in &keys {
            wanted.entry(key.clone()).or_default().under_way += 1;
        }
        drop(wanted);
        Deleting {
            deletes: Arc::clone(self),
            keys,
            is_known: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    pub(crate) fn include<K: Key>(&self, key: &K) -> bool {
        if self.is_empty() {
            return false;
        }
        let text = key.encode();
        text.is_ok_and(|text| lock(&self.0).contains_key(text.as_bytes()))
    }

    /// The map shows that it is gone.
    pub(crate) fn shown<K: Key>(&self, key: &K) {
        if let Ok(text) = key.encode() {
            lock(&self.0).remove(text.as_bytes());
        }
    }

    /// The map shows all that the log held after whatever nobody knows of.
    pub(crate) fn forget_unknown(&self) {
        lock(&self.0).retain(|_, wanted| {
            wanted.is_unknown = false;
            wanted.under_way > 0
        });
    }

    fn end(&self, keys: &[Bytes], is_known: bool) {
        let mut all = lock(&self.0);
        for key in keys {
            let Some(wanted) = all.get_mut(key) else {
                continue;
            };
            wanted.under_way = wanted.under_way.saturating_sub(1);
            wanted.is_unknown |= !is_known;
            if wanted.under_way == 0 && !wanted.is_unknown {
                all.remove(key);
            }
        }
    }
}

/// Deletes of one commit that are under way. Dropped before it was told that they are over, nobody knows.
#[derive(Debug)]
pub(crate) struct Deleting {
    deletes: Arc<Deletes>,
    keys: Vec<Bytes>,
    is_known: bool,
}

impl Deleting {
    /// The map shows it, or it will not come.
    pub(crate) fn is_over(&mut self) {
        self.is_known = true;
    }
}

impl Drop for Deleting {
    fn drop(&mut self) {
        self.deletes.end(&self.keys, self.is_known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Bytes = Bytes::from_static(b"key");

    fn includes(deletes: &Deletes, key: &str) -> bool {
        deletes.include(&key.to_owned())
    }

    #[test]
    fn a_delete_is_known_from_its_beginning_until_it_is_over() {
        let deletes = Arc::new(Deletes::default());
        let (mut one, mut other) = (deletes.begin(vec![KEY]), deletes.begin(vec![KEY]));
        assert!(includes(&deletes, "key") && !includes(&deletes, "other"));
        one.is_over();
        drop(one);
        assert!(includes(&deletes, "key"), "the other is under way");
        other.is_over();
        drop(other);
        assert!(deletes.is_empty());
    }

    #[test]
    fn one_of_which_nobody_knows_lasts_until_it_is_shown_or_all_is() {
        let deletes = Arc::new(Deletes::default());
        drop(deletes.begin(vec![KEY]));
        assert!(includes(&deletes, "key"));
        deletes.shown(&"key".to_owned());
        assert!(deletes.is_empty());

        drop(deletes.begin(vec![KEY]));
        let mut other = deletes.begin(vec![Bytes::from_static(b"other")]);
        deletes.forget_unknown();
        assert!(!includes(&deletes, "key") && includes(&deletes, "other"));
        other.is_over();
        drop(other);
        assert!(deletes.is_empty());
    }
}
