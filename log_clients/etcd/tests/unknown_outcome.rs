//! Commits whose reply is lost, whose request is late, or that meet a server without space.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{ErrorKind, LogClient, Position, Result, Transaction};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};
use rig::{
    BOUND, Copy, connect, converges, delete, flags, hasty, history, http, on_each_version, put,
    puts_of, record, truth, try_create, try_put, within,
};
use tokio::task::JoinHandle;

on_each_version! {
    a_commit_whose_reply_is_held_is_settled_through_another_way
    a_commit_whose_request_is_held_lands_once_however_late_it_arrives
    a_commit_that_nobody_can_settle_is_indeterminate_and_lands_at_most_once
    nothing_unknown_can_land_after_a_later_commit_of_its_client
    a_commit_is_settled_when_the_only_way_heals_in_time
    a_log_without_space_refuses_truthfully_and_recovers
}

/// A server that can be reached in two ways, and a client that knows both.
struct TwoWays {
    server: EtcdServer,
    first: Proxy,
    second: Proxy,
    log: EtcdLog,
    /// The same ways, and every setting at its default.
    hasty: EtcdLog,
    /// Another client, which goes straight to the server.
    straight: EtcdLog,
    start: Position,
}

impl TwoWays {
    async fn new(version: EtcdVersion) -> TwoWays {
        let server = EtcdServer::start(version).await;
        let (first, second) = (
            Proxy::start(server.port()).await,
            Proxy::start(server.port()).await,
        );
        let both = [http(first.port()), http(second.port())];
        let (log, hasty) = (connect(both.clone()).await, hasty(both).await);
        let straight = connect([server.endpoint()]).await;
        let start = put(&straight, "start", "1").await;
        TwoWays {
            server,
            first,
            second,
            log,
            hasty,
            straight,
            start,
        }
    }

    /// Makes the client use the first way, and leaves it no other.
    async fn go_the_first(&self, log: &EtcdLog) {
        self.second.cut();
        put(log, "on the way", "1").await;
    }

    async fn history(&self) -> Vec<(String, Option<String>)> {
        history(&self.straight, self.start).await
    }
}

fn create(log: &EtcdLog, key: &str) -> JoinHandle<Result<Position>> {
    let (log, key) = (log.clone(), key.to_owned());
    tokio::spawn(async move { try_create(&log, &key, "1").await })
}

async fn outcome(commit: JoinHandle<Result<Position>>) -> Result<Position> {
    within("the outcome", commit).await.unwrap()
}

async fn a_commit_whose_reply_is_held_is_settled_through_another_way(version: EtcdVersion) {
    let ways = TwoWays::new(version).await;
    for round in 0..3 {
        ways.first.heal();
        ways.go_the_first(&ways.log).await;
        ways.first.freeze_replies();
        let key = format!("key-{round}");
        let commit = create(&ways.log, &key);
        wait_until("the commit has landed", BOUND, || async {
            record(&ways.straight, &key).await.is_some()
        })
        .await;
        ways.second.heal();
        let position = outcome(commit).await.unwrap();
        let record = record(&ways.straight, &key).await.unwrap();
        assert_eq!(record.modified, position.revision, "it says where it is");
        assert_eq!(puts_of(&ways.history().await, &key), 1);
    }
}

async fn a_commit_whose_request_is_held_lands_once_however_late_it_arrives(version: EtcdVersion) {
    let ways = TwoWays::new(version).await;
    for round in 0..4 {
        ways.first.heal();
        ways.go_the_first(&ways.log).await;
        ways.first.freeze();
        let key = format!("key-{round}");
        let commit = create(&ways.log, &key);
        // It is sent, and waits in the proxy, when the first way is given up.
        ways.second.heal();
        outcome(commit).await.unwrap();
        // Its precondition holds again, so only the fence is in the way of the late copy.
        delete(&ways.straight, &key).await;
    }
    ways.first.heal();
    let late = connect([http(ways.first.port())]).await;
    put(&late, "after", "1").await;
    let history = ways.history().await;
    for round in 0..4 {
        assert_eq!(puts_of(&history, &format!("key-{round}")), 1);
    }
    let left = truth(&ways.server).await;
    assert!(!left.keys().any(|key| key.starts_with("key-")), "{left:?}");
}

async fn a_commit_that_nobody_can_settle_is_indeterminate_and_lands_at_most_once(
    version: EtcdVersion,
) {
    let ways = TwoWays::new(version).await;
    ways.go_the_first(&ways.hasty).await;
    ways.first.freeze_replies();
    let landed = create(&ways.hasty, "landed");
    let error = outcome(landed).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}");
    assert!(record(&ways.straight, "landed").await.is_some());

    ways.first.heal();
    ways.go_the_first(&ways.hasty).await;
    ways.first.freeze();
    let held = create(&ways.hasty, "held");
    let error = outcome(held).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}");

    ways.first.heal();
    ways.second.heal();
    // The client's own slots do not mix up what came of which commit.
    for number in 0..100 {
        put(&ways.hasty, &format!("later-{number}"), "1").await;
    }
    let history = ways.history().await;
    assert_eq!(puts_of(&history, "landed"), 1);
    assert!(puts_of(&history, "held") <= 1);
    for number in 0..100 {
        assert_eq!(puts_of(&history, &format!("later-{number}")), 1);
    }
}

async fn nothing_unknown_can_land_after_a_later_commit_of_its_client(version: EtcdVersion) {
    let ways = TwoWays::new(version).await;
    ways.go_the_first(&ways.hasty).await;
    ways.first.freeze();
    let keys: Vec<String> = (0..3).map(|number| format!("key-{number}")).collect();
    let commits: Vec<_> = keys.iter().map(|key| create(&ways.hasty, key)).collect();
    for commit in commits {
        let error = outcome(commit).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}");
    }
    ways.second.heal();
    put(&ways.hasty, "later", "1").await;
    // They wait in the proxy, and nothing else has written their keys.
    ways.first.heal();
    let late = connect([http(ways.first.port())]).await;
    for number in 0..20 {
        put(&late, &format!("after-{number}"), "1").await;
    }
    let history = ways.history().await;
    for key in &keys {
        assert_eq!(puts_of(&history, key), 0, "{key} landed late");
    }
}

async fn a_commit_is_settled_when_the_only_way_heals_in_time(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let proxy = Proxy::start(server.port()).await;
    let log = connect([http(proxy.port())]).await;
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
    server.compact(server.revision().await).await;
    server.etcdctl(&["defrag"]).await;
    server.etcdctl(&["alarm", "disarm"]).await;
    let written = put(&log, "small", "1").await;
    copy.reach(written).await;
    assert_eq!(copy.values(), truth(&server).await);
}
