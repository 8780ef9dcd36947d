//! A view is the whole map at exactly one position: every transaction is in it whole, or not at all.
//!
//! It compares each view with the truth at the position the view names.

use std::collections::BTreeMap;

use super::timeline::{Timeline, shown};
use crate::history::{History, Read, Sample, Shown};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut wrong = Vec::new();
    for sample in history.samples() {
        let (Read::View(position, seen) | Read::Final(position, seen)) = &sample.read else {
            continue;
        };
        let who = || format!("{} saw {} at {position}", who(sample), sample.keyspace);
        if let Some((a, b)) = torn(seen) {
            wrong.push(format!("{} with torn twins {a:?} and {b:?}", who()));
        }
        let Some(state) = timeline.state(&sample.keyspace, *position) else {
            continue;
        };
        let truth = shown(state);
        if truth != *seen {
            wrong.push(format!("{}: {}", who(), difference(&truth, seen)));
        }
    }
    wrong
}

pub(crate) fn who(sample: &Sample) -> String {
    format!(
        "reader {} of node {} at {} µs",
        sample.reader, sample.node, sample.call.micros
    )
}

fn torn(seen: &[Shown]) -> Option<(Option<&str>, Option<&str>)> {
    let tag = |key: &str| {
        let found = seen.iter().find(|(there, _)| there == key);
        found.map(|(_, version)| version.tag.as_str())
    };
    let (a, b) = (tag("twin-a"), tag("twin-b"));
    (a != b).then_some((a, b))
}

/// The first difference, for people.
pub(crate) fn difference(truth: &[Shown], seen: &[Shown]) -> String {
    let truth: BTreeMap<_, _> = truth.iter().map(|(key, version)| (key, version)).collect();
    let seen: BTreeMap<_, _> = seen.iter().map(|(key, version)| (key, version)).collect();
    let keys = truth.keys().chain(seen.keys());
    let mut different = keys.filter(|key| truth.get(*key) != seen.get(*key));
    different.next().map_or_else(
        || "the same, in another order".to_owned(),
        |key| {
            format!(
                "{key} is {:?} in the log, but {:?} was seen",
                truth.get(key),
                seen.get(key)
            )
        },
    )
}
