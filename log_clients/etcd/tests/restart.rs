//! A server that is killed and comes back, and a keyspace of many records.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_log_client::{ErrorKind, LogClient};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{
    BOUND, Copy, connect, converges, fill, flags, hurried, is_honest, on_each_version, put, truth,
    try_put, when_reachable, within,
};

on_each_version! {
    a_server_killed_and_restarted_is_followed_without_a_gap
    what_was_acknowledged_before_a_kill_is_there_after_it
    a_hundred_thousand_records_are_read_whole
}

async fn a_server_killed_and_restarted_is_followed_without_a_gap(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let log = hurried([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let before = put(&log, "a", "1").await;
    copy.reach(before).await;

    server.kill();
    let broken = copy.until_it_breaks().await;
    assert_eq!(broken.kind(), &ErrorKind::Unavailable, "{broken}");
    let refused = try_put(&log, "a", "2").await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Unavailable, "{refused}");

    server.restart().await;
    let after = when_reachable("a put", || try_put(&log, "a", "3")).await;
    assert_eq!(after.epoch, before.epoch, "it is the same log");
    copy.reach(after).await;
    assert_eq!(copy.resyncs, 0, "a tail is enough");
    assert_eq!(copy.values(), truth(&server).await);
}

async fn what_was_acknowledged_before_a_kill_is_there_after_it(version: EtcdVersion) {
    let mut server = EtcdServer::start(version).await;
    let log = hurried([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    for round in 0..3 {
        let writer = tokio::spawn(write_until_it_fails(log.clone(), round));
        // Some of it has been written; the tail may still be the one that the last kill broke.
        within("a batch", async { while copy.step().await.is_err() {} }).await;
        server.kill();
        let acknowledged = tokio::time::timeout(BOUND, writer).await.unwrap().unwrap();
        server.restart().await;
        converges(&mut copy, &log, &server).await;
        for key in acknowledged {
            assert!(copy.records.contains_key(&key), "{key} was acknowledged");
        }
    }
    assert_eq!(copy.resyncs, 0);
}

async fn write_until_it_fails(log: globe_etcd::EtcdLog, round: u32) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let key = format!("{round}-{}", acknowledged.len());
        match try_put(&log, &key, "value").await {
            Ok(_) => acknowledged.push(key),
            Err(error) => {
                is_honest(&error);
                break acknowledged;
            }
        }
    }
}

async fn a_hundred_thousand_records_are_read_whole(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    fill(&log, 100_000).await;
    let mut snapshot = log.snapshot(&flags()).await.unwrap();
    // What is written while it is read is not in it.
    put(&log, "zzz", "later").await;
    let mut count = 0;
    while let Some(page) = snapshot.next_page().await.unwrap() {
        for record in page {
            assert_eq!(record.key, format!("{count:06}"));
            count += 1;
        }
    }
    assert_eq!(count, 100_000);
}
