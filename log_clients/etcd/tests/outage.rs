//! A log that is simply down: what never left the process is `Unavailable`, and only what a server may have been given is
//! `Indeterminate`.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;
mod two_ways;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{Error, ErrorKind, LogClient, Position, Result};
use globe_test_support::{EtcdCluster, EtcdServer, EtcdVersion, Proxy, free_port, wait_until};
use rig::{
    BOUND, a_put, connect, flags, hasty, history, http, is_honest, on_each_version, put, puts_of,
    within,
};
use tokio::time::Instant;
use two_ways::TwoWays;

on_each_version! {
    a_commit_that_a_frozen_server_may_hold_is_indeterminate
    a_commit_that_cannot_even_be_prepared_is_unavailable
    short_waits_do_not_make_a_slow_member_a_dead_one
    a_silent_member_is_left_however_little_each_caller_waits
}

/// How long the callers here wait: shorter than every limit of the log's own.
const SHORT: Duration = Duration::from_millis(400);
/// The log's own limit, by default.
const DEADLINE: Duration = Duration::from_secs(5);

/// A commit with a time limit of its own, shorter than the log's: it must not take as long as that.
async fn commit_in(log: &EtcdLog, key: &str, limit: Duration) -> Result<Position> {
    let began = Instant::now();
    let commit = a_put(key, "1").taking_at_most(limit);
    let answer = within("an answer", log.commit(commit)).await;
    assert!(began.elapsed() < DEADLINE, "its limit was {limit:?}");
    answer
}

async fn is_unavailable(log: &EtcdLog) {
    for limit in [SHORT / 10, SHORT, SHORT * 4] {
        let error = commit_in(log, "key", limit).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    }
}

/// The first commit may be written to a connection that has not heard of the end yet: nobody can know then.
async fn is_unavailable_from_the_second_on(log: &EtcdLog) {
    let error = commit_in(log, "first", SHORT).await.unwrap_err();
    is_honest(&error);
    is_unavailable(log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_every_endpoint_refuses_is_unavailable() {
    let log = hasty([http(free_port()), http(free_port())]).await;
    is_unavailable(&log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_server_has_died_is_unavailable() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = hasty([server.endpoint()]).await;
    put(&log, "before", "1").await;
    server.kill();
    is_unavailable_from_the_second_on(&log).await;
}

/// A learner takes no requests, and says so before it does anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_to_a_learner_alone_is_unavailable() {
    let mut cluster = EtcdCluster::start(&[EtcdVersion::Reference; 3]).await;
    cluster.remove(2).await;
    cluster.add_learner(2).await;
    let log = hasty([cluster[2].endpoint()]).await;
    wait_until("the learner listens", BOUND, || async {
        cluster[2]
            .try_etcdctl(&["endpoint", "status"])
            .await
            .is_ok()
    })
    .await;
    is_unavailable(&log).await;
}

/// What it is told by whoever removed it ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_to_a_removed_member_alone_is_unavailable() {
    let mut cluster = EtcdCluster::start(&[EtcdVersion::Reference; 3]).await;
    let log = hasty([cluster[2].endpoint()]).await;
    put(&log, "before", "1").await;
    cluster.remove(2).await;
    is_unavailable_from_the_second_on(&log).await;
}

async fn a_commit_that_a_frozen_server_may_hold_is_indeterminate(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = hasty([server.endpoint()]).await;
    let start = put(&log, "before", "1").await;
    server.pause();
    for limit in [SHORT / 10, SHORT, SHORT * 4] {
        let error = commit_in(&log, "key", limit).await.unwrap_err();
        let is_prepared = *error.kind() == ErrorKind::Indeterminate;
        // The next ones are not sent: what the first left open has to be closed before.
        let is_first = limit == SHORT / 10;
        assert_eq!(is_prepared, is_first, "{limit:?}: {error}");
        assert!(
            is_first || *error.kind() == ErrorKind::Unavailable,
            "{error}"
        );
    }
    server.resume();
    let straight = connect([server.endpoint()]).await;
    put(&log, "after", "1").await;
    assert!(puts_of(&history(&straight, start).await, "key") <= 1);
}

async fn a_commit_that_cannot_even_be_prepared_is_unavailable(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = hasty([server.endpoint()]).await;
    // It knows the server, and has nothing to fence a commit with.
    log.head(&flags()).await.unwrap();
    server.pause();
    is_unavailable(&log).await;
    server.resume();
}

/// Two ways to a server, and a log that uses the first.
async fn two_ways(version: EtcdVersion, request_timeout: Duration) -> (TwoWays, EtcdLog) {
    let ways = TwoWays::to(EtcdServer::start(version).await).await;
    let log = EtcdLog::builder().endpoints(ways.both());
    let log = log.request_timeout(request_timeout).deadline(BOUND);
    let log = log.connect().await.unwrap();
    ways.go_the_first(&log).await;
    ways.second.heal();
    (ways, log)
}

/// Asks for the head and does not wait for long; whether it was answered.
async fn hurried_head(log: &EtcdLog) -> bool {
    let hurry = Duration::from_millis(40);
    tokio::time::timeout(hurry, log.head(&flags()))
        .await
        .is_ok()
}

async fn short_waits_do_not_make_a_slow_member_a_dead_one(version: EtcdVersion) {
    let (ways, log) = two_ways(version, BOUND).await;
    let dialled = || [&ways.first, &ways.second].map(Proxy::connections);
    let before = dialled();
    ways.first.freeze();
    for turn in 0..5 {
        assert!(!hurried_head(&log).await);
        let short = commit_in(&log, &turn.to_string(), SHORT / 10).await;
        assert!(short.is_err(), "{short:?}");
    }
    ways.first.heal();
    within("the head", log.head(&flags())).await.unwrap();
    assert_eq!(dialled(), before, "nobody was dialled");
}

async fn a_silent_member_is_left_however_little_each_caller_waits(version: EtcdVersion) {
    let (ways, log) = two_ways(version, Duration::from_secs(1)).await;
    let dialled = ways.second.connections();
    ways.first.freeze();
    let mut waits = 0;
    while !within("a short wait", hurried_head(&log)).await {
        waits += 1;
        // 25 of them are as long as a member may be silent. Without that, only a ping of the connection ends it, after 375.
        assert!(waits < 100, "it took {waits} short waits");
    }
    assert!(ways.second.connections() > dialled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_failure_is_told_while_the_log_is_still_tried_and_until_it_answers() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    proxy.cut();
    let log = connect([proxy.endpoint()]).await;
    assert!(log.last_failure().is_none(), "it was not tried yet");
    let trying = {
        let log = log.clone();
        tokio::spawn(async move { log.snapshot(&flags()).await.map(drop) })
    };
    wait_until("a failure is told", BOUND, || async {
        log.last_failure().is_some()
    })
    .await;
    assert!(!trying.is_finished(), "it is still tried");
    let failure: Error = log.last_failure().unwrap();
    assert_eq!(failure.kind(), &ErrorKind::Unavailable, "{failure}");
    let address = format!("127.0.0.1:{}", proxy.port());
    assert!(failure.to_string().contains(&address), "{failure}");
    proxy.heal();
    within("the snapshot", trying).await.unwrap().unwrap();
    assert!(log.last_failure().is_none(), "it was reached");
}
