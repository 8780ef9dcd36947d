//! What a watch shows: exact differences, to everybody at their own pace, through every gap, until the end.
//!
//! The random histories are in `model.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::collections::BTreeMap;

use futures::FutureExt;
use globe::{Cause, ErrorKind, MemoryLog, ResyncReason};
use rig::shown::{changed, content, fold, next, seen};
use rig::wakes::wakes;
use rig::{
    Around, brisk, delete_raw, fails_with, in_a_gap, numbers, put_all, started, until, within,
    write_raw,
};

#[tokio::test]
async fn a_watch_shows_each_step_exactly() {
    let map = numbers(&MemoryLog::new()).await;
    map.put("a", 1).await.unwrap();
    let mut watch = map.watch();
    assert!(watch.try_next().is_none(), "what stood there is no change");
    assert_eq!(watch.catch_up().get("a").map(|a| *a), Some(1));

    let put = map.put("b", 2).await.unwrap().position();
    let changes = next(&mut watch).await;
    assert_eq!(seen(&changes), [changed("b", None, Some(2))]);
    assert_eq!((changes.cause(), changes.to()), (Cause::Step, put));
    assert_eq!(changes.as_slice()[0].position().revision, put.revision);

    map.delete("a").await.unwrap();
    let changes = next(&mut watch).await;
    assert_eq!(seen(&changes), [changed("a", Some(1), None)]);
    assert_eq!(changes.from(), put);
    assert_eq!(
        changes.as_slice()[0].position().revision,
        changes.to().revision,
        "of the very delete"
    );
    assert_eq!(content(&changes.after()), content(&map.view()));
    assert!(watch.try_next().is_none());
}

#[tokio::test]
async fn a_rewrite_of_the_same_value_is_a_change() {
    let map = numbers(&MemoryLog::new()).await;
    map.put("a", 1).await.unwrap();
    let mut watch = map.watch();
    map.put("a", 1).await.unwrap();
    let changes = next(&mut watch).await;
    assert_eq!(seen(&changes), [changed("a", Some(1), Some(1))]);
    assert!(!changes.as_slice()[0].is_recreated());
}

#[tokio::test]
async fn a_slow_watcher_gets_the_net_difference_and_harms_nobody() {
    let map = numbers(&MemoryLog::new()).await;
    put_all(&map, [("kept", 1), ("gone", 1)]).await;
    let (mut slow, mut quick) = (map.watch(), map.watch());
    for value in 0..1000 {
        map.put("busy", value).await.unwrap();
        assert_eq!(
            next(&mut quick).await.cause(),
            Cause::Step,
            "nobody waits for the slow one"
        );
    }
    map.put("brief", 1).await.unwrap();
    map.delete("brief").await.unwrap();
    map.delete("gone").await.unwrap();
    let changes = next(&mut slow).await;
    assert_eq!(changes.cause(), Cause::Coalesced);
    let net = [
        changed("busy", None, Some(999)),
        changed("gone", Some(1), None),
    ];
    assert_eq!(seen(&changes), net, "what came and went is no net change");
    assert!(slow.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn delete_then_recreate_while_disconnected_is_seen() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    map.put("a", 1).await.unwrap();
    let mut watch = map.watch();
    in_a_gap(&log, async {
        delete_raw(&log, "numbers", "a").await;
        write_raw(&log, "numbers", "a", b"1").await;
    })
    .await;
    let changes = next(&mut watch).await;
    assert_eq!(seen(&changes), [changed("a", Some(1), Some(1))]);
    assert!(changes.as_slice()[0].is_recreated());
    assert_eq!(changes.cause(), Cause::Resync(ResyncReason::Compacted));
}

#[tokio::test]
async fn a_watch_of_one_key_or_prefix_sleeps_through_all_others() {
    let map = numbers(&MemoryLog::new()).await;
    let others = async || {
        for key in ["b", "ab", "z/1"] {
            map.put(key, 1).await.unwrap();
            map.delete(key).await.unwrap();
        }
    };
    let mut of_key = map.watch_key("a");
    assert_eq!(wakes(of_key.next(), others()).await, 0);
    assert_eq!(wakes(of_key.next(), map.put("a", 1)).await, 1);
    assert_eq!(
        seen(&next(&mut of_key).await),
        [changed("a", None, Some(1))]
    );
    let mut of_prefix = map.watch_prefix("a/");
    assert_eq!(wakes(of_prefix.next(), others()).await, 0);
    assert_eq!(wakes(of_prefix.next(), map.put("a/1", 1)).await, 1);
    assert_eq!(
        seen(&next(&mut of_prefix).await),
        [changed("a/1", None, Some(1))]
    );
    assert!(of_key.try_next().is_none());
}

#[tokio::test]
async fn a_predicate_is_asked_by_its_watch_and_by_nobody_else() {
    let map = numbers(&MemoryLog::new()).await;
    let mut bad = [
        map.watch_where(|key| panic!("asked about {key}")),
        map.watch_values(|value| panic!("asked about {value}")),
    ];
    let mut even = map.watch_where(|key| key.len() % 2 == 0);
    put_all(&map, [("a", 1), ("bb", 2)]).await;
    assert_eq!(seen(&next(&mut even).await), [changed("bb", None, Some(2))]);
    for bad in &mut bad {
        let look = std::panic::AssertUnwindSafe(|| bad.try_next().is_some());
        let asked = std::panic::catch_unwind(look);
        assert!(asked.is_err(), "a panic of the predicate is its watcher's");
    }
    map.put("c", 3).await.unwrap();
    assert_eq!(map.get("c").as_deref(), Some(&3), "the map lives on");
}

#[tokio::test]
async fn giving_up_on_next_at_any_poll_loses_nothing() {
    let map = numbers(&MemoryLog::new()).await;
    let mut watches = [map.watch(), map.watch().every_revision(4)];
    let mut folded = [BTreeMap::new(), BTreeMap::new()];
    for step in 0..100_u64 {
        map.put(format!("k{}", step % 7), step).await.unwrap();
        for (watch, folded) in watches.iter_mut().zip(&mut folded) {
            for _ in 0..step % 3 {
                let polled = watch.next().now_or_never();
                polled
                    .flatten()
                    .iter()
                    .for_each(|changes| fold(folded, changes));
            }
        }
    }
    for (watch, folded) in watches.iter_mut().zip(&mut folded) {
        while let Some(changes) = watch.try_next() {
            fold(folded, &changes);
        }
        assert_eq!(*folded, content(&map.view()));
    }
}

#[tokio::test]
async fn a_closed_map_shows_the_rest_and_then_its_watches_end() {
    let map = numbers(&MemoryLog::new()).await;
    let mut watches = [
        map.watch(),
        map.watch_key("a"),
        map.watch_prefix("a"),
        map.watch().every_revision(1),
    ];
    map.put("a", 1).await.unwrap();
    map.close().await;
    for watch in &mut watches {
        assert_eq!(seen(&next(watch).await), [changed("a", None, Some(1))]);
        assert!(within("the end", watch.next()).await.is_none());
        assert!(within("the end", watch.next()).await.is_none());
    }
}

#[test]
fn a_watch_ends_when_the_runtime_of_its_map_is_gone() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let map = first.block_on(numbers(&MemoryLog::new()));
    let mut watch = map.watch();
    drop(first);
    second.block_on(async {
        assert!(within("the end", watch.next()).await.is_none());
        fails_with(within("a write", map.put("a", 1)).await, ErrorKind::Closed);
    });
}

