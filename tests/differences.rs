//! Maps that the log has left behind: what they read again is what has changed, and no snapshot.
//!
//! What a log tells as a difference is its own suite's to say: here it is what a map makes of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::{Cause, Globe, Key, LastGood, MemoryLog, Position, ResyncReason};
use rig::shown::{changed, next, seen};
use rig::{
    Around, delete_raw, open, put_all, reaches, until, within, without_differences, write_raw,
};

type Numbers = Globe<String, u64>;

/// A map of `a` to `d`, on a way to the log that is cut, and counted from now on.
async fn left_behind(log: &MemoryLog) -> (Around, Numbers) {
    let around = Around::new(log);
    let map: Numbers = open(&around, "numbers").await;
    put_all(&map, [("a", 1), ("b", 2), ("c", 3), ("d", 4)]).await;
    around.cut(true);
    (around, map)
}

/// The log forgets all that was, and can be reached again.
async fn forgotten<K: Key>(log: &MemoryLog, around: &Around, map: &Globe<K, u64>) -> Position {
    let head = log.head_position();
    log.compact(head.revision).unwrap();
    around.cut(false);
    reaches(map, head).await;
    head
}

#[tokio::test(start_paused = true)]
async fn a_map_that_was_left_behind_reads_what_has_changed_and_no_snapshot() {
    let log = MemoryLog::new();
    let (around, map) = left_behind(&log).await;
    let mut watch = map.watch();
    delete_raw(&log, "numbers", "a").await;
    write_raw(&log, "numbers", "b", "20").await;
    delete_raw(&log, "numbers", "c").await;
    write_raw(&log, "numbers", "c", "30").await;
    write_raw(&log, "numbers", "e", "50").await;
    let head = forgotten(&log, &around, &map).await;
    let changes = next(&mut watch).await;
    let expected = [
        changed("a", Some(1), None),
        changed("b", Some(2), Some(20)),
        changed("c", Some(3), Some(30)),
        changed("e", None, Some(50)),
    ];
    assert_eq!(seen(&changes), expected);
    assert_eq!(changes.cause(), Cause::Resync(ResyncReason::Compacted));
    assert_eq!(changes.to(), head);
    assert!(watch.try_next().is_none());
    let calls = around.calls();
    assert_eq!((calls.snapshots, calls.differences), (1, 1));
    let status = map.status();
    assert_eq!((status.resyncs, status.violations), (1, 0));
    // And on from there.
    let last = write_raw(&log, "numbers", "f", "60").await;
    reaches(&map, last).await;
    assert_eq!(around.calls().snapshots, 1);
}

#[tokio::test(start_paused = true)]
async fn bad_records_come_and_go_with_a_difference_as_with_a_snapshot() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map: Numbers = open(&around, "numbers").await;
    put_all(&map, [("a", 1), ("b", 2), ("c", 3), ("d", 4)]).await;
    for key in ["a", "b", "c", "never good"] {
        let bad = write_raw(&log, "numbers", key, "nonsense").await;
        reaches(&map, bad).await;
    }
    // The newest one stands, so the log is known to be the same.
    put_all(&map, [("z", 5)]).await;
    around.cut(true);
    // One is mended, one deleted, one stays; another one comes.
    write_raw(&log, "numbers", "a", "10").await;
    delete_raw(&log, "numbers", "b").await;
    delete_raw(&log, "numbers", "never good").await;
    write_raw(&log, "numbers", "d", "nonsense").await;
    forgotten(&log, &around, &map).await;
    let quarantine = map.quarantine();
    let bad: Vec<_> = quarantine.iter().map(|bad| bad.key().to_vec()).collect();
    assert_eq!(bad, [b"c", b"d"]);
    let is_last_good = |good: LastGood| matches!(good, LastGood::Shown(_) | LastGood::Seen(_));
    assert!(quarantine.iter().all(|bad| is_last_good(bad.last_good)));
    let shown = ["a", "b", "c", "d"].map(|key| map.get(key).as_deref().copied());
    assert_eq!(shown, [Some(10), None, Some(3), Some(4)]);
    assert_eq!(around.calls().snapshots, 1);
}

