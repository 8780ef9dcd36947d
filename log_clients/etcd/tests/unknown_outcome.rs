//! Commits whose reply is lost, whose request is late, or that meet a server without space.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;
mod two_ways;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{ErrorKind, LogClient, Position, Result, Transaction};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};
use rig::{
    BOUND, Copy, connect, converges, delete, flags, history, hurried, on_each_version, put,
    puts_of, record, truth, try_create, try_put, within,
};
use tokio::task::JoinHandle;
use two_ways::TwoWays;

on_each_version! {
    a_commit_whose_reply_is_held_is_settled_through_another_way
    a_commit_whose_request_is_held_lands_once_however_late_it_arrives
    a_commit_that_nobody_can_settle_is_indeterminate_and_lands_at_most_once
    nothing_unknown_can_land_after_a_later_commit_of_its_client
    a_commit_is_settled_when_the_only_way_heals_in_time
    a_log_without_space_refuses_truthfully_and_recovers
}

fn keys(name: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{name}-{number}"))
        .collect()
}

fn create(log: &EtcdLog, key: &str) -> JoinHandle<Result<Position>> {
    let (log, key) = (log.clone(), key.to_owned());
    tokio::spawn(async move { try_create(&log, &key, "1").await })
}

async fn outcome(commit: JoinHandle<Result<Position>>) -> Result<Position> {
    within("the outcome", commit).await.unwrap()
}

async fn a_commit_whose_reply_is_held_is_settled_through_another_way(version: EtcdVersion) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = connect(ways.both()).await;
    for round in 0..3 {
        ways.first.heal();
        ways.go_the_first(&log).await;
        ways.first.freeze_replies();
        let key = format!("key-{round}");
        let commit = create(&log, &key);
        wait_until("the commit has landed", BOUND, || async {
            record(&ways.straight, &key).await.is_some()
        })
        .await;
        ways.second.heal();
        let position = outcome(commit).await.unwrap();
        let record = record(&ways.straight, &key).await.unwrap();
        assert_eq!(record.modified, position.revision, "it says where it is");
        assert_eq!(ways.times_written(&key).await, 1);
    }
}

async fn a_commit_whose_request_is_held_lands_once_however_late_it_arrives(version: EtcdVersion) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = connect(ways.both()).await;
    let keys = keys("key", 4);
    for key in &keys {
        ways.first.heal();
        ways.go_the_first(&log).await;
        ways.first.freeze();
        let commit = create(&log, key);
        // It is sent, and waits in the proxy, when the first way is given up.
        ways.second.heal();
        outcome(commit).await.unwrap();
        // Its precondition holds again, so only the fence is in the way of the late copy.
        delete(&ways.straight, key).await;
    }
    ways.deliver().await;
    ways.were_written(&keys, 1).await;
    let left = truth(&ways.server).await;
    assert!(!left.keys().any(|key| key.starts_with("key-")), "{left:?}");
}

async fn a_commit_that_nobody_can_settle_is_indeterminate_and_lands_at_most_once(
    version: EtcdVersion,
) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = hurried(ways.both()).await;
    ways.go_the_first(&log).await;
    ways.first.freeze_replies();
    let landed = create(&log, "landed");
    let error = outcome(landed).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}");
    assert!(record(&ways.straight, "landed").await.is_some());

    ways.first.heal();
    ways.go_the_first(&log).await;
    ways.first.freeze();
    let held = create(&log, "held");
    let error = outcome(held).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}");

    ways.first.heal();
    ways.second.heal();
    // The client's own slots do not mix up what came of which commit.
    let later = keys("later", 100);
    for key in &later {
        put(&log, key, "1").await;
    }
    assert_eq!(ways.times_written("landed").await, 1);
    assert!(ways.times_written("held").await <= 1);
    ways.were_written(&later, 1).await;
}

async fn nothing_unknown_can_land_after_a_later_commit_of_its_client(version: EtcdVersion) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = hurried(ways.both()).await;
    ways.go_the_first(&log).await;
    ways.first.freeze();
    let keys = keys("key", 3);
    let commits: Vec<_> = keys.iter().map(|key| create(&log, key)).collect();
    for commit in commits {
        let error = outcome(commit).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}");
    }
    ways.second.heal();
    put(&log, "later", "1").await;
    // They wait in the proxy, and nothing else has written their keys.
    ways.deliver().await;
    ways.were_written(&keys, 0).await;
}

async fn a_commit_is_settled_when_the_only_way_heals_in_time(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let proxy = Proxy::start(server.port()).await;
    let log = connect([proxy.endpoint()]).await;
    let straight = connect([server.endpoint()]).await;
    let start = put(&log, "start", "1").await;
    proxy.freeze_replies();
    let commit = create(&log, "key");
    wait_until("the commit has landed", BOUND, || async {
        record(&straight, "key").await.is_some()
    })
    .await;
    proxy.cut();
    proxy.heal();
    let position = outcome(commit).await.unwrap();
    let record = record(&straight, "key").await.unwrap();
    assert_eq!(record.modified, position.revision);
    assert_eq!(puts_of(&history(&straight, start).await, "key"), 1);
}

async fn a_log_without_space_refuses_truthfully_and_recovers(version: EtcdVersion) {
    let builder = EtcdServer::builder(version).flag("--quota-backend-bytes=4194304");
    let server = builder.start().await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let large = "x".repeat(512 * 1024);
    let mut taken = Vec::new();
    let refusal = loop {
        let key = format!("large-{}", taken.len());
        match try_put(&log, &key, &large).await {
            Ok(_) => taken.push(key),
            Err(error) => break error,
        }
        assert!(taken.len() < 40, "there is a quota");
    };
    let refused = format!("large-{}", taken.len());
    let stands = record(&log, &refused).await.is_some();
    match refusal.kind() {
        ErrorKind::Full => assert!(!stands, "it was written, and it said: {refusal}"),
        kind => assert_eq!(kind, &ErrorKind::Indeterminate, "{refusal}"),
    }
    let again = try_put(&log, "small", "1").await.unwrap_err();
    assert_eq!(again.kind(), &ErrorKind::Full, "{again}");
    let granted = log.grant(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(granted.kind(), &ErrorKind::Full, "{granted}");

    for key in taken.iter().chain([&refused]) {
        let delete = Transaction::new().delete(&flags(), key.clone());
        within("a delete makes room", log.commit(delete))
            .await
            .unwrap();
    }
    converges(&mut copy, &log, &server).await;
    assert!(copy.records.is_empty());
    server.make_space().await;
    let written = put(&log, "small", "1").await;
    copy.reach(written).await;
    assert_eq!(copy.values(), truth(&server).await);
}