#[tokio::test(start_paused = true)]
async fn each_resync_says_why() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = started(&around);
    let mut watch = map.watch();
    write_raw(&log, "numbers", "a", b"1").await;
    let mut causes = Vec::new();
    causes.push(next(&mut watch).await.cause());

    in_a_gap(&log, write_raw(&log, "numbers", "a", b"2")).await;
    causes.push(next(&mut watch).await.cause());

    log.wipe();
    causes.push(next(&mut watch).await.cause());

    around.distort(|batch| vec![batch.clone(), batch]);
    write_raw(&log, "numbers", "b", b"1").await;
    causes.push(next(&mut watch).await.cause());
    until("the violation is noticed", || map.status().violations == 1).await;
    around.distort(|mut batch| {
        batch.changes.extend(batch.changes.clone());
        vec![batch]
    });
    write_raw(&log, "numbers", "c", b"1").await;
    causes.push(next(&mut watch).await.cause());
    let reasons = [
        ResyncReason::Hydration,
        ResyncReason::Compacted,
        ResyncReason::EpochChanged,
    ];
    let mut expected = reasons.map(Cause::Resync).to_vec();
    expected.extend([Cause::Step, Cause::Resync(ResyncReason::Violation)]);
    assert_eq!(causes, expected);
}

#[tokio::test]
async fn a_watch_made_while_the_map_is_written_misses_nothing() {
    let map = numbers(&MemoryLog::new()).await;
    let writer = tokio::spawn({
        let map = map.clone();
        async move {
            for value in 0..200 {
                map.put(format!("k{}", value % 10), value).await.unwrap();
            }
        }
    });
    let mut watches = Vec::new();
    while !writer.is_finished() {
        let mut watch = if watches.len() % 2 == 0 {
            map.watch()
        } else {
            map.watch().every_revision(500)
        };
        watches.push((content(&watch.catch_up()), watch));
        tokio::task::yield_now().await;
    }
    for (mut folded, mut watch) in watches {
        while let Some(changes) = watch.try_next() {
            fold(&mut folded, &changes);
        }
        assert_eq!(folded, content(&map.view()));
    }
}
