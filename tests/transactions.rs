//! Transactions: seen whole or not at all, in every map they touch; validated when they are committed.
//!
//! Samplers look from threads of their own, and never ask the log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::sync::atomic::{AtomicUsize, Ordering};

use globe::{Cause, ErrorKind, Globe, MemoryLog, View};
use rig::reading_thread::ReadingThread;
use rig::{
    Around, answered_after, come_between, fails_with, fresh, fresh_around, numbers, put_all, until,
    within, write_raw,
};

const ACCOUNTS: u64 = 10;
const SUM: u64 = 1_000;

type Numbers = Globe<String, u64>;

fn account(number: u64) -> String {
    format!("account-{:02}", number % ACCOUNTS)
}

async fn open(log: &MemoryLog, name: &str) -> Numbers {
    within("a map is opened", Globe::open(log.clone(), name))
        .await
        .unwrap()
}

/// Moves money between two accounts, and counts up twins that must always be equal.
async fn transfer(map: &Numbers, from: u64, to: u64) -> globe::Result<()> {
    map.transact(|txn| {
        let (from, to) = (account(from), account(to));
        let left = *txn.get(map, from.as_str())?.unwrap();
        if from != to && left > 0 {
            let right = *txn.get(map, to.as_str())?.unwrap();
            txn.put(map, from.as_str(), left - 1)?;
            txn.put(map, to.as_str(), right + 1)?;
        }
        let twin = *txn.get(map, "twin-a")?.unwrap();
        txn.put(map, "twin-a", twin + 1)?;
        txn.put(map, "twin-b", twin + 1)
    })
    .await
    .map(drop)
}

/// Looks again and again from a thread of its own.
fn sample(map: Numbers) -> ReadingThread {
    let mut twin = 0;
    ReadingThread::begin(move |_| {
        let view = map.view();
        assert_eq!(sum(&view), SUM, "the accounts at {}", view.position());
        let twins = (view.get("twin-a"), view.get("twin-b"));
        assert_eq!(twins.0, twins.1, "the twins at {}", view.position());
        let now = *twins.0.unwrap();
        assert!(now >= twin, "a later view shows no less");
        twin = now;
    })
}

