//! Long work takes turns with others on the executor, and costs what has changed.
//!
//! No clock decides anything: turns and calls are counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use globe::{CodecError, Decode, Encode, Globe, Json, Key, MemoryLog, Result};
use rig::{Around, in_a_gap, numbers, until, within, write_many, write_raw};

const ENTRIES: usize = 20_000;
/// At least so many turns others must have had while all entries were worked on once: one for each 256, and some slack.
const TURNS: usize = ENTRIES / 400;

/// Counts the turns another task gets.
struct Turns(Arc<AtomicUsize>);

impl Turns {
    fn begin() -> Turns {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        Turns(turns)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn name(number: usize) -> String {
    format!("k{number:06}")
}

/// A log that gives all its records in one page, as large as the map.
async fn filled() -> MemoryLog {
    let log = MemoryLog::builder().page_size(ENTRIES * 2).build();
    for first in (0..ENTRIES).step_by(100) {
        let entries = (first..first + 100).map(|number| (name(number), "1"));
        write_many(&log, "numbers", entries).await;
    }
    log
}

#[tokio::test]
async fn a_hydration_lets_others_have_their_turns() {
    let log = filled().await;
    let turns = Turns::begin();
    let map = numbers(&log).await;
    assert_eq!(map.len(), ENTRIES);
    // Decoded, stored, and indexed.
    assert!(turns.count() >= 3 * TURNS, "{} turns", turns.count());
}

#[tokio::test]
async fn a_resync_and_who_watches_it_let_others_have_their_turns() {
    let log = filled().await;
    let map = numbers(&log).await;
    let mut watch = map.watch();
    let mut of_key = map.watch_key(name(7));
    log.wipe();
    write_raw(&log, "numbers", "new", b"1").await;
    let turns = Turns::begin();
    until("the resync", || map.len() == 1).await;
    let resync = turns.count();
    assert!(resync >= 2 * TURNS, "{resync} turns");
    let changes = within("all are gone", watch.next()).await.unwrap();
    assert_eq!(changes.as_slice().len(), ENTRIES + 1);
    let watched = turns.count() - resync;
    assert!(watched >= TURNS, "{watched} turns");
    let changes = within("one is gone", of_key.next()).await.unwrap();
    assert_eq!(changes.as_slice().len(), 1);
    assert!(of_key.try_next().is_none());
}

#[tokio::test]
async fn a_watch_of_a_prefix_takes_turns_though_all_that_changed_lies_beside_it() {
    let log = filled().await;
    let map = numbers(&log).await;
    let mut watch = map.watch_prefix("a");
    map.put("a", 1).await.unwrap();
    log.wipe();
    write_raw(&log, "numbers", "a", b"2").await;
    until("the resync", || map.len() == 1).await;
    let turns = Turns::begin();
    let changes = within("one change", watch.next()).await.unwrap();
    assert_eq!(changes.as_slice().len(), 1);
    assert!(turns.count() >= TURNS, "{} turns", turns.count());
}

#[tokio::test]
async fn a_put_of_many_lets_others_have_their_turns_before_it_sends_anything() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = numbers(&around).await;
    let turns = Turns::begin();
    let commits = || around.calls().commits;
    let first = async {
        until("something is sent", || commits() > 0).await;
        turns.count()
    };
    let all = map.put_all((0..ENTRIES).map(|number| (name(number), 1)));
    let (put, before) = within("the put", async { tokio::join!(all, first) }).await;
    put.unwrap();
    assert!(before >= TURNS, "{before} turns");
    assert_eq!(map.len(), ENTRIES);
}

/// JSON that counts what is decoded.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Encode<u64> for Counted {
    fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
        Encode::encode(&Json, value)
    }
}

impl Decode<u64> for Counted {
    fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Decode::decode(&Json, bytes)
    }
}

#[tokio::test]
async fn a_resync_of_one_change_decodes_one_value() {
    let log = filled().await;
    let decoded = Arc::new(AtomicUsize::new(0));
    let map: Globe<String, u64> = Globe::builder(log.clone(), "numbers")
        .codec(Counted(Arc::clone(&decoded)))
        .open()
        .await
        .unwrap();
    assert_eq!(decoded.swap(0, Ordering::Relaxed), ENTRIES);
    in_a_gap(&log, write_raw(&log, "numbers", &name(7), b"2")).await;
    until("the resync", || map.status().resyncs == 1).await;
    assert_eq!(map.get(&name(7)).as_deref(), Some(&2));
    assert_eq!(decoded.load(Ordering::Relaxed), 1);
}

static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// A text that counts how often one is written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Text(String);

impl Key for Text {
    fn encode(&self) -> Result<String> {
        WRITTEN.fetch_add(1, Ordering::Relaxed);
        Ok(self.0.clone())
    }

    fn decode(text: &str) -> Result<Text> {
        Ok(Text(text.to_owned()))
    }

    fn at_or_after(text: &str) -> Option<Text> {
        Some(Text(text.to_owned()))
    }
}

#[tokio::test]
async fn deleting_a_prefix_looks_only_at_what_it_deletes() {
    let log = filled().await;
    let map: Globe<Text, u64> = Globe::open(log, "numbers").await.unwrap();
    WRITTEN.store(0, Ordering::Relaxed);
    assert_eq!(map.delete_prefix("k00001").await.unwrap().count(), 10);
    assert_eq!(map.delete_prefix("none").await.unwrap().count(), 0);
    assert_eq!(map.delete_prefix("k0199").await.unwrap().count(), 100);
    let written = WRITTEN.load(Ordering::Relaxed);
    assert!(written < 1_000, "{written} keys were written as text");
    assert_eq!(map.len(), ENTRIES - 110);
}
