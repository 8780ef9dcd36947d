//! The last good value of a bad record: shown by every node alike as far as the log's history tells, and never that of
//! another life of the log.
//!
//! What is bad is written past the map, as another program would.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::{Globe, LastGood, MemoryLog};
use rig::{brisk, delete_raw, follows_life, fresh, numbers, until, within, write_raw};

type Numbers = Globe<String, u64>;

/// What a map shows at a key, and what it says of the bad record there.
fn shown(map: &Numbers, key: &str) -> (Option<u64>, Option<LastGood>) {
    let view = map.view();
    let bad = view
        .quarantine()
        .find(|bad| bad.key() == key.as_bytes())
        .cloned();
    (
        view.get(key).map(|value| *value),
        bad.map(|bad| bad.last_good),
    )
}

async fn bad(log: &MemoryLog, key: &str) {
    write_raw(log, "numbers", key, b"bad").await;
}

#[tokio::test(start_paused = true)]
async fn a_fresh_node_shows_the_last_good_value_as_the_others_do() {
    let log = MemoryLog::new();
    let old = numbers(&log).await;
    // One good value, several, some bad ones in a row, one deleted in between, one that was never good.
    for key in ["one", "several", "row", "again"] {
        old.put(key, 1).await.unwrap();
    }
    old.put("several", 2).await.unwrap();
    bad(&log, "row").await;
    bad(&log, "row").await;
    delete_raw(&log, "numbers", "again").await;
    for key in ["one", "several", "row", "again", "never"] {
        bad(&log, key).await;
    }
    within("it is seen", old.sync()).await.unwrap();
    let fresh = numbers(&log).await;
    assert_eq!(old.position(), fresh.position());
    assert_eq!(fresh.quarantine(), old.quarantine());
    assert!(fresh.view().diff(&old.view()).is_empty());
    for map in [&old, &fresh] {
        for (key, value) in [("one", 1), ("several", 2), ("row", 1)] {
            let (found, last_good) = shown(map, key);
            assert_eq!(found, Some(value), "{key}");
            let version = map.get_entry(key).unwrap().version();
            assert_eq!(last_good, Some(LastGood::Shown(version)), "{key}");
        }
        for key in ["again", "never"] {
            assert_eq!(shown(map, key), (None, Some(LastGood::None)), "{key}");
        }
    }
    // And compare-and-swap is by the bad record, not by what is shown in its place.
    fresh.put("one", 3).await.unwrap();
    assert_eq!(shown(&fresh, "one"), (Some(3), None));
}

#[tokio::test(start_paused = true)]
async fn what_the_log_has_forgotten_is_said_to_be() {
    let log = MemoryLog::new();
    let old = numbers(&log).await;
    let good = old.put("k", 1).await.unwrap().position();
    bad(&log, "k").await;
    within("it is seen", old.sync()).await.unwrap();
    log.compact(log.head_position().revision).unwrap();
    let fresh = numbers(&log).await;
    assert_eq!(shown(&fresh, "k"), (None, Some(LastGood::Forgotten)));
    let (value, last_good) = shown(&old, "k");
    assert_eq!(value, Some(1));
    assert!(matches!(last_good, Some(LastGood::Shown(version)) if version.position() == good));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_missed_the_last_good_value_looks_it_up() {
    let log = MemoryLog::new();
    let around = rig::Around::new(&log);
    let map = brisk(&around).await;
    map.put("k", 1).await.unwrap();
    map.put("forgotten", 1).await.unwrap();
    log.hold_tails(true);
    bad(&log, "forgotten").await;
    let gap = write_raw(&log, "numbers", "x", b"1").await;
    log.compact(gap.revision).unwrap();
    write_raw(&log, "numbers", "k", b"2").await;
    bad(&log, "k").await;
    log.hold_tails(false);
    until("the resync", || map.status().resyncs == 1).await;
    let fresh = numbers(&log).await;
    let (value, last_good) = shown(&map, "k");
    assert_eq!((value, last_good), shown(&fresh, "k"));
    assert_eq!(value, Some(2), "not the one this node had seen");
    // What it has seen itself it goes on showing, and says that nobody can tell whether that was the last.
    let (value, last_good) = shown(&map, "forgotten");
    assert_eq!(value, Some(1));
    assert!(
        matches!(last_good, Some(LastGood::Seen(_))),
        "{last_good:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_last_good_value_of_another_life_is_not_shown_as_if_of_this_one() {
    let (log, map) = fresh().await;
    let empty = log.backup();
    map.put("k", 1).await.unwrap();
    log.restore(&empty);
    bad(&log, "k").await;
    bad(&log, "k").await;
    follows_life(&map, &log).await;
    assert_eq!(shown(&map, "k"), (None, Some(LastGood::None)));
    let fresh = numbers(&log).await;
    assert!(fresh.view().diff(&map.view()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_life_whose_history_is_forgotten_is_not_filled_up_from_the_one_before() {
    let log = MemoryLog::new();
    let around = rig::Around::new(&log);
    let map = brisk(&around).await;
    let empty = log.backup();
    map.put("k", 1).await.unwrap();
    around.cut(true);
    log.restore(&empty);
    bad(&log, "k").await;
    bad(&log, "k").await;
    log.compact(log.head_position().revision).unwrap();
    around.cut(false);
    follows_life(&map, &log).await;
    assert_eq!(shown(&map, "k"), (None, Some(LastGood::Forgotten)));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_codec_costs_the_log_few_looks_back() {
    let log = MemoryLog::new();
    let around = rig::Around::new(&log);
    for _ in 0..2 {
        for number in 0..500 {
            bad(&log, &format!("k{number:03}")).await;
        }
    }
    let map = numbers(&around).await;
    assert_eq!(map.quarantine().len(), 500);
    let looks = around.calls().looks_back;
    assert!((1..=1_100).contains(&looks), "{looks}");
    let forgotten = map.quarantine().into_iter();
    let forgotten = forgotten.filter(|bad| bad.last_good == LastGood::Forgotten);
    assert!(
        forgotten.count() >= 400,
        "it is said which were not looked up"
    );
}