fn sum(view: &View<String, u64>) -> u64 {
    let accounts = view.prefix("account");
    accounts.map(|(_, entry)| **entry.value()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_sampler_ever_sees_half_a_transaction_and_no_update_is_lost() {
    let log = MemoryLog::new();
    let first = numbers(&log).await;
    let accounts = (0..ACCOUNTS).map(|number| (account(number), SUM / ACCOUNTS));
    let twins = ["twin-a", "twin-b"].map(|twin| (twin.to_owned(), 0));
    first.put_all(accounts.chain(twins)).await.unwrap();
    let maps = [first, numbers(&log).await, numbers(&log).await];
    let samplers = maps.clone().map(sample);
    let watcher = tokio::spawn(follow_transfers(maps[0].clone()));
    let mut writers = tokio::task::JoinSet::new();
    for (number, map) in maps.iter().cloned().enumerate() {
        writers.spawn(async move {
            for step in 0..60 {
                transfer(&map, number as u64 * 3 + step, step * 7 + 1)
                    .await
                    .unwrap();
            }
        });
    }
    within("the transfers", writers.join_all()).await;
    assert!(samplers.into_iter().all(|thread| thread.stop() > 0));
    within("the watcher", watcher).await.unwrap();
    maps[0].sync().await.unwrap();
    assert_eq!(
        maps[0].get("twin-a").as_deref(),
        Some(&180),
        "every transfer counted once"
    );
}

/// Every step a watch shows keeps the invariant, too.
async fn follow_transfers(map: Numbers) {
    let mut watch = map.watch();
    while watch
        .catch_up()
        .get("twin-a")
        .is_none_or(|twin| *twin < 180)
    {
        let changes = watch.next().await.unwrap();
        let after = changes.after();
        assert_eq!(after.get("twin-a"), after.get("twin-b"));
        assert_eq!(sum(&after), SUM);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_over_two_maps_is_whole_in_each_and_loses_nothing() {
    let log = MemoryLog::new();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (left, right) = (open(&log, "left").await, open(&log, "right").await);
        writers.spawn(async move {
            for _ in 0..30 {
                left.transact(|txn| {
                    let n = txn.get(&left, "n")?.map_or(0, |n| *n);
                    let m = txn.get(&right, "n")?.map_or(0, |m| *m);
                    txn.put(&left, "n", n + 1)?;
                    txn.put(&left, "m", n + 1)?;
                    txn.put(&right, "n", m + 1)
                })
                .await
                .unwrap();
                let (n, m) = (*left.get("n").unwrap(), *right.get("n").unwrap());
                assert!(n > 0 && m > 0, "both are visible on return");
                let view = left.view();
                assert_eq!(view.get("n"), view.get("m"));
            }
        });
    }
    within("the transactions", writers.join_all()).await;
    let (left, right) = (open(&log, "left").await, open(&log, "right").await);
    assert_eq!(left.get("n"), right.get("n"));
    assert_eq!(left.get("n").as_deref(), Some(&90));
}

#[tokio::test]
async fn a_conflict_is_tried_again_with_what_stands_there_now() {
    let (log, map) = fresh().await;
    map.put("a", 1).await.unwrap();
    log.hold_tails(true);
    write_raw(&log, "numbers", "a", b"10").await;
    let calls = AtomicUsize::new(0);
    let transaction = map.transact(|txn| {
        calls.fetch_add(1, Ordering::SeqCst);
        let old = *txn.get(&map, "a")?.unwrap();
        txn.put(&map, "b", old + 1)?;
        Ok(old)
    });
    let heard = async { log.hold_tails(false) };
    let old = answered_after(transaction, heard).await.unwrap();
    assert_eq!(*old.value(), 10);
    assert_eq!(map.get("b").as_deref(), Some(&11));
    let calls = calls.into_inner();
    assert_eq!(calls, 2, "once more, and only when it could be better");
}

#[tokio::test]
async fn what_was_only_read_is_validated_as_well() {
    let (log, map) = fresh().await;
    let mut attempts = 0;
    let write_skew = map.transact(|txn| {
        attempts += 1;
        let guard = txn.get(&map, "guard")?;
        if attempts == 1 {
            // Somebody comes in between the read and the commit.
            come_between(&log, [("guard", 1)]);
        }
        txn.put(&map, "seen", guard.map_or(0, |n| *n))
    });
    within("the transaction", write_skew).await.unwrap();
    assert_eq!(map.get("seen").as_deref(), Some(&1));
    assert_eq!(attempts, 2);
}

#[tokio::test]
async fn a_blind_write_is_guarded_and_wins_over_what_came_in_between() {
    let (log, around, map) = fresh_around().await;
    let mut attempts = 0;
    let blind = map.transact(|txn| {
        attempts += 1;
        if attempts == 1 {
            come_between(&log, [("a", 1)]);
        }
        txn.put(&map, "a", 2)?;
        txn.delete(&map, "never-there")
    });
    within("the transaction", blind).await.unwrap();
    assert_eq!(map.get("a").as_deref(), Some(&2));
    assert_eq!(around.calls().commits, 2);
}

#[tokio::test]
async fn a_transaction_reads_what_it_wrote() {
    let map = numbers(&MemoryLog::new()).await;
    map.put("a", 1).await.unwrap();
    let read = map
        .transact(|txn| {
            txn.put(&map, "a", 2)?;
            let written = txn.get(&map, "a")?;
            txn.delete(&map, "a")?;
            let deleted = txn.get(&map, "a")?;
            txn.put(&map, "a", 3)?;
            Ok((written, deleted, txn.get(&map, "a")?, map.get("a")))
        })
        .await
        .unwrap();
    let read = read.into_value();
    let values = (
        read.0.as_deref(),
        read.1.as_deref(),
        read.2.as_deref(),
        read.3.as_deref(),
    );
    assert_eq!(values, (Some(&2), None, Some(&3), Some(&1)));
    assert_eq!(map.get("a").as_deref(), Some(&3), "the last write counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_attempt_reads_one_view() {
    let (log, map) = fresh().await;
    put_all(&map, [("a", 1), ("b", 1)]).await;
    let mut seen = Vec::new();
    let reading = map.transact(|txn| {
        let a = txn.get(&map, "a")?;
        if seen.is_empty() {
            // Both keys change between the two reads, and this map hears of it.
            come_between(&log, [("a", 2), ("b", 2)]);
            while map.get("b").as_deref() != Some(&2) {
                std::thread::yield_now();
            }
        }
        seen.push((a, txn.get(&map, "b")?));
        Ok(())
    });
    within("the transaction", reading).await.unwrap();
    assert_eq!(seen.len(), 2, "the torn attempt was refused");
    assert!(seen.iter().all(|(a, b)| a == b), "{seen:?}");
}

#[tokio::test]
async fn an_aborted_transaction_writes_nothing() {
    let (_, around, map) = fresh_around().await;
    let outcome: globe::Result<globe::Committed<()>> = map
        .transact(|txn| {
            txn.put(&map, "a", 1)?;
            Err(txn.abort("no cover"))
        })
        .await;
    let error = fails_with(outcome, ErrorKind::Aborted);
    assert!(error.to_string().contains("no cover"));
    assert_eq!(around.calls().commits, 0);
    assert_eq!(map.get("a"), None);
}

#[tokio::test]
async fn a_map_of_another_log_is_refused() {
    let here = numbers(&MemoryLog::new()).await;
    let there = numbers(&MemoryLog::new()).await;
    let outcome = here
        .transact(|txn| {
            txn.put(&here, "a", 1)?;
            txn.put(&there, "a", 1)
        })
        .await;
    let error = fails_with(outcome, ErrorKind::Invalid);
    assert!(error.to_string().contains("another log"), "{error}");
    assert!(here.is_empty() && there.is_empty());
}

#[tokio::test]
async fn two_types_on_one_keyspace_are_refused() {
    let (log, map) = fresh().await;
    let texts: Globe<String, String> = Globe::open(log, "numbers").await.unwrap();
    let outcome = map.transact(|txn| {
        txn.get(&map, "a")?;
        txn.get(&texts, "a").map(drop)
    });
    fails_with(outcome.await, ErrorKind::Invalid);
}

#[tokio::test]
async fn two_handles_on_one_keyspace_both_show_it_on_return() {
    let log = MemoryLog::new();
    let slow = Around::new(&log);
    slow.hold_snapshots(true);
    let first = numbers(&log).await;
    let second: Numbers = Globe::builder(slow.clone(), "numbers").start().unwrap();
    let write = first.transact(|txn| {
        txn.put(&first, "a", 1)?;
        txn.put(&second, "b", 2)
    });
    let write = answered_after(write, async {
        until("the first shows it", || first.contains_key("b")).await;
        slow.hold_snapshots(false);
    });
    write.await.unwrap();
    assert_eq!(second.get("b").as_deref(), Some(&2));
}

#[tokio::test]
async fn a_transaction_is_one_step_of_a_watch() {
    let map = numbers(&MemoryLog::new()).await;
    let mut watch = map.watch();
    map.transact(|txn| {
        txn.put(&map, "a", 1)?;
        txn.put(&map, "b", 2)
    })
    .await
    .unwrap();
    let changes = watch.next().await.unwrap();
    assert_eq!(
        (changes.as_slice().len(), changes.cause()),
        (2, Cause::Step)
    );
    assert_eq!(
        changes.as_slice()[0].position().revision,
        changes.as_slice()[1].position().revision
    );
}

#[tokio::test]
async fn a_transaction_that_only_reads_proves_that_it_still_stands() {
    let (log, map) = fresh().await;
    map.put("a", 1).await.unwrap();
    let before = log.head_position();
    let read = map.transact(|txn| txn.get(&map, "a")).await.unwrap();
    assert_eq!(read.value().as_deref(), Some(&1));
    assert_eq!(log.head_position(), before, "it writes nothing");
}
