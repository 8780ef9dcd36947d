//! What a watch has shown, in a form that can be compared.
//!
//! Never waits without a bound.

use std::sync::Arc;

use globe::{Changes, View, Watch};

use super::truth::Content;
use super::within;

pub(crate) type Seen = (String, Option<u64>, Option<u64>);

/// Each change as key, old and new value.
pub(crate) fn seen(changes: &Changes<String, u64>) -> Vec<Seen> {
    let each = changes.iter().map(|change| {
        let value = |value: Option<&Arc<u64>>| value.map(|value| **value);
        (
            change.key().clone(),
            value(change.old_value()),
            value(change.new_value()),
        )
    });
    each.collect()
}

pub(crate) fn changed(key: &str, old: Option<u64>, new: Option<u64>) -> Seen {
    (key.to_owned(), old, new)
}

pub(crate) async fn next(watch: &mut Watch<String, u64>) -> Changes<String, u64> {
    within("a change is shown", watch.next())
        .await
        .expect("the map is open")
}

pub(crate) fn content(view: &View<String, u64>) -> Content {
    let entries = view.iter();
    entries
        .map(|(key, entry)| (key.clone(), **entry.value()))
        .collect()
}

/// Applies changes to what was folded so far, and checks that each begins with what stands there.
pub(crate) fn fold(folded: &mut Content, changes: &Changes<String, u64>) {
    for (key, old, new) in seen(changes) {
        let stood = match new {
            Some(new) => folded.insert(key.clone(), new),
            None => folded.remove(&key),
        };
        assert_eq!(stood, old, "{key} in {changes:?}");
    }
}
