//! Closures and predicates that panic, block, come back in or lie: what they do is their caller's, and nobody else's.
//!
//! Never a closure that waits for its own call to end: that is a knot of the caller's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use globe::{Error, ErrorKind, Globe, MemoryLog, Phase};

use crate::rig::{conflicts, fails_with, numbers, put_all, until, within, write_raw};
use crate::traps::{
    Gate, Neighbour, lives_on, on_every_runtime, on_threads, panics, some_map, some_numbers,
};

type Numbers = Globe<String, u64>;

/// Runs a call in a task of its own; whether it panicked there.
async fn panicked<F>(call: F) -> bool
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let ended = within("the task ends", tokio::spawn(call)).await;
    ended.err().is_some_and(|error| error.is_panic())
}

#[test]
fn a_closure_that_panics_writes_nothing_and_leaves_the_map_as_it_was() {
    on_every_runtime(|| async {
        let (log, map) = some_map().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        let before = log.head_position();
        let its = map.clone();
        assert!(panicked(async move { its.update("good", |_| panic!("a bug")).await }).await);
        let its = map.clone();
        let transaction = async move {
            let body = its.transact(|txn| {
                txn.put(&its, "good", 7)?;
                if txn.get(&its, "other")?.is_some() {
                    panic!("a bug");
                }
                Ok(())
            });
            body.await
        };
        assert!(panicked(transaction).await);
        let its = map.clone();
        let many = (0..500_u64).map(|key| match key {
            499 => panic!("a bug"),
            key => (format!("k{key}"), key),
        });
        assert!(panicked(async move { its.put_all(many).await }).await);
        let its = map.clone();
        assert!(panicked(async move { its.wait_for(|_| panic!("a bug")).await.map(drop) }).await);
        assert_eq!(log.head_position(), before, "nothing was written");
        lives_on(&map).await;
        map.put("late", 1).await.unwrap();
        neighbour.goes_on().await;
    });
}

/// Everything a closure can do with a map that needs no waiting.
fn come_back_in(map: &Numbers) {
    drop((map.get("good"), map.get_entry("good"), map.view()));
    drop((map.status(), map.position(), map.quarantine(), map.len()));
    let mut watch = map.watch();
    drop((watch.try_next(), watch.catch_up()));
    drop((map.watch_key("good"), map.watch_prefix("go")));
    drop(map.watch_where(|_| true).every_revision(3));
}

#[test]
fn closures_and_predicates_may_come_back_in() {
    on_every_runtime(|| async {
        let (_, map) = some_map().await;
        let updated = map.update("good", |old| {
            come_back_in(&map);
            let its = map.clone();
            tokio::spawn(async move { its.put("aside", 1).await });
            old.map_or(0, |old| old + 1)
        });
        assert_eq!(**within("an update", updated).await.unwrap().value(), 2);
        let transaction = map.transact(|txn| {
            let old = txn.get(&map, "good")?.map_or(0, |old| *old);
            come_back_in(&map);
            txn.put(&map, "good", old + 1)?;
            come_back_in(&map);
            Ok(old)
        });
        assert_eq!(
            within("a transaction", transaction)
                .await
                .unwrap()
                .into_value(),
            2
        );
        let seen = map.wait_for(|view| {
            come_back_in(&map);
            view.contains_key("aside")
        });
        within("a wait", seen).await.unwrap();
        let inner = map.clone();
        let mut watch = map.watch_where(move |key| {
            come_back_in(&inner);
            key == "good"
        });
        put_all(&map, [("good", 9), ("other", 9)]).await;
        let changes = within("a change", watch.next()).await.unwrap();
        assert_eq!(changes.as_slice().len(), 1);
        assert_eq!(changes.as_slice()[0].key(), "good");
    });
}

