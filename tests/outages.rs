//! What becomes of a map when its log is away, silent, cut short or restored; and what a quiet one costs.
//!
//! Time is paused: the tests wait for conditions, and no duration decides but those that are promised.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use globe::{Cause, Consistency, ErrorKind, Globe, MemoryLog, Phase, ResyncReason};
use rig::every::{all_fail_with, every_write};
use rig::{
    Around, brisk, delete_raw, fails_with, follows_life, fresh, fresh_around, put_all, started,
    until, within, write_raw,
};
use tokio::time::{Instant, sleep};
use tracing::Level;

type Numbers = Globe<String, u64>;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn opening_while_the_log_is_down_fails_within_the_bound() {
    let log = MemoryLog::builder().available(false).build();
    let begun = Instant::now();
    let open = Globe::<String, u64>::builder(log, "numbers")
        .open_timeout(3 * SECOND)
        .open();
    let error = fails_with(open.await, ErrorKind::Unavailable);
    assert_eq!(begun.elapsed(), 3 * SECOND);
    assert!(error.to_string().contains("made unavailable"), "{error}");
    let source = std::error::Error::source(&error).expect("what the log said");
    assert!(source.to_string().contains("unavailable"), "{source}");
}

#[tokio::test(start_paused = true)]
async fn a_map_started_while_the_log_is_down_hydrates_and_follows_when_it_appears() {
    let log = MemoryLog::builder().available(false).build();
    let map = started(&log);
    assert_eq!(map.status().phase, Phase::Hydrating);
    assert_eq!(
        (map.status().position, map.status().staleness),
        (None, None)
    );
    assert!(map.is_empty() && map.get("a").is_none());
    sleep(30 * SECOND).await;
    let status = map.status();
    assert_eq!(status.phase, Phase::Hydrating);
    assert_eq!(*status.last_error.unwrap().kind(), ErrorKind::Unavailable);
    log.set_available(true);
    write_raw(&log, "numbers", "a", b"1").await;
    within("hydration", map.hydrated()).await.unwrap();
    assert_eq!((map.status().phase, map.len()), (Phase::Live, 1));
    write_raw(&log, "numbers", "a", b"2").await;
    until("it follows", || map.get("a").as_deref() == Some(&2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_map_stays_live_and_costs_nothing_but_the_probe() {
    let (_, around, map) = fresh_around().await;
    let begun = around.calls().heads;
    for _ in 0..60 {
        sleep(SECOND).await;
        let status = map.status();
        assert_eq!(status.phase, Phase::Live);
        assert!(status.staleness.unwrap() <= SECOND);
    }
    let probes = around.calls().heads - begun;
    assert!(
        (115..=121).contains(&probes),
        "two a second: {probes} in a minute"
    );
    let calls = around.calls();
    assert_eq!((calls.snapshots, calls.tails, calls.commits), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_is_admitted_in_time_and_age_is_never_under_reported() {
    let (log, map) = fresh().await;
    sleep(10 * SECOND).await;
    let cut = Instant::now();
    log.set_available(false);
    let mut was_live_until = cut;
    for _ in 0..100 {
        sleep(SECOND / 20).await;
        let status = map.status();
        assert!(
            status.staleness.unwrap() >= cut.elapsed(),
            "{status:?} after {:?}",
            cut.elapsed()
        );
        if status.phase == Phase::Live {
            was_live_until = Instant::now();
        }
    }
    assert!(
        was_live_until - cut <= 2 * SECOND,
        "live for {:?}",
        was_live_until - cut
    );
    assert_eq!(map.status().phase, Phase::Stale);
    log.set_available(true);
    until("it is live again", || map.status().phase == Phase::Live).await;
    until("the failure is forgotten", || {
        map.status().last_error.is_none() && map.status().failures == 0
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_log_whose_reads_freeze_makes_a_map_stale_though_its_tail_lives() {
    let (log, around, map) = fresh_around().await;
    around.freeze_reads(true);
    for value in 0..5 {
        sleep(SECOND).await;
        write_raw(&log, "numbers", "a", value.to_string()).await;
        until("the tail lives", || map.get("a").as_deref() == Some(&value)).await;
    }
    assert_eq!(
        map.status().phase,
        Phase::Stale,
        "a live stream is no proof of a fresh one"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_proves_no_more_than_when_it_was_asked_for() {
    let (_, around, map) = fresh_around().await;
    around.delay_heads(SECOND * 7 / 10);
    sleep(10 * SECOND).await;
    for _ in 0..100 {
        sleep(SECOND / 50).await;
        let age = map.status().staleness.unwrap();
        assert!(
            age >= SECOND * 7 / 10,
            "{age:?}: the answer was on its way for longer"
        );
    }
    map.sync().await.unwrap();
    assert!(map.status().staleness.unwrap() >= SECOND * 7 / 10);
}

#[tokio::test(start_paused = true)]
async fn a_silent_tail_is_noticed_and_replaced() {
    let (log, map) = fresh().await;
    let begun = Instant::now();
    log.silence_open_tails();
    write_raw(&log, "numbers", "a", b"1").await;
    until("the change is shown", || map.contains_key("a")).await;
    assert!(begun.elapsed() <= 3 * SECOND, "{:?}", begun.elapsed());
    let status = map.status();
    assert_eq!(
        (status.reopens, status.resyncs),
        (1, 0),
        "another tail, no snapshot"
    );
}

#[tokio::test(start_paused = true)]
async fn a_break_without_lost_history_costs_no_snapshot_and_shows_every_revision() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = brisk(&around).await;
    let mut watch = map.watch().every_revision(100);
    let mut revisions = Vec::new();
    for value in 0..10_u64 {
        log.set_available(false);
        log.set_available(true);
        for _ in 0..3 {
            let head = write_raw(&log, "numbers", "a", value.to_string()).await;
            revisions.push(head.revision);
        }
        tokio::task::yield_now().await;
    }
    for revision in revisions {
        let changes = within("a step", watch.next()).await.unwrap();
        assert_eq!(
            (changes.to().revision, changes.cause()),
            (revision, Cause::Step)
        );
    }
    assert_eq!(around.calls().snapshots, 1);
}

#[tokio::test(start_paused = true)]
async fn a_compaction_while_disconnected_costs_an_exact_difference() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    put_all(&map, ["kept", "gone", "changed"].map(|key| (key, 1))).await;
    let mut watch = map.watch();
    log.set_available(false);
    until("the cut is noticed", || map.status().last_error.is_some()).await;
    log.set_available(true);
    log.hold_tails(true);
    delete_raw(&log, "numbers", "gone").await;
    write_raw(&log, "numbers", "changed", b"2").await;
    let head = write_raw(&log, "numbers", "new", b"3").await;
    log.compact(head.revision).unwrap();
    assert_eq!(map.len(), 3, "meanwhile it serves what it had");
    log.hold_tails(false);
    let changes = within("the difference", watch.next()).await.unwrap();
    let keys: Vec<&str> = changes.iter().map(|change| change.key().as_str()).collect();
    assert_eq!(keys, ["changed", "gone", "new"]);
    assert_eq!(changes.cause(), Cause::Resync(ResyncReason::Compacted));
    assert_eq!((map.status().resyncs, map.len()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_a_new_epoch_and_an_exact_difference() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    put_all(&map, [("same", 1), ("back", 1)]).await;
    let backup = log.backup();
    let before = map.put("back", 2).await.unwrap().position();
    map.put("lost", 3).await.unwrap();
    let mut watch = map.watch();
    log.restore(&backup);
    // The new life uses the same revision for another write.
    write_raw(&log, "numbers", "back", b"4").await;
    let changes = within("the difference", watch.next()).await.unwrap();
    assert_eq!(changes.cause(), Cause::Resync(ResyncReason::EpochChanged));
    until("the map is the log", || {
        map.get("back").as_deref() == Some(&4)
    })
    .await;
    while watch.try_next().is_some() {}
    let view = watch.catch_up();
    assert_eq!((view.len(), view.get("lost")), (2, None));
    assert_ne!(map.position().unwrap().epoch, before.epoch);
    let refused = map.view_at(Consistency::AtLeast(before)).await;
    fails_with(refused, ErrorKind::EpochChanged);
}

#[tokio::test(start_paused = true)]
async fn the_same_revision_with_another_value_after_a_restore_is_a_change() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    let backup = log.backup();
    let old = map.put("a", 1).await.unwrap().position();
    let mut watch = map.watch();
    log.hold_tails(true);
    log.restore(&backup);
    let new = write_raw(&log, "numbers", "a", b"2").await;
    assert_eq!(old.revision, new.revision);
    log.hold_tails(false);
    let changes = within("the difference", watch.next()).await.unwrap();
    assert_eq!(
        changes.as_slice()[0].new_value().map(|value| **value),
        Some(2)
    );
    assert_eq!(map.get("a").as_deref(), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_its_end_too() {
    let (ear, _listening) = rig::ear::listen();
    let (log, map) = fresh().await;
    for outage in 1..=3 {
        log.set_available(false);
        sleep(60 * SECOND).await;
        log.set_available(true);
        until("it is live again", || map.status().phase == Phase::Live).await;
        sleep(5 * SECOND).await;
        let warnings = ear.at(Level::WARN);
        assert_eq!(warnings.len(), outage, "{warnings:#?}");
        let ends = ear
            .at(Level::INFO)
            .into_iter()
            .filter(|line| line.contains("again"))
            .count();
        assert_eq!(ends, outage);
    }
    let all = ear.all();
    assert!(
        all.contains("keyspace=numbers") && all.contains("attempt="),
        "{all}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_snapshot_is_never_taken_for_a_whole_one() {
    let log = MemoryLog::builder().page_size(1).build();
    let map = brisk(&log).await;
    map.put_all((0..20).map(|key| (format!("k{key}"), key)))
        .await
        .unwrap();
    let mut watch = map.watch();
    for _ in 0..20 {
        let head = write_raw(&log, "numbers", "k0", b"0").await;
        log.compact(head.revision).unwrap();
        log.set_available(false);
        log.set_available(true);
        sleep(SECOND / 100).await;
        assert_eq!(map.len(), 20);
    }
    within("it settles", map.sync()).await.unwrap();
    while let Some(changes) = watch.try_next() {
        assert!(
            changes
                .iter()
                .all(|change| change.key() == "k0" && change.new().is_some())
        );
    }
}

/// Waits until no task is left on this runtime but the test.
async fn nothing_is_left() {
    let metrics = tokio::runtime::Handle::current().metrics();
    until("no task is left", || metrics.num_alive_tasks() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_leaves_no_task() {
    let (log, around, map) = fresh_around().await;
    let (watch, view) = (map.watch(), map.view());
    sleep(SECOND).await;
    drop(map);
    nothing_is_left().await;
    drop((watch, view));

    log.set_available(false);
    let unreachable: Numbers = Globe::builder(log.clone(), "numbers").start().unwrap();
    sleep(SECOND).await;
    drop(unreachable);
    nothing_is_left().await;

    log.set_available(true);
    around.hold_snapshots(true);
    let hydrating: Numbers = Globe::builder(around.clone(), "numbers").start().unwrap();
    sleep(SECOND).await;
    hydrating.close().await;
    nothing_is_left().await;

    let failed = Globe::<String, u64>::builder(around, "numbers")
        .open_timeout(SECOND)
        .open();
    assert!(failed.await.is_err());
    nothing_is_left().await;
}

#[tokio::test(start_paused = true)]
async fn many_maps_share_one_log_and_do_not_disturb_each_other() {
    let log = MemoryLog::new();
    let mut maps = Vec::new();
    for number in 0..50 {
        let map: Numbers = Globe::open(log.clone(), &format!("map{number}"))
            .await
            .unwrap();
        maps.push(map);
    }
    let puts = maps
        .iter()
        .zip(0..)
        .map(|(map, number)| map.put("mine", number));
    within("the puts", futures::future::try_join_all(puts))
        .await
        .unwrap();
    for (map, number) in maps.iter().zip(0..) {
        within("a quiet map reaches the head", map.sync())
            .await
            .unwrap();
        assert_eq!((map.get("mine").as_deref(), map.len()), (Some(&number), 1));
    }
    assert!(maps.iter().all(|map| map.status().phase == Phase::Live));
}

#[tokio::test(start_paused = true)]
async fn in_a_plain_outage_a_write_is_unavailable_and_not_unknown() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    log.set_available(false);
    all_fail_with(every_write(&map, "a").await, &ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_write_undone_by_a_restore_is_told_at_once() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map: Globe<String, u64> = Globe::open(around.clone(), "numbers").await.unwrap();
    let empty = log.backup();
    for value in 0..20 {
        // Committed in one life; before it is visible here, the log is restored, and this map follows it there.
        around.hold_replies(true);
        let put = tokio::spawn({
            let map = map.clone();
            async move { map.put("a", value).await }
        });
        let head = log.head_position();
        until("it is committed", || log.head_position() != head).await;
        log.restore(&empty);
        follows_life(&map, &log).await;
        let begun = Instant::now();
        around.hold_replies(false);
        let refused = within("an answer", put).await.unwrap();
        fails_with(refused, ErrorKind::EpochChanged);
        assert!(begun.elapsed() < SECOND, "at once: {:?}", begun.elapsed());
    }
}
