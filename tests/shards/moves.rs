//! Moves that are planned, and those that are not.

use std::time::Duration;

use globe::Fenced;
use globe::shards::Mode;

use crate::cluster::{Cluster, Onlooker, counts, is_settled};

#[tokio::test(start_paused = true)]
async fn one_member_gets_all_and_a_second_its_share_with_nothing_unowned() {
    for mode in [Mode::Strict, Mode::Available] {
        let cluster = Cluster::new(40, mode);
        let first = cluster.join("a").await;
        first.settled(1).await;
        let onlooker = Onlooker::new(&cluster).await;
        let second = cluster.join("b").await;
        let even = |table: &globe::shards::Table| {
            is_settled(table, 2)
                && counts(table)
                    .values()
                    .all(|count| (19..=21).contains(count))
        };
        second.wait_for("even", even).await;
        let seen = onlooker.seen().await;
        assert!(
            (19..=20).contains(&seen.handed) && seen.unowned == 0,
            "{mode:?} {seen:?}"
        );
        assert_eq!(cluster.journal.served(), 40);
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_gives_all_away_first_and_is_gone() {
    for mode in [Mode::Strict, Mode::Available] {
        let cluster = Cluster::new(40, mode);
        let mut first = cluster.join("a").await;
        let second = cluster.join("b").await;
        second
            .wait_for("spread", |table| {
                is_settled(table, 2) && counts(table).len() == 2
            })
            .await;
        let onlooker = Onlooker::new(&cluster).await;
        first.leave().await;
        second.shards.sync().await.unwrap();
        let table = second.shards.table();
        assert!(is_settled(&table, 1), "{mode:?}");
        assert_eq!(onlooker.seen().await.unowned, 0);
        tokio::time::timeout(Duration::from_secs(5), first.steps)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(cluster.journal.serving("a"), 0);
        assert_eq!(cluster.journal.serving("b"), 40);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_member_had_is_owned_again_within_its_time_to_live_and_a_second() {
    for mode in [Mode::Strict, Mode::Available] {
        let cluster = Cluster::new(40, mode);
        let first = cluster.join("a").await;
        let second = cluster.join("b").await;
        second
            .wait_for("spread", |table| {
                is_settled(table, 2) && counts(table).len() == 2
            })
            .await;
        let died = tokio::time::Instant::now();
        let session = first.die(&cluster);
        session.close().await.unwrap();
        second.settled(1).await;
        assert!(died.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test(start_paused = true)]
async fn work_comes_in_where_the_shard_is_owned_and_a_hand_over_waits_for_it() {
    let cluster = Cluster::new(1, Mode::Strict);
    let mut first = cluster.join("a").await;
    first.settled(1).await;
    tokio::task::yield_now().await;
    let guard = loop {
        match first.shards.enter("key") {
            Ok(guard) => break guard,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert!(guard.still() && guard.is_held());
    let second = cluster.join("b").await;
    let not = second.shards.enter("key").unwrap_err();
    assert_eq!(not.owner.unwrap().member().id(), "a");
    let leaver = first.leaver.take().unwrap();
    let leaving = tokio::spawn(leaver.leave());
    second
        .wait_for("draining", |table| {
            table.row(0, 0).unwrap().phase == Some(globe::shards::Phase::Drain)
        })
        .await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(guard.still(), "a drain is never forced");
    assert!(first.shards.enter("key").is_err());
    drop(guard);
    leaving.await.unwrap().unwrap();
    second.settled(1).await;
}
