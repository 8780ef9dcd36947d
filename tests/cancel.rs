//! Cancelling is dropping: any future, at any of its awaits, and nothing breaks.
//!
//! A write that was dropped may or may not have been committed; what is checked is that map and log still agree.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use globe::{Consistency, Edit, Expected, Globe, MemoryLog, Result, Txn};
use rig::{Around, brisk, fresh, numbers, until, within, write_raw};

type Numbers = Globe<String, u64>;
/// Every method that waits.
const CALLS: [&str; 17] = [
    "put",
    "create",
    "put_if",
    "delete",
    "delete_if",
    "delete_prefix",
    "update",
    "try_update",
    "clear",
    "put_all",
    "transact",
    "view_at",
    "within",
    "sync",
    "hydrated",
    "wait_for",
    "watch",
];

/// Calls one of them, as a caller would use it.
async fn call(name: &str, map: &Numbers) {
    match name {
        "put" => drop(map.put("a", 1).await),
        "create" => drop(map.create("new", 1).await),
        "put_if" => drop(map.put_if("a", 1, Expected::Present).await),
        "delete" => drop(map.delete("a").await),
        "delete_if" => drop(map.delete_if("a", Expected::Present).await),
        "delete_prefix" => drop(map.delete_prefix("k").await),
        "update" => drop(map.update("n", |n| n.map_or(1, |n| n + 1)).await),
        "try_update" => drop(map.try_update("n", count).await),
        "clear" => drop(map.clear().await),
        "put_all" => drop(
            map.put_all((0..300).map(|key| (format!("k{key:03}"), 1)))
                .await,
        ),
        "transact" => drop(map.transact(|txn| count_twins(map, txn)).await),
        "view_at" => drop(map.view_at(Consistency::Linearizable).await),
        "within" => drop(
            map.view_at(Consistency::Within(Duration::from_nanos(1)))
                .await,
        ),
        "sync" => drop(map.sync().await),
        "hydrated" => drop(map.hydrated().await),
        "wait_for" => drop(map.wait_for(|view| view.len() > 1).await),
        "watch" => drop(map.watch().next().await),
        unknown => panic!("{unknown}"),
    }
}

fn count(n: Option<&u64>) -> Result<Edit<u64>> {
    Ok(match n {
        Some(n) if n % 3 == 0 => Edit::Keep,
        Some(n) if n % 5 == 0 => Edit::Delete,
        n => Edit::Put(n.map_or(1, |n| n + 1)),
    })
}

fn count_twins(map: &Numbers, txn: &mut Txn<'_>) -> Result<()> {
    let n = txn.get(map, "twin-a")?.map_or(0, |n| *n);
    txn.put(map, "twin-a", n + 1)?;
    txn.put(map, "twin-b", n + 1)
}

/// Polls a future so many times, letting everything else run in between, and drops it; whether it was done before.
async fn cancelled_after(polls: usize, call: impl Future) -> bool {
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if call.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

async fn agree(map: &Numbers, log: &MemoryLog, after: &str) {
    within(after, map.sync()).await.unwrap();
    let truth = numbers(log).await;
    assert!(
        truth.view().diff(&map.view()).is_empty(),
        "after {after}: map and log agree"
    );
    for (key, entry) in map.view().iter() {
        assert_eq!(
            map.get(key).as_ref(),
            Some(entry.value()),
            "after {after}: {key}"
        );
    }
    assert_eq!(
        map.get("twin-a"),
        map.get("twin-b"),
        "after {after}: whole or not at all"
    );
    let position = within(after, map.put("still-works", 1))
        .await
        .unwrap()
        .position();
    assert!(map.position().unwrap().covers(position));
}

#[tokio::test(start_paused = true)]
async fn any_call_can_be_dropped_at_any_await() {
    for name in CALLS {
        let log = MemoryLog::new();
        let map = brisk(&log).await;
        map.put("a", 0).await.unwrap();
        let mut polls = 0;
        // Somebody else writes as well, so that the call meets conflicts, too.
        let is_done = async |polls| {
            write_raw(&log, "numbers", "a", b"5").await;
            write_raw(&log, "numbers", "n", b"5").await;
            cancelled_after(polls, call(name, &map)).await
        };
        while !is_done(polls).await && polls < 40 {
            agree(&map, &log, &format!("{name}, dropped after {polls} polls")).await;
            polls += 1;
        }
        agree(&map, &log, name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_call_can_be_dropped_while_the_log_is_away_or_silent() {
    type Break = fn(&MemoryLog, &Around, bool);
    let breaks: [Break; 3] = [
        |log, _, broken| log.set_available(!broken),
        |log, _, broken| log.hold_tails(broken),
        |_, around, broken| around.lose_replies(broken),
    ];
    for (number, break_it) in breaks.into_iter().enumerate() {
        for name in CALLS {
            let log = MemoryLog::new();
            let around = Around::new(&log);
            let map = brisk(&around).await;
            map.put("a", 0).await.unwrap();
            for polls in 0..6 {
                break_it(&log, &around, true);
                cancelled_after(polls, call(name, &map)).await;
                break_it(&log, &around, false);
                agree(
                    &map,
                    &log,
                    &format!("{name}, dropped after {polls} polls of break {number}"),
                )
                .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn opening_and_closing_can_be_dropped_and_leave_no_task() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    for polls in 0..10 {
        let open = Globe::<String, u64>::open(around.clone(), "numbers");
        around.hold_snapshots(polls % 2 == 0);
        cancelled_after(polls, open).await;
        around.hold_snapshots(false);
        let map = numbers(&around).await;
        cancelled_after(polls, map.close()).await;
        within("closing again", map.close()).await;
    }
    let metrics = tokio::runtime::Handle::current().metrics();
    until("no task is left", || metrics.num_alive_tasks() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_aborted_in_the_middle_of_everything_break_nothing() {
    let (log, map) = fresh().await;
    let shared = Arc::new(map.clone());
    for round in 0..100_u64 {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4 {
            let map = Arc::clone(&shared);
            tasks.spawn(async move {
                loop {
                    let twins = map.transact(|txn| {
                        txn.put(&map, "twin-a", round)?;
                        txn.put(&map, "twin-b", round)
                    });
                    twins.await.unwrap();
                    map.update(format!("n{task}"), |n| n.map_or(1, |n| n + 1))
                        .await
                        .unwrap();
                }
            });
        }
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        tasks.shutdown().await;
    }
    agree(&map, &log, "a hundred rounds").await;
}
