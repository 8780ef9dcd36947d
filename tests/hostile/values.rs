//! Values whose `Drop` panics, blocks or comes back in, and codecs that block: whoever they belong to is held up alone.
//!
//! Never a value the caller drops itself: what that does is the caller's own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe::{CodecError, Decode, Encode, ErrorKind, Globe, Json, LogClient, MemoryLog, Phase};

use crate::rig::{Around, fails_with, until, within, write_many, write_raw};
use crate::traps::{
    Fused, Fuses, Gate, Neighbour, act, has_failed, lives_on, on_every_runtime, on_threads,
    panics_once, some_numbers,
};

type Map = Globe<String, Fused>;

async fn open(log: &MemoryLog, fuses: &Fuses) -> Map {
    let builder = Globe::builder_with(log.clone(), "numbers", fuses.clone());
    within("a map is opened", builder.open()).await.unwrap()
}

/// A few numbers, the fuses that may be laid in them, and a map of them.
async fn fused() -> (MemoryLog, Fuses, Map) {
    let (log, fuses) = (some_numbers().await, Fuses::default());
    let map = open(&log, &fuses).await;
    (log, fuses, map)
}

/// What is shown, however one looks. What is published between two looks is looked at once more.
fn shown(map: &Map, key: &str) -> Option<u64> {
    loop {
        let (before, got, view) = (map.view(), map.get(key), map.view());
        if before.position() == view.position() {
            let got = got.map(|value| value.number);
            assert_eq!(view.get(key).map(|value| value.number), got);
            return got;
        }
    }
}

/// Writes a value with a fuse over `good`, as another program does, and then another one over that.
async fn set_off(log: &MemoryLog, map: &Map) {
    write_raw(log, "numbers", "good", b"13").await;
    until("it is here", || shown(map, "good") == Some(13)).await;
    write_raw(log, "numbers", "good", b"14").await;
}

#[test]
fn a_drop_that_panics_ends_the_map_as_failed() {
    on_every_runtime(|| async {
        let (log, fuses, map) = fused().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        let mut watch = map.watch_key("never");
        fuses.lay(13, panics_once());
        set_off(&log, &map).await;
        has_failed(&map, &mut watch).await;
        assert_eq!(shown(&map, "other"), Some(2));
        assert_eq!(shown(&map, "good"), Some(14), "what replaced it");
        let late = within("a write ends", map.put("late", Fused::new(1))).await;
        fails_with(late, ErrorKind::Panicked);
        neighbour.goes_on().await;
    });
}

#[test]
fn a_write_that_sets_off_a_panic_says_that_it_is_committed() {
    on_every_runtime(|| async {
        let (log, fuses, map) = fused().await;
        fuses.lay(13, panics_once());
        write_raw(&log, "numbers", "good", b"13").await;
        until("it is here", || shown(&map, "good") == Some(13)).await;
        // Of all writes the one that keeps nothing of the map while it waits: the last to let go is the map.
        let version = map.get_entry("good").map(|entry| entry.version()).unwrap();
        let put = map.put_if("good", Fused::new(14), version);
        let error = within("it is answered", put).await.unwrap_err();
        let ErrorKind::Behind(position) = *error.kind() else {
            panic!("{error}");
        };
        assert_eq!(position, log.head_position());
    });
}

/// A log that takes large transactions.
async fn roomy() -> MemoryLog {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.max_operations = 10_000;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    write_raw(&log, "numbers", "good", b"1").await;
    log
}

