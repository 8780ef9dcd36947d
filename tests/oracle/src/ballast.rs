//! Entries that no client touches, too many for a history to hold them in every view: there, one entry says how many they
//! are.
//!
//! It writes none, and judges nothing.

use std::ops::Bound;

use crate::history::{Action, Event, Op, Outcome, Place, Stored, Value};
use crate::recorder::Recorder;
use crate::workload::KEYSPACES;

/// The keys of ballast begin so, and no others. The entry that stands for all of it is called so.
pub const BALLAST: &str = "ballast";
/// Behind every key that begins so.
const BEHIND: &str = "ballasu";

/// The keys before all ballast, and those behind it.
pub(crate) const AROUND: [(Bound<&str>, Bound<&str>); 2] = [
    (Bound::Unbounded, Bound::Excluded(BALLAST)),
    (Bound::Included(BEHIND), Bound::Unbounded),
];

/// Notes that so much ballast was laid in each keyspace, before anybody began to work on them.
pub fn laid(entries: usize, recorder: &Recorder) {
    let place = |keyspace: &str| Place {
        keyspace: keyspace.to_owned(),
        key: BALLAST.to_owned(),
    };
    recorder.record(Event::Op(Op {
        client: recorder.number(),
        node: u32::MAX,
        action: Action::PutAll(KEYSPACES.map(place).to_vec()),
        tags: vec![standing_for(entries).value.tag],
        call: recorder.now(),
        ret: Some(recorder.now()),
        given_up: None,
        outcome: Outcome::Done(None),
    }));
}

/// What a log holds, with one entry for its ballast.
#[must_use]
pub fn folded(records: impl IntoIterator<Item = (String, Stored)>) -> Vec<(String, Stored)> {
    let mut folded: Vec<_> = records.into_iter().collect();
    let all = folded.len();
    folded.retain(|(key, _)| !key.starts_with(BALLAST));
    let entries = all - folded.len();
    if entries > 0 {
        folded.push((BALLAST.to_owned(), standing_for(entries)));
    }
    folded
}

/// The entry that stands for so much ballast. Of many commits, none is told.
pub(crate) fn standing_for(entries: usize) -> Stored {
    let value = Value {
        tag: format!("{entries} entries"),
        ..Value::default()
    };
    Stored {
        value,
        created: 0,
        modified: 0,
    }
}
