//! A server that is killed and comes back, and a keyspace of many records.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_log_client::LogClient;
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{
    BOUND, Copy, connect, converges, fill, flags, hurried, is_honest, on_each_version, put,
    try_put, within,
};

on_each_version! {
    what_was_acknowledged_before_a_kill_is_there_after_it
    a_hundred_thousand_records_are_read_whole
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
    assert_eq!(copy.resyncs, 0, "it is the same log, and tails are enough");
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
