//! How long to wait before looking: each consistency holds, or says by a typed error that it does not.
//!
//! Time is paused; looking itself is tested in `reads.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod rig;

use std::time::Duration;

use globe::{Consistency, ErrorKind, Expected, Globe, MemoryLog, Position};
use rig::{Around, Calls, numbers, until, within, write_raw};
use tokio::time::{Instant, sleep};

type Numbers = Globe<String, u64>;

const SECOND: Duration = Duration::from_secs(1);

/// A map whose waits end after a second.
async fn hasty(log: &(impl globe::LogClient + Clone)) -> Numbers {
    Globe::builder(log.clone(), "numbers")
        .deadline(SECOND)
        .open()
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn local_never_waits_and_never_asks() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = numbers(&around).await;
    log.hold_tails(true);
    write_raw(&log, "numbers", "a", b"1").await;
    let heads = Calls::of(&around.calls().heads);
    let begun = Instant::now();
    assert!(map.view_at(Consistency::Local).await.unwrap().is_empty());
    assert_eq!(
        (begun.elapsed(), Calls::of(&around.calls().heads)),
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
    let view = within("the view", reader.view_at(Consistency::AtLeast(position)))
        .await
        .unwrap();
    assert_eq!(view.get("a").map(|a| *a), Some(1));
    assert!(view.position().covers(position));

    log.hold_tails(true);
    let later = write_raw(&log, "numbers", "a", b"2").await;
    let looking = tokio::spawn({
        let reader = reader.clone();
        async move { reader.view_at(Consistency::AtLeast(later)).await }
    });
    sleep(SECOND).await;
    assert!(
        !looking.is_finished(),
        "it waits until the position is here"
    );
    log.hold_tails(false);
    let view = within("the view", looking).await.unwrap().unwrap();
    assert_eq!(view.get("a").map(|a| *a), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_keyspace_of_the_log_is_reached_without_a_write() {
    let log = MemoryLog::new();
    let quiet = numbers(&log).await;
    let busy: Numbers = Globe::open(log.clone(), "busy").await.unwrap();
    let position = busy.put("a", 1).await.unwrap().position();
    let view = within("the view", quiet.view_at(Consistency::AtLeast(position)))
        .await
        .unwrap();
    assert!(view.position().covers(position));
}

#[tokio::test(start_paused = true)]
async fn linearizable_shows_everything_committed_before_the_call() {
    let log = MemoryLog::new();
    let map = numbers(&log).await;
    for value in 0..50_u64 {
        write_raw(&log, "numbers", "a", value.to_string().as_bytes()).await;
        let view = within("the view", map.view_at(Consistency::Linearizable))
            .await
            .unwrap();
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
    let asked = Calls::of(&around.calls().heads);
    map.view_at(Consistency::Within(20 * SECOND)).await.unwrap();
    assert_eq!(
        Calls::of(&around.calls().heads),
        asked,
        "the last proof is young enough"
    );
    write_raw(&log, "numbers", "a", b"1").await;
    let view = map.view_at(Consistency::Within(5 * SECOND)).await.unwrap();
    assert_eq!(Calls::of(&around.calls().heads), asked + 1);
    assert!(view.contains_key("a"));
    assert!(map.status().staleness.unwrap() <= 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_in_time_is_a_typed_error() {
    let log = MemoryLog::new();
    let map = hasty(&log).await;
    log.hold_tails(true);
    let ahead = write_raw(&log, "numbers", "a", b"1").await;
    let begun = Instant::now();
    for consistency in [Consistency::AtLeast(ahead), Consistency::Linearizable] {
        let error = map.view_at(consistency).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Stale, "{consistency:?}: {error}");
    }
    assert_eq!(begun.elapsed(), 2 * SECOND);
    let error = map
        .view_at(Consistency::Within(SECOND / 10))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Stale, "{error}");
    log.hold_tails(false);
    log.set_available(false);
    let error = map.sync().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unavailable, "{error}");
    let error = map
        .view_at(Consistency::Within(SECOND / 10))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Stale, "{error}");
    assert!(std::error::Error::source(&error).is_some(), "and why");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_never_answers_holds_nobody_longer_than_the_deadline() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = hasty(&around).await;
    around.freeze_reads(true);
    let begun = Instant::now();
    assert_eq!(
        *map.sync().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    let elsewhere = Position::new(globe::Epoch::new(7), globe::Revision(1));
    let error = map
        .view_at(Consistency::AtLeast(elsewhere))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unavailable);
    assert_eq!(begun.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_life_is_refused() {
    let log = MemoryLog::new();
    let map = numbers(&log).await;
    let elsewhere = Position::new(globe::Epoch::new(7), globe::Revision(1));
    let error = map
        .view_at(Consistency::AtLeast(elsewhere))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::EpochChanged, "{error}");
    // A position of a life that the log is in, and this map does not know of yet, is waited for.
    log.wipe();
    let newer = write_raw(&log, "numbers", "a", b"1").await;
    let view = within("the new life", map.view_at(Consistency::AtLeast(newer)))
        .await
        .unwrap();
    assert!(view.contains_key("a"));
}

#[tokio::test(start_paused = true)]
async fn waits_end_when_the_life_they_wait_for_ends() {
    let log = MemoryLog::new();
    let map = numbers(&log).await;
    log.hold_tails(true);
    let doomed = write_raw(&log, "numbers", "a", b"1").await;
    let looking = tokio::spawn({
        let map = map.clone();
        async move { map.view_at(Consistency::AtLeast(doomed)).await }
    });
    tokio::task::yield_now().await;
    log.wipe();
    log.hold_tails(false);
    let error = within("an answer", looking).await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::EpochChanged);
}

#[tokio::test(start_paused = true)]
async fn a_map_that_is_not_hydrated_waits_as_well() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    around.hold_snapshots(true);
    write_raw(&log, "numbers", "a", b"1").await;
    let map: Numbers = Globe::builder(around.clone(), "numbers").start().unwrap();
    assert!(map.try_view().is_none() && map.position().is_none());
    assert!(map.view().is_empty(), "nothing is known yet");
    let looking = tokio::spawn({
        let map = map.clone();
        async move {
            let view = map.view_at(Consistency::Linearizable).await?;
            let create = map.create("a", 2).await;
            globe::Result::<_>::Ok((view.len(), create.unwrap_err().is_conflict()))
        }
    });
    sleep(SECOND).await;
    assert!(!looking.is_finished());
    around.hold_snapshots(false);
    assert_eq!(
        within("an answer", looking).await.unwrap().unwrap(),
        (1, true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_map_says_so_whatever_is_asked() {
    let log = MemoryLog::new();
    let map = numbers(&log).await;
    let position = map.put("a", 1).await.unwrap().position();
    map.close().await;
    map.close().await;
    let looks = [
        map.view_at(Consistency::Linearizable).await.map(drop),
        map.view_at(Consistency::AtLeast(Position::new(
            position.epoch,
            globe::Revision(99),
        )))
        .await
        .map(drop),
        map.sync().await.map(drop),
        map.put("a", 2).await.map(drop),
        map.put_if("a", 2, Expected::Present).await.map(drop),
        map.update("a", |_| 2).await.map(drop),
        map.delete("a").await.map(drop),
        map.clear().await.map(drop),
        map.put_all([("a".into(), 2)]).await.map(drop),
        map.transact(|txn| txn.put(&map, "a", 2)).await.map(drop),
    ];
    for (number, outcome) in looks.into_iter().enumerate() {
        assert_eq!(
            *outcome.unwrap_err().kind(),
            ErrorKind::Closed,
            "call {number}"
        );
    }
    assert_eq!(map.get("a").as_deref(), Some(&1), "reads go on");
    assert_eq!(
        map.view_at(Consistency::AtLeast(position))
            .await
            .unwrap()
            .len(),
        1,
        "what is here is here"
    );
    assert_eq!(map.status().phase, globe::Phase::Closed);
    until("nothing was written", || log.head_position() == position).await;
}