#[test]
fn a_drop_that_panics_in_a_large_step_harms_nobody() {
    on_every_runtime(|| async {
        let log = roomy().await;
        let fuses = Fuses::default();
        let map = open(&log, &fuses).await;
        let dropped = Arc::new(AtomicUsize::new(0));
        let (panics, count) = (panics_once(), Arc::clone(&dropped));
        let fuse = move || {
            count.fetch_add(1, Ordering::SeqCst);
            panics();
        };
        fuses.lay(13, act(fuse));
        write_raw(&log, "numbers", "good", b"13").await;
        until("it is here", || shown(&map, "good") == Some(13)).await;
        let many = (0..2_000).map(|key| (format!("k{key}"), "1"));
        let last = ("good".to_owned(), "14");
        write_many(&log, "numbers", many.chain([last])).await;
        until("it is dropped", || dropped.load(Ordering::SeqCst) == 1).await;
        let put = within("it follows", map.put("late", Fused::new(1)));
        put.await.unwrap();
        assert_eq!((map.len(), shown(&map, "good")), (2_002, Some(14)));
        lives_on(&map).await;
    });
}

#[test]
fn a_drop_may_look_at_its_map_and_drop_its_watches() {
    on_every_runtime(|| async {
        let (log, fuses, map) = fused().await;
        let looks = Arc::new(AtomicUsize::new(0));
        let (count, inner) = (Arc::clone(&looks), map.clone());
        let kept = Mutex::new(vec![map.watch(), map.watch_key("good")]);
        let look = move || {
            assert_eq!(inner.get("other").map(|value| value.number), Some(2));
            assert_eq!(inner.view().len(), inner.len());
            drop((inner.status(), inner.position(), inner.quarantine()));
            drop(inner.watch_prefix("go"));
            kept.lock().unwrap().clear();
            kept.lock().unwrap().push(inner.watch_key("good"));
            count.fetch_add(1, Ordering::SeqCst);
        };
        fuses.lay(13, act(look));
        for round in 1..4 {
            set_off(&log, &map).await;
            until("it looked", || looks.load(Ordering::SeqCst) == round).await;
        }
        within("it follows", map.put("late", Fused::new(1)))
            .await
            .unwrap();
        lives_on(&map).await;
    });
}

#[test]
fn a_drop_may_start_a_write_and_it_is_made() {
    on_every_runtime(|| async {
        let (log, fuses, map) = fused().await;
        let inner = map.clone();
        let write = move || {
            let inner = inner.clone();
            tokio::spawn(async move { inner.put("last words", Fused::new(1)).await });
        };
        fuses.lay(13, act(write));
        set_off(&log, &map).await;
        until("they are heard", || map.contains_key("last words")).await;
    });
}

#[test]
fn a_drop_may_close_its_map_or_let_the_last_handle_go() {
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        let fuses = Fuses::default();
        let map = open(&log, &fuses).await;
        let mut watch = map.watch_key("never");
        let inner = map.clone();
        let close = move || {
            let inner = inner.clone();
            tokio::spawn(async move { inner.close().await });
        };
        fuses.lay(13, act(close));
        set_off(&log, &map).await;
        assert!(within("the watch ends", watch.next()).await.is_none());
        let why = watch.ended().expect("it says why");
        assert_eq!(*why.kind(), ErrorKind::Closed);
        assert_eq!(map.status().phase, Phase::Closed);

        let fuses = Fuses::default();
        let map = open(&log, &fuses).await;
        let mut watch = map.watch_key("never");
        write_raw(&log, "numbers", "good", b"15").await;
        until("it is here", || shown(&map, "good") == Some(15)).await;
        write_raw(&log, "numbers", "good", b"14").await;
        until("it is replaced", || shown(&map, "good") == Some(14)).await;
        let last = Mutex::new(Some(map));
        fuses.lay(13, act(move || drop(last.lock().unwrap().take())));
        write_raw(&log, "numbers", "good", b"13").await;
        write_raw(&log, "numbers", "good", b"14").await;
        assert!(within("the watch ends", watch.next()).await.is_none());
        let why = watch.ended().expect("it says why");
        assert_eq!(*why.kind(), ErrorKind::Closed);
        neighbour.goes_on().await;
    });
}

