//! Commits: whose position is returned, what concurrent ones do to each other, what changes nothing.
//!
//! Never tests a precondition for its own sake: that is `precondition.rs`.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::harness::Harness;
use super::mirror::Mirror;
use super::space::{Space, another, soon};
use crate::conflict::Conflict;
use crate::error::{Error, ErrorKind, Result};
use crate::position::Position;
use crate::record::{Change, Standing};
use crate::transaction::{Precondition, Transaction};

pub async fn the_position_returned_is_this_commits_own(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    let writers = (0..8).map(|writer| {
        let space = [&here, &there][writer % 2].clone();
        tokio::spawn(async move {
            let mut written = Vec::new();
            for round in 0..10 {
                let key = format!("{writer}-{round}");
                let position = space.put(key.clone(), "value").await;
                written.push((Bytes::from(key), position.revision));
            }
            written
        })
    });
    let mut seen = HashSet::new();
    let written = futures::future::join_all(writers.collect::<Vec<_>>()).await;
    let records = here.records().await;
    for (key, revision) in written.into_iter().flat_map(|w| w.unwrap()) {
        assert_eq!(records[&key].modified, revision);
        assert!(seen.insert(revision), "two commits at {revision}");
    }
}

pub async fn positions_of_commits_grow_strictly(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    let mut last = here.head().await;
    for round in 0..20 {
        let space = if round % 2 == 0 { &here } else { &there };
        let position = space.put("key", "same").await;
        assert_eq!(position.epoch, last.epoch);
        assert!(position.revision > last.revision);
        last = position;
    }
}

pub async fn head_covers_every_commit_acknowledged_anywhere(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    for _ in 0..20 {
        let written = here.put("key", "value").await;
        let head = there.head().await;
        if here.capabilities().linearizable_head {
            assert!(head.covers(written), "head {head} is older than {written}");
        }
        let written = there.put("key", "value").await;
        assert!(
            there.head().await.covers(written),
            "older than its own commit"
        );
    }
}

pub async fn a_recent_head_covers_what_was_acknowledged_before_its_age(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    let beside = there.beside("-beside");
    let mut acknowledged = Vec::new();
    for round in 0_u32..60 {
        let written = here.put("key", "value").await;
        acknowledged.push((Instant::now(), written));
        for asks in [&there, &beside] {
            let most = [
                Duration::ZERO,
                Duration::from_millis(1),
                Duration::from_secs(60),
            ];
            let most = most[(round % 3) as usize];
            let called = Instant::now();
            let recent = soon("a recent head", asks.log.recent_head(&asks.keyspace, most)).await;
            let recent = recent.expect("a recent head");
            assert!(
                recent.age <= most,
                "{:?} is older than {most:?}",
                recent.age
            );
            if !here.capabilities().linearizable_head {
                continue;
            }
            let covered = acknowledged
                .iter()
                .filter(|(at, _)| *at + recent.age <= called);
            for (_, written) in covered {
                assert!(
                    recent.position.covers(*written),
                    "{recent:?} without {written}"
                );
            }
        }
    }
}

pub async fn a_recent_head_is_reached_by_an_open_tail(harness: &dyn Harness) {
    let quiet = Space::fresh(harness);
    let (busy, elsewhere) = (quiet.beside("-busy"), quiet.elsewhere(harness).await);
    let mut reached = quiet.head().await;
    let mut tail = quiet.tail(reached).await.expect("a tail");
    elsewhere.beside("-busy").put("key", "value").await;
    // One asks, and the other takes its answer where that is shared.
    let most = Duration::from_secs(60);
    soon(
        "a head",
        busy.log.recent_head(&busy.keyspace, Duration::ZERO),
    )
    .await
    .expect("a head");
    let recent = soon(
        "a recent head",
        quiet.log.recent_head(&quiet.keyspace, most),
    )
    .await;
    let head = recent.expect("a recent head").position;
    while !reached.covers(head) {
        let batch = soon("the tail reaches the head", tail.next()).await;
        reached.revision = batch.expect("a batch").revision;
    }
}

