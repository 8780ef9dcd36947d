//! How long to wait before looking: each consistency holds, or says by a typed error that it does not.
//!
//! Time is paused; looking itself is tested in `reads.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use globe::{Consistency, ErrorKind, Globe, MemoryLog, Position, View};
use rig::every::{all_fail_with, every_write};
use rig::{
    Around, answered_after, conflicts, fails_with, fresh, fresh_around, numbers, started, until,
    within, write_raw,
};
use tokio::time::{Instant, sleep};

type Numbers = Globe<String, u64>;

const SECOND: Duration = Duration::from_secs(1);

async fn look(map: &Numbers, consistency: Consistency) -> globe::Result<View<String, u64>> {
    within("a look is answered", map.view_at(consistency)).await
}

#[tokio::test(start_paused = true)]
async fn local_never_waits_and_never_asks() {
    let (log, around, map) = fresh_around().await;
    log.hold_tails(true);
    write_raw(&log, "numbers", "a", b"1").await;
    let heads = around.calls().heads;
    let begun = Instant::now();
    assert!(map.view_at(Consistency::Local).await.unwrap().is_empty());
    assert_eq!(
        (begun.elapsed(), around.calls().heads),
        (Duration::ZERO, heads)
    );
}

#[tokio::test(start_paused = true)]
async fn at_least_waits_for_a_position_that_travelled_as_text() {
    let log = MemoryLog::new();
    let (writer, reader) = (numbers(&log).await, numbers(&Around::new(&log)).await);
    let position = writer.put("a", 1).await.unwrap().position();
    let token = serde_json::to_string(&position).unwrap();
    let position: Position = serde_json::from_str(&token).unwrap();
    let view = look(&reader, Consistency::AtLeast(position)).await.unwrap();
    assert_eq!(view.get("a").map(|a| *a), Some(1));
    assert!(view.position().covers(position));

    log.hold_tails(true);
    let later = write_raw(&log, "numbers", "a", b"2").await;
    let view = answered_after(reader.view_at(Consistency::AtLeast(later)), async {
        sleep(SECOND).await;
        log.hold_tails(false);
    });
    let view = view.await.unwrap();
    assert_eq!(view.get("a").map(|a| *a), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_keyspace_of_the_log_is_reached_without_a_write() {
    let log = MemoryLog::new();
    let quiet = numbers(&log).await;
    let busy: Numbers = Globe::open(log.clone(), "busy").await.unwrap();
    let position = busy.put("a", 1).await.unwrap().position();
    let view = look(&quiet, Consistency::AtLeast(position)).await.unwrap();
    assert!(view.position().covers(position));
}

#[tokio::test(start_paused = true)]
async fn linearizable_shows_everything_committed_before_the_call() {
    let (log, map) = fresh().await;
    for value in 0..50_u64 {
        write_raw(&log, "numbers", "a", value.to_string()).await;
        let view = look(&map, Consistency::Linearizable).await.unwrap();
        assert_eq!(view.get("a").map(|a| *a), Some(value));
    }
    let head = write_raw(&log, "numbers", "a", b"50").await;
    assert_eq!(within("a sync", map.sync()).await.unwrap(), head);
    assert_eq!(map.get("a").as_deref(), Some(&50));
}

#[tokio::test(start_paused = true)]
async fn within_asks_only_when_the_last_proof_is_too_old() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = Globe::<String, u64>::builder(around.clone(), "numbers")
        .probe_interval(60 * SECOND)
        .stale_after(120 * SECOND)
        .open()
        .await
        .unwrap();
    sleep(10 * SECOND).await;
    let asked = around.calls().heads;
    map.view_at(Consistency::Within(20 * SECOND)).await.unwrap();
    assert_eq!(
        around.calls().heads,
        asked,
        "the last proof is young enough"
    );
    write_raw(&log, "numbers", "a", b"1").await;
    let view = map.view_at(Consistency::Within(5 * SECOND)).await.unwrap();
    assert_eq!(around.calls().heads, asked + 1);
    assert!(view.contains_key("a"));
    assert!(map.status().staleness.unwrap() <= 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_in_time_is_a_typed_error() {
    let (log, map) = fresh().await;
    let map = map.with_deadline(SECOND);
    log.hold_tails(true);
    let ahead = write_raw(&log, "numbers", "a", b"1").await;
    let begun = Instant::now();
    for consistency in [Consistency::AtLeast(ahead), Consistency::Linearizable] {
        let error = map.view_at(consistency).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Stale, "{consistency:?}: {error}");
    }
    assert_eq!(begun.elapsed(), 2 * SECOND);
    let refused = look(&map, Consistency::Within(SECOND / 10)).await;
    fails_with(refused, ErrorKind::Stale);
    log.hold_tails(false);
    log.set_available(false);
    fails_with(map.sync().await, ErrorKind::Unavailable);
    let error = fails_with(
        look(&map, Consistency::Within(SECOND / 10)).await,
        ErrorKind::Stale,
    );
    assert!(std::error::Error::source(&error).is_some(), "and why");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_never_answers_holds_nobody_longer_than_the_deadline() {
    let (_, around, map) = fresh_around().await;
    let map = map.with_deadline(SECOND);
    around.freeze_reads(true);
    let begun = Instant::now();
    fails_with(map.sync().await, ErrorKind::Unavailable);
    let elsewhere = Position::new(globe::Epoch::new(7), globe::Revision(1));
    let refused = look(&map, Consistency::AtLeast(elsewhere)).await;
    fails_with(refused, ErrorKind::Unavailable);
    assert_eq!(begun.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_life_is_refused() {
    let (log, map) = fresh().await;
    let elsewhere = Position::new(globe::Epoch::new(7), globe::Revision(1));
    let refused = look(&map, Consistency::AtLeast(elsewhere)).await;
    fails_with(refused, ErrorKind::EpochChanged);
    // A position of a life that the log is in, and this map does not know of yet, is waited for.
    log.wipe();
    let newer = write_raw(&log, "numbers", "a", b"1").await;
    let view = look(&map, Consistency::AtLeast(newer)).await.unwrap();
    assert!(view.contains_key("a"));
}

#[tokio::test(start_paused = true)]
async fn waits_end_when_the_life_they_wait_for_ends() {
    let (log, map) = fresh().await;
    log.hold_tails(true);
    let doomed = write_raw(&log, "numbers", "a", b"1").await;
    let looking = answered_after(map.view_at(Consistency::AtLeast(doomed)), async {
        log.wipe();
        log.hold_tails(false);
    });
    fails_with(looking.await, ErrorKind::EpochChanged);
}

#[tokio::test(start_paused = true)]
async fn a_map_that_is_not_hydrated_waits_as_well() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    around.hold_snapshots(true);
    write_raw(&log, "numbers", "a", b"1").await;
    let map = started(&around);
    assert!(map.try_view().is_none() && map.position().is_none());
    assert!(map.view().is_empty(), "nothing is known yet");
    let both = async {
        let view = map.view_at(Consistency::Linearizable).await.unwrap();
        (view.len(), map.create("a", 2).await)
    };
    let (shown, create) = answered_after(both, async {
        sleep(SECOND).await;
        around.hold_snapshots(false);
    })
    .await;
    assert_eq!(shown, 1);
    conflicts(create);
}

#[tokio::test(start_paused = true)]
async fn a_closed_map_says_so_whatever_is_asked() {
    let (log, map) = fresh().await;
    let position = map.put("a", 1).await.unwrap().position();
    map.close().await;
    map.close().await;
    let beyond = Position::new(position.epoch, globe::Revision(99));
    let looks = [
        ("sync", map.sync().await.map(drop)),
        ("clear", map.clear().await.map(drop)),
        ("now", look(&map, Consistency::Linearizable).await.map(drop)),
        (
            "later",
            look(&map, Consistency::AtLeast(beyond)).await.map(drop),
        ),
    ];
    all_fail_with(every_write(&map, "a").await, &ErrorKind::Closed);
    all_fail_with(looks.into(), &ErrorKind::Closed);
    assert_eq!(map.get("a").as_deref(), Some(&1), "reads go on");
    let here = look(&map, Consistency::AtLeast(position)).await;
    assert_eq!(here.unwrap().len(), 1, "what is here is here");
    assert_eq!(map.status().phase, globe::Phase::Closed);
    until("nothing was written", || log.head_position() == position).await;
}
