//! What a publication changes: the keys, and what stands there then.
//!
//! It never says what stood there before.

use std::borrow::Borrow;
use std::sync::Arc;

use smallvec::SmallVec;

/// Up to how many changes are little enough that every reader may look through them.
const LITTLE: usize = 16;

/// In the order in which they were made: of two changes of one key the later counts. Mostly it is one.
pub(crate) struct Delta<K, V>(SmallVec<[Change<K, V>; 1]>);

type Change<K, V> = (Arc<K>, Option<Arc<V>>);

impl<K, V> Delta<K, V> {
    pub(crate) fn new() -> Delta<K, V> {
        Delta(SmallVec::new())
    }

    pub(crate) fn push(&mut self, key: Arc<K>, value: Option<Arc<V>>) {
        self.0.push((key, value));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Change<K, V>> {
        self.0.iter()
    }

    /// Once more, if it is little; it shares everything with this one.
    pub(crate) fn little(&self) -> Option<Delta<K, V>> {
        (self.len() <= LITTLE).then(|| Delta(self.0.clone()))
    }

    /// What it puts in the place of a key; `None` for one that it does not change.
    pub(crate) fn find<Q>(&self, key: &Q) -> Option<Option<&Arc<V>>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut newest_first = self.0.iter().rev();
        let found = newest_first.find(|(changed, _)| (**changed).borrow() == key);
        found.map(|(_, value)| value.as_ref())
    }
}

impl<K, V> IntoIterator for Delta<K, V> {
    type Item = Change<K, V>;
    type IntoIter = smallvec::IntoIter<[Change<K, V>; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_changes_of_a_key_the_later_is_found() {
        let mut delta = Delta::new();
        for (key, value) in [(1, Some(10)), (2, Some(20)), (1, None), (2, Some(21))] {
            delta.push(Arc::new(key), value.map(Arc::new));
        }
        let found = [1, 2, 3].map(|key| delta.find(&key).map(|value| value.map(|value| **value)));
        assert_eq!(found, [Some(None), Some(Some(21)), None]);
    }

    #[test]
    fn what_changes_much_is_not_handed_to_every_reader() {
        let mut delta = Delta::new();
        for key in 0..LITTLE {
            delta.push(Arc::new(key), Some(Arc::new(key)));
        }
        assert_eq!(delta.little().map(|little| little.len()), Some(LITTLE));
        delta.push(Arc::new(LITTLE), None);
        assert!(delta.little().is_none());
    }
}
