//! What cannot be meant, and what people write by hand.

use std::time::Duration;

use globe::shards::{Mode, ShardGuard, ShardMember};
use globe::{ErrorKind, Fenced, Globe, MemoryLog, Session, Shards};
use serde_json::{Value, json};

use crate::cluster::{Cluster, TTL};
use crate::rig::{Around, fails_with, until};

#[tokio::test(start_paused = true)]
async fn what_cannot_be_meant_is_refused_before_anything_is_opened() {
    let log = MemoryLog::new();
    let table = || Shards::builder(log.clone(), "table");
    let whole = || table().slots(4).mode(Mode::Strict);
    let bad = [
        table(),
        table().slots(4),
        table().mode(Mode::Strict),
        table().slots(4).ranges().mode(Mode::Strict),
        table().slots(0).mode(Mode::Strict),
        table().slots(1_000_001).mode(Mode::Strict),
        whole().replicas(0),
        whole().replicas(17),
        whole().tolerance(-0.1),
        whole().tolerance(f64::NAN),
        whole().moving(0),
        whole().settle(Duration::ZERO),
        whole().prepare_timeout(Duration::from_secs(1 << 20)),
    ];
    for builder in bad {
        let what = format!("{builder:?}");
        let error = builder.open().await.expect_err(&what);
        assert_eq!(*error.kind(), ErrorKind::Invalid, "{what}");
    }
    whole().open().await.unwrap();
    let other = [
        table().slots(5).mode(Mode::Strict),
        table().slots(4).mode(Mode::Available),
        whole().replicas(2),
        table().ranges().mode(Mode::Strict),
    ];
    for builder in other {
        let error = fails_with(builder.open().await, ErrorKind::Invalid);
        assert!(error.to_string().contains("4 slots"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_cannot_be_meant_is_refused_and_one_handle_is_one_member() {
    let cluster = Cluster::new(4, Mode::Strict);
    let way = Around::new(&cluster.log);
    let (shards, session) = cluster.process("a", &way).await;
    for member in [
        ShardMember::new(""),
        ShardMember::new("a/b"),
        ShardMember::new("a\n"),
        ShardMember::new("a").weight(0),
        ShardMember::new("a").weight(1_000_001),
    ] {
        fails_with(shards.join(&session, member).await, ErrorKind::Invalid);
    }
    let elsewhere = Session::open(MemoryLog::new()).await.unwrap();
    fails_with(
        shards.join(&elsewhere, ShardMember::new("a")).await,
        ErrorKind::Invalid,
    );
    let worker = shards.join(&session, ShardMember::new("a")).await.unwrap();
    fails_with(
        shards.join(&session, ShardMember::new("b")).await,
        ErrorKind::Busy,
    );
    drop(worker);
    until("its place is free", || {
        shards.table().members().count() == 0
    })
    .await;
    shards.join(&session, ShardMember::new("b")).await.unwrap();
}

/// Whoever gives up to wait leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn a_second_life_waits_for_the_first_and_can_be_given_up() {
    let cluster = Cluster::new(4, Mode::Strict);
    let first = cluster.join("a").await;
    first.settled(1).await;
    let (shards, session) = cluster.process("a", &Around::new(&cluster.log)).await;
    let joining = shards.join(&session, ShardMember::new("a"));
    assert!(
        tokio::time::timeout(Duration::from_secs(30), joining)
            .await
            .is_err()
    );
    let joining = shards.join(&session, ShardMember::new("a"));
    tokio::pin!(joining);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), &mut joining)
            .await
            .is_err()
    );
    first.session.close().await.unwrap();
    let worker = tokio::time::timeout(Duration::from_secs(30), joining)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(worker.id(), "a");
}

#[tokio::test(start_paused = true)]
async fn nonsense_in_one_row_harms_no_other() {
    let cluster = Cluster::new(20, Mode::Strict);
    let first = cluster.join("a").await;
    first.settled(1).await;
    let by_hand: Globe<String, Value> = Globe::open(cluster.log.clone(), "table").await.unwrap();
    by_hand.put("row/00003", json!("nonsense")).await.unwrap();
    by_hand
        .put(
            "row/00004",
            json!({"owner": "a@1", "term": 9, "phase": "drain"}),
        )
        .await
        .unwrap();
    by_hand
        .put("row/99999", json!({"owner": "a@1", "term": 9}))
        .await
        .unwrap();
    by_hand.put("row/x", json!({"by": "nobody"})).await.unwrap();
    by_hand
        .put("member/b", json!({"state": "up", "weight": 100}))
        .await
        .unwrap();
    by_hand.delete("member/b").await.unwrap();
    let second = cluster.join("b").await;
    second
        .wait_for("spread", |table| {
            crate::cluster::counts(table).get("b") >= Some(&8)
        })
        .await;
    assert_eq!(second.shards.status().unreadable, 1);
    first
        .wait_for("mended", |table| table.row(4, 0).unwrap().term > 9)
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_done_under_a_shard_lands_only_while_it_is_owned_in_that_term() {
    let cluster = Cluster::new(1, Mode::Strict);
    let mut first = cluster.join("a").await;
    first.settled(1).await;
    until("it is served", || first.shards.enter("key").is_ok()).await;
    let data: Globe<String, u64> = Globe::open(first.way.clone(), "data").await.unwrap();
    let guard = first.shards.enter("key").unwrap();
    // The caller keeps the guard while the transaction is under way.
    write(&data, &guard).await.unwrap();
    let second = cluster.join("b").await;
    drop(guard);
    let late = first.shards.enter("key").unwrap();
    first.session.close().await.unwrap();
    second.settled(1).await;
    fails_with(write(&data, &late).await, ErrorKind::NotHeld);
    assert!(!late.still());
    first.leaver.take();
}

/// Whatever its tasks had a chance to do: here they have none.
#[tokio::test(start_paused = true)]
async fn work_comes_in_only_by_the_clock_of_this_moment() {
    let cluster = Cluster::new(1, Mode::Strict);
    let first = cluster.join("a").await;
    until("it is served", || first.shards.enter("key").is_ok()).await;
    let guard = first.shards.enter("key").unwrap();
    tokio::time::advance(TTL).await;
    assert!(first.shards.enter("key").is_err() && !guard.still());
}

async fn write(data: &Globe<String, u64>, guard: &ShardGuard) -> globe::Result<()> {
    let written = data.transact(|txn| {
        txn.require(guard)?;
        txn.put(data, "sum", guard.token().number)
    });
    written.await.map(drop)
}