#[tokio::test(start_paused = true)]
async fn where_the_newest_record_has_changed_nothing_proves_the_log_to_be_the_same_and_all_is_read()
{
    let log = MemoryLog::new();
    for has_gone in [true, false] {
        let (around, map) = left_behind(&log).await;
        match has_gone {
            true => delete_raw(&log, "numbers", "d").await,
            false => write_raw(&log, "numbers", "d", "40").await,
        };
        forgotten(&log, &around, &map).await;
        assert_eq!(map.contains_key("d"), !has_gone);
        assert_eq!(around.calls().snapshots, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_difference_that_breaks_off_gives_way_to_a_snapshot() {
    let log = MemoryLog::new();
    let (around, map) = left_behind(&log).await;
    write_raw(&log, "numbers", "a", "10").await;
    around.hang_after_pages(Some(0));
    log.compact(log.head_position().revision).unwrap();
    around.cut(false);
    until("a difference hangs", || around.calls().differences == 1).await;
    until("it is given up", || map.status().failures > 1).await;
    around.hang_after_pages(None);
    reaches(&map, log.head_position()).await;
    assert_eq!(map.get("a").as_deref(), Some(&10));
    let calls = around.calls();
    assert_eq!(calls.differences, 1);
    assert!(calls.snapshots > 1);
    // And the next time it is tried again.
    around.cut(true);
    write_raw(&log, "numbers", "a", "11").await;
    forgotten(&log, &around, &map).await;
    assert_eq!(around.calls().differences, 2);
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_away_no_snapshot_takes_the_place_of_a_difference() {
    let log = MemoryLog::new();
    let (around, map) = left_behind(&log).await;
    let head = write_raw(&log, "numbers", "a", "10").await;
    log.compact(head.revision).unwrap();
    around.break_tails_after(Some((0, compacted())));
    around.cut(false);
    until("a resync is needed", || around.calls().tails > 1).await;
    log.set_available(false);
    let asked = around.calls().differences;
    until("it was asked again", || {
        around.calls().differences > asked + 2
    })
    .await;
    around.break_tails_after(None);
    log.set_available(true);
    reaches(&map, head).await;
    assert_eq!(around.calls().snapshots, 1);
}

fn compacted() -> globe::Error {
    globe::Error::new(globe::ErrorKind::Compacted, "it is forgotten")
}

#[tokio::test(start_paused = true)]
async fn of_a_log_that_tells_no_differences_a_snapshot_is_read() {
    let log = without_differences();
    let (around, map) = left_behind(&log).await;
    write_raw(&log, "numbers", "a", "10").await;
    forgotten(&log, &around, &map).await;
    assert_eq!(map.get("a").as_deref(), Some(&10));
    let calls = around.calls();
    assert_eq!((calls.snapshots, calls.differences), (2, 0));
}

/// A map that follows the log, and was never told that `b` is 20 now.
async fn lacks_a_write(log: &MemoryLog) -> (Around, Numbers) {
    let (around, map) = left_behind(log).await;
    around.distort(|mut batch| {
        batch.changes.clear();
        vec![batch]
    });
    around.cut(false);
    let hidden = write_raw(log, "numbers", "b", "20").await;
    reaches(&map, hidden).await;
    assert_eq!(map.get("b").as_deref(), Some(&2), "it was never delivered");
    around.be_honest();
    (around, map)
}

#[tokio::test(start_paused = true)]
async fn what_is_doubted_is_read_whole() {
    let (around, map) = lacks_a_write(&MemoryLog::new()).await;
    // Who writes is told, and the map learns that it lacks something.
    within("a put", map.put("b", 21)).await.unwrap();
    until("it is read anew", || around.calls().snapshots == 2).await;
    assert_eq!(around.calls().differences, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_doubted_while_the_tail_is_lost_is_read_whole_as_well() {
    let (around, map) = lacks_a_write(&MemoryLog::new()).await;
    around.cut(true);
    until("the tail is lost", || map.status().failures > 0).await;
    // From now on there is no tail, and difference follows on difference.
    around.break_tails_after(Some((0, compacted())));
    around.cut(false);
    until("differences are read", || around.calls().differences > 2).await;
    assert_eq!(map.get("b").as_deref(), Some(&2), "they do not find it");
    within("a put", map.put("b", 21)).await.unwrap();
    until("it is read anew", || around.calls().snapshots > 1).await;
    assert_eq!(map.get("b").as_deref(), Some(&21));
}

/// Equal whatever the case of its letters, as it is written all the same.
#[derive(Clone, Debug)]
struct AnyCase(String);

impl AnyCase {
    fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for AnyCase {
    fn eq(&self, other: &AnyCase) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for AnyCase {}

impl std::hash::Hash for AnyCase {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl Ord for AnyCase {
    fn cmp(&self, other: &AnyCase) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}

rig::text_key::text_key!(AnyCase);

#[tokio::test(start_paused = true)]
async fn where_keys_are_equal_that_are_written_otherwise_all_is_read() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map: Globe<AnyCase, u64> = open(&around, "numbers").await;
    let first = write_raw(&log, "numbers", "Key", "1").await;
    reaches(&map, first).await;
    let key = AnyCase("key".to_owned());
    around.cut(true);
    write_raw(&log, "numbers", "kEy", "2").await;
    forgotten(&log, &around, &map).await;
    assert_eq!(around.calls().snapshots, 2, "one of them may be shown");
    assert_eq!(map.get(&key).as_deref(), Some(&1));
    around.cut(true);
    // The one that is shown goes, and the other one comes into its place.
    delete_raw(&log, "numbers", "Key").await;
    forgotten(&log, &around, &map).await;
    assert_eq!(map.get(&key).as_deref(), Some(&2));
    assert!(map.quarantine().is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_told_and_one_that_has_changed_is_found() {
    let log = MemoryLog::builder().page_size(100).build();
    let around = Around::new(&log);
    let map: Numbers = open(&around, "numbers").await;
    let entries = (0..2_500_u64).map(|number| (format!("{number:05}"), number));
    map.put_all(entries).await.unwrap();
    around.cut(true);
    write_raw(&log, "numbers", "01234", "0").await;
    delete_raw(&log, "numbers", "02345").await;
    forgotten(&log, &around, &map).await;
    assert_eq!(map.get("01234").as_deref(), Some(&0));
    assert_eq!((map.get("02345"), map.len()), (None, 2_499));
    assert_eq!(around.calls().snapshots, 1);
}
