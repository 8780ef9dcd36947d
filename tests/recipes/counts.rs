//! Counters and ids.

use std::collections::BTreeSet;

use globe::{Counter, Counts, ErrorKind, Ids, MemoryLog};

use crate::rig::{Around, fails_with, open};
use crate::{SECOND, beside};

async fn counts(log: &MemoryLog) -> Counts {
    open(log, "counts").await
}

#[tokio::test(start_paused = true)]
async fn every_addition_counts_once_whoever_adds() {
    let log = MemoryLog::new();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let counter = Counter::new(&counts(&log).await, "visits").unwrap();
        tasks.push(beside(async move {
            for _ in 0..25 {
                counter.add(2).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let counter = Counter::new(&counts(&log).await, "visits").unwrap();
    assert_eq!(counter.get(), 200);
    assert_eq!(counter.add(-201).await.unwrap(), -1);
    counter.add(i64::MIN + 1).await.unwrap();
    let error = fails_with(counter.add(-1).await, ErrorKind::Invalid);
    assert!(error.to_string().contains("do not fit"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn ids_are_unique_and_grow_in_each_process_and_cost_a_commit_a_block() {
    let log = MemoryLog::new();
    let (way, mut given) = (Around::new(&log), BTreeSet::new());
    let here: Counts = open(&way, "counts").await;
    let all = [here, counts(&log).await].map(|counts| Ids::new(&counts, "orders", 10).unwrap());
    let mut last = [None; 2];
    for round in 0..300 {
        let id = all[round % 2].next().await.unwrap();
        assert!(given.insert(id), "{id} twice");
        assert!(last[round % 2] < Some(id));
        last[round % 2] = Some(id);
    }
    // The other's blocks make for conflicts, each of which costs one more.
    let commits = way.calls().commits;
    assert!(
        (15..=34).contains(&commits),
        "{commits} commits for 150 ids"
    );
}

#[tokio::test(start_paused = true)]
async fn ids_are_unique_across_crash_and_restore() {
    let log = MemoryLog::new();
    let mut given = BTreeSet::new();
    let (one, other) = (counts(&log).await, counts(&log).await);
    let ids = Ids::new(&one, "orders", 10).unwrap();
    let mut take = async |ids: &Ids, count: usize| {
        for _ in 0..count {
            let id = ids.next().await.unwrap();
            assert!(given.insert(id), "{id} twice");
        }
    };
    take(&ids, 25).await;
    let backup = log.backup();
    take(&ids, 500).await;
    // A process that comes anew knows only what stands in the log.
    log.restore(&backup);
    other.sync().await.unwrap();
    take(&Ids::new(&other, "orders", 10).unwrap(), 500).await;
    crate::rig::until("the new life is followed", || {
        one.position().map(|at| at.epoch) == Some(log.head_position().epoch)
    })
    .await;
    take(&ids, 500).await;
    // Everything is lost, but a process lives that remembers.
    log.wipe();
    crate::rig::until("the new life is followed", || {
        one.position().map(|at| at.epoch) == Some(log.head_position().epoch)
    })
    .await;
    take(&ids, 100).await;
    drop(ids);
    take(&Ids::new(&one, "orders", 10).unwrap(), 100).await;
}

#[tokio::test(start_paused = true)]
async fn ids_that_are_reserved_are_given_out_while_the_log_is_away() {
    let log = MemoryLog::new();
    let way = Around::new(&log);
    let counts: Counts = open(&way, "counts").await;
    let hasty = counts.with_deadline(SECOND);
    let ids = Ids::new(&hasty, "orders", 10).unwrap();
    for _ in 0..3 {
        ids.next().await.unwrap();
    }
    way.cut(true);
    for _ in 0..7 {
        ids.next().await.unwrap();
    }
    fails_with(ids.next().await, ErrorKind::Unavailable);
    way.cut(false);
    ids.next().await.unwrap();
    fails_with(Ids::new(&counts, "orders", 0), ErrorKind::Invalid);
    fails_with(Ids::new(&counts, "", 1), ErrorKind::Invalid);
}