#[test]
fn a_drop_that_blocks_holds_up_its_own_map_and_no_reader() {
    on_threads(|| async {
        let log = some_numbers().await;
        let fuses = Fuses::default();
        let builder = Globe::builder_with(log.clone(), "numbers", fuses.clone());
        let deadline = builder.deadline(Duration::from_millis(200));
        let map = within("a map is opened", deadline.open()).await.unwrap();
        let mut neighbour = Neighbour::move_in(&log).await;
        let gate = Gate::shut();
        let held = gate.clone();
        fuses.lay(13, act(move || held.pass()));
        set_off(&log, &map).await;
        until("it blocks", || gate.holds()).await;
        assert_eq!(shown(&map, "good"), Some(14));
        assert_eq!(shown(&map, "other"), Some(2));
        drop((map.watch(), map.watch_key("good"), map.status()));
        neighbour.goes_on().await;
        let put = within("it is answered", map.put("late", Fused::new(1))).await;
        let error = put.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Behind(_)), "{error}");
        gate.open();
        until("it follows", || shown(&map, "late") == Some(1)).await;
    });
}

/// Stands still at one value, until it is let on.
struct Slow(Gate);

impl Encode<u64> for Slow {
    fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
        Json.encode(value)
    }
}

impl Decode<u64> for Slow {
    fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
        if bytes == b"13" {
            self.0.pass();
        }
        Json.decode(bytes)
    }
}

#[test]
fn a_codec_that_blocks_holds_up_its_own_map_and_no_reader() {
    on_threads(|| async {
        let log = some_numbers().await;
        let gate = Gate::shut();
        let builder = Globe::builder_with(log.clone(), "numbers", Slow(gate.clone()));
        let deadline = builder.deadline(Duration::from_millis(200));
        let map: Globe<String, u64> = within("a map is opened", deadline.open()).await.unwrap();
        let mut neighbour = Neighbour::move_in(&log).await;
        write_raw(&log, "numbers", "good", b"13").await;
        until("it blocks", || gate.holds()).await;
        assert_eq!(map.get("good").as_deref(), Some(&1));
        assert_eq!(map.view().len(), 2);
        neighbour.goes_on().await;
        let put = within("it is answered", map.put("late", 1)).await;
        let error = put.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Behind(_)), "{error}");
        fails_with(within("it is answered", map.sync()).await, ErrorKind::Stale);
        gate.open();
        until("it follows", || map.get("late").as_deref() == Some(&1)).await;
        assert_eq!(map.get("good").as_deref(), Some(&13));
    });
}

#[test]
fn a_drop_that_panics_while_its_map_is_closed_is_said_to_have_ended_it() {
    on_every_runtime(|| async {
        let log = MemoryLog::builder().page_size(1).build();
        write_raw(&log, "numbers", "first", b"13").await;
        write_raw(&log, "numbers", "second", b"14").await;
        let around = Around::new(&log);
        // What was read of it belongs to nobody yet.
        around.hang_after_pages(Some(1));
        let fuses = Fuses::default();
        fuses.lay(13, panics_once());
        let map: Map = Globe::builder_with(around, "numbers", fuses.clone())
            .start()
            .unwrap();
        until("it was read", || fuses.were_given() == 1).await;
        within("closing", map.close()).await;
        assert_eq!(map.status().phase, Phase::Failed);
        let error = map.status().last_error.expect("it says why");
        assert_eq!(*error.kind(), ErrorKind::Panicked, "{error}");
    });
}

#[test]
fn a_close_is_bounded_though_a_codec_blocks() {
    on_threads(|| async {
        let log = some_numbers().await;
        let gate = Gate::shut();
        let builder = Globe::builder_with(log.clone(), "numbers", Slow(gate.clone()));
        let map: Globe<String, u64> = within("a map is opened", builder.open()).await.unwrap();
        write_raw(&log, "numbers", "good", b"13").await;
        until("it blocks", || gate.holds()).await;
        within("the close", map.close()).await;
        assert_eq!(map.status().phase, Phase::Closed);
        fails_with(map.put("late", 1).await, ErrorKind::Closed);
        gate.open();
    });
}
