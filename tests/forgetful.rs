//! Maps on a log that forgets its oldest commits by itself, as one does that was opened by `memory:`.
//!
//! What such a log keeps is the log's own tests' to say: here it is only what a map makes of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::{MemoryLog, connect};
use rig::shown::{changed, next, seen};
use rig::{brisk, delete_raw, numbers, reaches, within, write_raw};

const KEPT: usize = 3;

#[tokio::test(start_paused = true)]
async fn a_map_that_was_left_behind_by_a_forgetful_log_shows_exactly_what_it_missed() {
    let log = MemoryLog::builder().history(KEPT).build();
    let map = brisk(&log).await;
    map.put("gone", 1).await.unwrap();
    map.put("kept", 2).await.unwrap();
    let mut watch = map.watch();
    let resyncs = map.status().resyncs;
    log.hold_tails(true);
    delete_raw(&log, "numbers", "gone").await;
    let mut last = log.head_position();
    for value in [b"5", b"6", b"7", b"8"] {
        last = write_raw(&log, "numbers", "new", value).await;
    }
    log.hold_tails(false);
    reaches(&map, last).await;
    assert!(map.status().resyncs > resyncs, "the tail was not enough");
    let missed = [
        changed("gone", Some(1), None),
        changed("new", None, Some(8)),
    ];
    assert_eq!(seen(&next(&mut watch).await), missed);
    assert!(watch.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_map_that_keeps_up_with_a_forgetful_log_never_needs_a_second_snapshot() {
    let log = MemoryLog::builder().history(KEPT).build();
    let (map, other) = (numbers(&log).await, numbers(&log).await);
    for value in 0..10 * KEPT as u64 {
        let last = map.put("key", value).await.unwrap().position();
        reaches(&other, last).await;
    }
    assert_eq!((map.status().resyncs, other.status().resyncs), (0, 0));
}

#[tokio::test]
async fn a_url_says_how_much_a_memory_log_keeps() {
    let log = connect("memory:?history=2").await.unwrap();
    let space = rig::keyspace("numbers");
    let start = within("the head", log.head(&space)).await.unwrap();
    for _ in 0..3 {
        write_raw(&log, "numbers", "key", b"1").await;
    }
    let error = log.tail(&space, start).await.unwrap_err();
    assert_eq!(*error.kind(), globe::ErrorKind::Compacted);
}