pub async fn of_many_concurrent_creates_exactly_one_wins(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    let creators = (0..16).map(|n| {
        let space = [&here, &there][n % 2].clone();
        let create = Transaction::new()
            .when(&space.keyspace, "key", Precondition::Absent)
            .put(&space.keyspace, "key", format!("{n}"));
        tokio::spawn(async move { space.try_commit(create).await })
    });
    let outcomes = futures::future::join_all(creators.collect::<Vec<_>>()).await;
    let outcomes: Vec<Result<Position>> = outcomes.into_iter().map(|o| o.unwrap()).collect();
    let record = here.record("key").await.expect("nobody won");
    let winner: usize = std::str::from_utf8(&record.value).unwrap().parse().unwrap();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(position) => assert_eq!((n, position.revision), (winner, record.created)),
            Err(error) => {
                let found = conflict(error).failed[0].found();
                assert_eq!(found, Some(Standing::from(&record)));
            }
        }
    }
}

fn conflict(error: Error) -> Conflict {
    match error.kind() {
        ErrorKind::Conflict(conflict) => conflict.clone(),
        _ => panic!("a conflict was expected: {error}"),
    }
}

pub async fn concurrent_increments_lose_none(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    here.put("count", "0").await;
    let counters = (0..4).map(|n| {
        let space = [&here, &there][n % 2].clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                increment(&space).await;
            }
        })
    });
    for counter in counters.collect::<Vec<_>>() {
        counter.await.unwrap();
    }
    assert_eq!(here.record("count").await.unwrap().value, "40");
}

async fn increment(space: &Space) {
    loop {
        let record = space.record("count").await.unwrap();
        let count: u32 = std::str::from_utf8(&record.value).unwrap().parse().unwrap();
        let increment = Transaction::new()
            .when(&space.keyspace, "count", Precondition::At(record.modified))
            .put(&space.keyspace, "count", format!("{}", count + 1));
        match space.try_commit(increment).await {
            Ok(_) => return,
            Err(error) => assert!(error.is_conflict(), "{error}"),
        }
    }
}

pub async fn deleting_an_absent_key_is_no_error(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let before = space.put("key", "value").await;
    let mut mirror = Mirror::open(&space).await;
    let nothing = space.delete("absent").await;
    assert!(nothing.covers(before), "{nothing} is older than {before}");
    let both = Transaction::new()
        .delete(&space.keyspace, "absent")
        .delete(&space.keyspace, "key");
    let position = space.commit(both).await;
    let batch = mirror.next().await;
    assert_eq!(batch.revision, position.revision);
    let key = Bytes::from("key");
    assert_eq!(batch.changes, [Change::Delete { key }]);
}

pub async fn a_transaction_without_writes_only_checks(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let before = space.put("key", "value").await;
    let mut mirror = Mirror::open(&space).await;
    let holds = Transaction::new().when(&space.keyspace, "key", Precondition::At(before.revision));
    assert!(space.commit(holds).await.covers(before));
    let fails = Transaction::new().when(&space.keyspace, "key", Precondition::Absent);
    assert!(space.refused(fails).await.is_conflict());
    assert!(space.commit(Transaction::new()).await.covers(before));
    let after = space.put("other", "value").await;
    assert_eq!(mirror.next().await.revision, after.revision);
}

pub async fn a_transaction_of_another_life_writes_nothing(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let here = space.put("key", "value").await;
    let write = || {
        let holds = Precondition::At(here.revision);
        let transaction = Transaction::new().when(&space.keyspace, "key", holds);
        transaction.put(&space.keyspace, "key", "other")
    };
    let elsewhere = another(here.epoch);
    let refused = space.refused(write().within(Some(elsewhere))).await;
    assert_eq!(*refused.kind(), ErrorKind::EpochChanged, "{refused}");
    // The revision still stands: nothing was written. In this life it is taken.
    space.commit(write().within(Some(here.epoch))).await;
}

pub async fn a_client_says_who_it_is_and_what_it_can_do(harness: &dyn Harness) {
    let log = harness.log();
    assert_eq!(log.id(), harness.log().id());
    assert_eq!(log.id(), std::sync::Arc::new(harness.log()).id());
    let capabilities = log.capabilities();
    assert!(!capabilities.name.is_empty());
    assert!(capabilities.max_operations > 0);
    assert!(capabilities.max_key_bytes > 0);
    assert!(capabilities.max_value_bytes <= capabilities.max_transaction_bytes);
    let space = Space::fresh(harness);
    soon("head", space.log.head(&space.keyspace)).await.unwrap();
    let reached = space.capabilities();
    assert_eq!(
        reached.name, capabilities.name,
        "reaching it changed its name"
    );
}
