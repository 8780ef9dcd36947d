//! A server with a slow disk, where every commit takes 0.7 s, or with a keyspace that takes long to look through: nothing
//! is wrong with either.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod field;
mod rig;

use std::time::Duration;

use field::times_written;
use globe_etcd::EtcdLog;
use globe_log_client::LogClient;
use globe_test_support::{Act, EtcdServer, EtcdVersion, Gateway, Rule, SlowDisk};
use rig::{Copy, PATIENCE, as_narrow, converges, flags, hasty, put, try_create, try_put};
use tokio::time::sleep;

const FSYNC: Duration = Duration::from_millis(700);

/// With every setting at its default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_put_succeeds_where_each_takes_most_of_a_second() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = hasty([server.endpoint()]).await;
    put(&log, "before", "1").await;
    let mut copy = Copy::open(&log).await;
    let disk = SlowDisk::of(&server, FSYNC).await;
    for number in 0..6 {
        let key = format!("key-{number}");
        let position = try_put(&log, &key, "1").await;
        let position = position.unwrap_or_else(|error| panic!("put {number}: {error}"));
        copy.reach(position).await;
    }
    drop(disk);
    for number in 0..6 {
        let key = format!("flags/key-{number}");
        assert_eq!(times_written(&server, &key).await, 1, "{key}");
    }
    converges(&mut copy, &log, &server).await;
    assert_eq!(copy.resyncs, 0, "tails are enough");
}

/// As many as write at a time in a busy process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_at_the_same_time_succeed_on_a_slow_server() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = hasty([server.endpoint()]).await;
    put(&log, "before", "1").await;
    let _disk = SlowDisk::of(&server, FSYNC).await;
    for round in 0..3 {
        let puts = (0..8).map(|number| {
            let (log, key) = (&log, format!("key-{round}-{number}"));
            async move { try_create(log, &key, "1").await }
        });
        for (number, created) in futures::future::join_all(puts).await.iter().enumerate() {
            let error = created.as_ref().err();
            assert!(error.is_none(), "{round}-{number}: {error:?}");
        }
    }
}

/// A client that has heard of no leader yet knows of none that was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_of_a_client_may_be_slow() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let _disk = SlowDisk::of(&server, FSYNC).await;
    for number in 0..2 {
        let log = hasty([server.endpoint()]).await;
        let key = format!("key-{number}");
        let created = try_create(&log, &key, "1").await;
        created.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

/// Such a user has no fence to find out by: what is taken for lost stays unknown. This server tells anybody its term.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_of_a_client_without_a_fence_may_be_slow() {
    let server = rig::guarded(EtcdServer::builder(EtcdVersion::V3_5_16)).await;
    let _disk = SlowDisk::of(&server, FSYNC).await;
    for number in 0..2 {
        // The login, the refusal of a fence and the commit each wait for the disk.
        let log = as_narrow(server.endpoint()).connect().await.unwrap();
        let key = format!("key-{number}");
        let created = try_create(&log, &key, "1").await;
        created.unwrap_or_else(|error| panic!("{key}: {error}"));
        log.head(&flags()).await.unwrap();
    }
}

/// Two members, and each takes twice as long to compare a keyspace as any other question may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_compares_slowly_is_not_left() {
    const ANY_OTHER: Duration = Duration::from_secs(2);
    // Its progress proves nothing: each look at the head costs a comparison.
    let server = EtcdServer::start(EtcdVersion::V3_4_23).await;
    let members = [
        Gateway::start(server.address()).await,
        Gateway::start(server.address()).await,
    ];
    let log = EtcdLog::builder().endpoints(members.iter().map(Gateway::endpoint));
    let log = log.request_timeout(ANY_OTHER).deadline(PATIENCE);
    let log = log.connect().await.unwrap();
    put(&log, "key", "1").await;
    let mut copy = Copy::open(&log).await;
    let home = log.member();
    for member in &members {
        // The end of the keyspace: of all that a tail asks, only comparisons are about more than single keys.
        let comparisons = Rule::new("/etcdserverpb.KV/Txn", Act::Delay(ANY_OTHER * 2));
        member.add(comparisons.carrying("flags0"));
    }
    server.etcdctl(&["put", "neighbour", "1"]).await;
    let is_followed = async {
        let head = log.head(&flags()).await.unwrap();
        copy.reach(head).await;
    };
    let is_left = async {
        while log.member() == home {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = is_followed => {}
        () = is_left => panic!("it was left"),
    }
    assert_eq!(log.member(), home);
    let compared = members.iter().filter(|member| member.broken() > 0);
    assert_eq!(compared.count(), 1, "the other would have taken as long");
    assert_eq!((copy.breaks, copy.resyncs), (0, 0));
}
