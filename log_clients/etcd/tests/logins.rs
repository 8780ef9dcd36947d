//! What logging in costs a cluster: one login for everything a client does, however often and impatiently it asks.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use futures::future::join_all;
use globe_log_client::{ErrorKind, LogClient};
use globe_test_support::{
    Act, EtcdCluster, EtcdServer, EtcdVersion, Gateway, Proxy, Rule, wait_until,
};
use rig::{BOUND, Copy, as_app, flags, guard, logins, put, try_put, within};

/// Passwords that take a server many times as long to check as an impatient caller waits.
const SLOW: &str = "--bcrypt-cost=12";
/// What servers take for it by default: some 50 ms of a core.
const COSTLY: &str = "--bcrypt-cost=10";
const QUICK: &str = "--bcrypt-cost=4";

const LOGIN: &str = "/etcdserverpb.Auth/Authenticate";

async fn guarded(cost: &str) -> EtcdServer {
    rig::guarded(EtcdServer::builder(EtcdVersion::Reference).flag(cost)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_login_serves_every_line_of_a_client_however_many_begin_at_once() {
    let server = guarded(COSTLY).await;
    let before = logins(&server).await;
    let log = as_app(server.endpoint()).connect().await.unwrap();
    let uses = (0..20).map(|number: usize| {
        let log = &log;
        async move {
            // Snapshots are a question each; heads that are asked for at once would be one.
            let mut copy = Copy::open(log).await;
            log.head(&flags()).await.unwrap();
            let position = put(log, &number.to_string(), "1").await;
            copy.reach(position).await;
        }
    });
    join_all(uses).await;
    let lease = log.grant(Duration::from_secs(60)).await.unwrap();
    log.renew(lease).await.unwrap();
    assert_eq!(logins(&server).await - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_outlives_the_callers_who_gave_up_waiting_for_it() {
    let server = guarded(SLOW).await;
    let before = logins(&server).await;
    let log = as_app(server.endpoint()).deadline(Duration::from_millis(20));
    let log = log.connect().await.unwrap();
    let patient = async {
        while let Err(error) = log.head(&flags()).await {
            assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
        }
    };
    within("a head", patient).await;
    assert_eq!(logins(&server).await - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_hangs_with_its_member_is_begun_again() {
    let server = guarded(QUICK).await;
    let proxy = Proxy::start(server.port()).await;
    let log = as_app(proxy.endpoint()).connect().await.unwrap();
    proxy.freeze_replies();
    let head = tokio::spawn({
        let log = log.clone();
        async move { log.head(&flags()).await }
    });
    wait_until("it has dialled", BOUND, || async {
        proxy.connections() > 0
    })
    .await;
    wait_until("it dials again", BOUND, || async {
        proxy.connections() > 1
    })
    .await;
    proxy.heal();
    within("the head", head).await.unwrap().unwrap();
}

/// As a server is that checks the passwords of so many that it comes to nothing else. Whoever asks it again has it check one
/// more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_with_each_member_is_enough_however_long_they_are_silent() {
    let server = guarded(QUICK).await;
    let before = logins(&server).await;
    let ways = [
        Gateway::start(server.address()).await,
        Gateway::start(server.address()).await,
    ];
    for way in &ways {
        // Much longer than a member may take for anything; not as long as it may be silent.
        let silent = Act::Delay(Duration::from_secs(3));
        way.add(Rule::new(LOGIN, silent.clone()));
        way.add(Rule::new("/etcdserverpb.", silent));
    }
    let log = as_app(ways[0].endpoint()).endpoint(ways[1].endpoint());
    let log = log.request_timeout(Duration::from_millis(200));
    let log = log.connect().await.unwrap();
    let head = tokio::spawn(async move { log.head(&flags()).await });
    wait_until("a login has arrived", BOUND, || async {
        logins(&server).await > before
    })
    .await;
    let begun = ways.iter().map(|way| way.broken_at(LOGIN)).sum::<u64>();
    assert_eq!(begun, 2, "one with each");
    ways.iter().for_each(Gateway::heal);
    within("the head", head).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_goes_with_its_client_from_member_to_member() {
    let mut cluster = EtcdCluster::start_with(&[EtcdVersion::Reference; 3], &[QUICK]).await;
    guard(&mut cluster.members()[0]).await;
    let ways = [
        Proxy::start(cluster[0].port()).await,
        Proxy::start(cluster[1].port()).await,
    ];
    let log = as_app(ways[0].endpoint()).endpoint(ways[1].endpoint());
    let log = log.connect().await.unwrap();
    put(&log, "key", "1").await;
    let before = [logins(&cluster[0]).await, logins(&cluster[1]).await];
    for way in &ways {
        way.cut();
        let wrote = async { while try_put(&log, "key", "2").await.is_err() {} };
        within("a put by the other way", wrote).await;
        way.heal();
    }
    let after = [logins(&cluster[0]).await, logins(&cluster[1]).await];
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_password_is_not_tried_over_and_over() {
    let server = guarded(QUICK).await;
    let before = logins(&server).await;
    let log = as_app(server.endpoint()).user("app", "wrong");
    let log = log.connect().await.unwrap();
    for _ in 0..200 {
        let error = log.head(&flags()).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
    }
    let tried = logins(&server).await - before;
    assert!(tried < 20, "{tried} logins for 200 calls");
}
