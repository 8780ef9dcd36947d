//! What two threads do to one replica at once, each scene with what must be true of it.
//!
//! A scene is one run: all of them are loom's to try.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use globe_log_client::{Epoch, Keyspace, Position, Record, Revision};
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use crate::entry::Entry;
use crate::replica::Replica;
use crate::replica::delta::Delta;
use crate::threads::{all_end, begin};

type Map = Arc<Replica<u8, u64>>;

const KEY: u8 = 7;

fn replica() -> Map {
    Arc::new(Replica::new(
        Keyspace::new("scene").unwrap_or_else(|error| panic!("{error}")),
    ))
}

/// Publishes one commit, as the applier does. It writes its revision under the key.
fn publish(map: &Map, revision: u64) {
    let mut state = map.state().successor();
    let record = Record::new("7", "", Revision(1), Revision(revision));
    let entry = Entry::new(&record, Epoch::new(1), revision);
    let key = Arc::new(KEY);
    let mut delta = Delta::new();
    delta.push(Arc::clone(&key), Some(Arc::clone(entry.value())));
    state.entries.insert(key, entry);
    state.position = Position::new(Epoch::new(1), Revision(revision));
    state.sequence += 1;
    let published = map.publish(state, delta).now_or_never();
    assert!(published.is_some(), "so little is published in one turn");
}

fn get(map: &Map) -> u64 {
    map.get(&KEY).map_or(0, |value| *value)
}

fn view(map: &Map) -> u64 {
    let state = map.state();
    state.entries.get(&KEY).map_or(0, |entry| **entry.value())
}

/// A `get` shows no less than a view taken before it, and no more than one taken after it.
pub fn a_get_lies_between_the_views_around_it() {
    let map = replica();
    let reader = begin(&map, move |map| {
        let seen = [view(&map), get(&map), view(&map)];
        assert!(seen.is_sorted(), "{seen:?}");
    });
    publish(&map, 1);
    publish(&map, 2);
    all_end([reader]);
}

/// Two looks of one thread never go back.
pub fn gets_never_go_back() {
    let map = replica();
    let reader = begin(&map, move |map| {
        let seen = [get(&map), get(&map)];
        assert!(seen.is_sorted(), "{seen:?}");
    });
    publish(&map, 1);
    publish(&map, 2);
    all_end([reader]);
}

/// What one thread has seen, another that was told of it by a flag sees as well.
pub fn who_was_told_sees_as_much() {
    let map = replica();
    let told = Arc::new(AtomicU64::new(0));
    let teller = {
        let (map, told) = (Arc::clone(&map), Arc::clone(&told));
        thread::spawn(move || told.store(view(&map), Ordering::Release))
    };
    let listener = begin(&map, move |map| {
        let seen = told.load(Ordering::Acquire);
        let here = get(&map);
        assert!(here >= seen, "told of {seen}, saw {here}");
    });
    publish(&map, 1);
    all_end([teller, listener]);
}