#[test]
fn a_closure_that_lets_others_in_is_called_again_and_loses_nothing() {
    on_every_runtime(|| async {
        let (log, map) = some_map().await;
        let calls = AtomicUsize::new(0);
        let rival = |value: &'static [u8]| {
            if calls.fetch_add(1, Ordering::SeqCst) < 3 {
                write_raw(&log, "numbers", "good", value)
                    .now_or_never()
                    .expect("the memory log answers at once");
            }
        };
        let updated = map.update("good", |old| {
            rival(b"100");
            old.map_or(0, |old| old + 1)
        });
        assert_eq!(**within("an update", updated).await.unwrap().value(), 101);
        assert_eq!(calls.swap(0, Ordering::SeqCst), 4);
        let transaction = map.transact(|txn| {
            let old = txn.get(&map, "good")?.map_or(0, |old| *old);
            rival(b"200");
            txn.put(&map, "sum", old + 1)
        });
        within("a transaction", transaction).await.unwrap();
        assert_eq!(map.get("sum").as_deref(), Some(&201));
        assert_eq!(calls.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn a_closure_that_never_lets_itself_win_is_a_conflict_at_the_deadline() {
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let builder = Globe::builder(log.clone(), "numbers");
        let map: Numbers = builder
            .deadline(Duration::from_millis(100))
            .open()
            .await
            .unwrap();
        let mut neighbour = Neighbour::move_in(&log).await;
        let rivals = AtomicU64::new(0);
        let rival = || {
            let text = rivals.fetch_add(1, Ordering::SeqCst).to_string();
            let wrote = write_raw(&log, "numbers", "good", text.as_bytes()).now_or_never();
            wrote.expect("the memory log answers at once");
        };
        let update = map.update("good", |_| {
            rival();
            1_000_000
        });
        conflicts(within("it is answered", update).await);
        let transaction = map.transact(|txn| {
            txn.put(&map, "good", 1_000_000)?;
            txn.put(&map, "other", 1_000_000)?;
            rival();
            Ok(())
        });
        conflicts(within("it is answered", transaction).await);
        neighbour.goes_on().await;
        within("all is here", map.sync()).await.unwrap();
        let last = rivals.load(Ordering::SeqCst) - 1;
        assert_eq!(map.get("good").as_deref(), Some(&last));
        assert_eq!(map.get("other").as_deref(), Some(&2));
    });
}

#[test]
fn a_closure_that_blocks_holds_up_its_own_call_alone() {
    on_threads(|| async {
        let (log, map) = some_map().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        let gate = Gate::shut();
        let (its, held) = (map.clone(), gate.clone());
        let held_up = tokio::spawn(async move {
            let update = its.update("good", |old| {
                held.pass();
                old.map_or(0, |old| old + 1)
            });
            update.await
        });
        until("it blocks", || gate.holds()).await;
        within("a write", map.put("aside", 1)).await.unwrap();
        within("a write to the very key", map.put("good", 50))
            .await
            .unwrap();
        neighbour.goes_on().await;
        gate.open();
        let updated = within("it goes on", held_up).await.unwrap().unwrap();
        assert_eq!(
            **updated.value(),
            51,
            "called again with what stands there now"
        );
    });
}

#[test]
fn a_predicate_that_blocks_holds_up_its_own_watch_alone() {
    on_threads(|| async {
        let (_, map) = some_map().await;
        let gate = Gate::shut();
        let held = gate.clone();
        let mut slow = map.watch_where(move |_| {
            held.pass();
            true
        });
        let mut quick = map.watch();
        let looking = tokio::spawn(async move { slow.next().await.map(|shown| shown.to()) });
        let first = map.put("good", 2).await.unwrap().position();
        until("it blocks", || gate.holds()).await;
        let second = within("a write", map.put("good", 3))
            .await
            .unwrap()
            .position();
        let shown = within("the other watch", quick.next()).await.unwrap();
        assert_eq!(shown.to(), second);
        gate.open();
        let shown = within("it goes on", looking).await.unwrap().unwrap();
        assert!(shown == first || shown == second);
    });
}

#[test]
fn a_predicate_that_panics_or_changes_its_mind_shows_no_wrong_change() {
    on_every_runtime(|| async {
        let (_, map) = some_map().await;
        let asked = Arc::new(AtomicUsize::new(0));
        let times = Arc::clone(&asked);
        let mut fickle = map.watch_where(move |_| {
            let times = times.fetch_add(1, Ordering::SeqCst);
            assert!(times % 5 != 4, "a bug");
            times.is_multiple_of(2)
        });
        for value in 10..60 {
            map.put("good", value).await.unwrap();
            let mut look = || {
                for change in fickle.try_next().into_iter().flatten() {
                    assert_eq!(change.key(), "good");
                    assert_eq!(change.new_value().map(|new| **new), Some(value));
                }
            };
            panics(&mut look);
        }
        assert!(asked.load(Ordering::SeqCst) >= 50);
        lives_on(&map).await;
    });
}

#[test]
fn a_closure_that_closes_its_map_is_answered() {
    on_every_runtime(|| async {
        let log = MemoryLog::new();
        let mut neighbour = Neighbour::move_in(&log).await;
        let map = numbers(&log).await;
        let closing = || {
            let its = map.clone();
            tokio::spawn(async move { its.close().await });
        };
        let update = map.update("a", |_| {
            closing();
            1
        });
        // Made in time, or told of as what it is.
        if let Err(error) = within("it is answered", update).await {
            let told = matches!(error.kind(), ErrorKind::Closed | ErrorKind::Behind(_));
            assert!(told, "{error}");
        }
        until("it is closed", || map.status().phase == Phase::Closed).await;
        let aborted: Result<globe::Committed<()>, Error> =
            within("it is answered", map.transact(|txn| txn.put(&map, "a", 2))).await;
        fails_with(aborted, ErrorKind::Closed);
        let waits = within("it is answered", map.wait_for(|_| false)).await;
        fails_with(waits, ErrorKind::Closed);
        neighbour.goes_on().await;
    });
}
