//! The exact difference between what a watch showed last and a newer state, as far as the watch covers it.
//!
//! It only compares: what is shown, and when, is the watch's to say.

use crate::entry::change::Change;
use crate::entry::key::Key;
use crate::replica::state::differences;
use crate::replica::subscribers::{Base, Interest, Span};

/// The changes of a span, in the order of their keys; nothing in the place of one that is not covered.
pub(crate) fn difference<'a, K: Key, V: Send + Sync>(
    span: &'a Span<K, V>,
    interest: &'a Interest<K, V>,
) -> Box<dyn Iterator<Item = Option<Change<K, V>>> + Send + 'a> {
    if let Interest::Key(key) = interest {
        return Box::new(std::iter::once(of_one_key(span, key)));
    }
    match &span.from {
        Base::State(older) => {
            let covers = |key: &K| interest.covers(key);
            let changes = differences(older, &span.to, covers);
            match interest {
                Interest::Values(covers) => Box::new(
                    changes.map(move |change| change.filter(|change| is_of(change, covers))),
                ),
                _ => Box::new(changes),
            }
        }
        // Only a watch of one key keeps an entry alone.
        Base::Entry { .. } => Box::new(std::iter::empty()),
    }
}

/// Whether the value that was there or the one that is now is one of those: what enters them and what leaves them is seen.
fn is_of<K, V>(change: &Change<K, V>, covers: impl Fn(&V) -> bool) -> bool {
    let mut values = change.old_value().into_iter().chain(change.new_value());
    values.any(|value| covers(value))
}

/// The change of one key, if there is any: two look-ups, however much else has changed.
fn of_one_key<K: Key, V>(span: &Span<K, V>, key: &K) -> Option<Change<K, V>> {
    let old = match &span.from {
        Base::State(older) => older.entries.get(key),
        Base::Entry { entry, .. } => entry.as_ref(),
    };
    let new = span.to.entries.get(key);
    (old != new).then(|| {
        let gone_by = span.to.changed_at();
        Change::between(key.clone(), old.cloned(), new.cloned(), gone_by)
    })
}
