//! History that is forgotten while a client is away, is stuck, or reads along.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_etcd::EtcdLog;
use globe_log_client::{ErrorKind, LogClient};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy};
use rig::{Copy, connect, converges, delete, flags, hurried, on_each_version, put};

on_each_version! {
    what_was_compacted_while_disconnected_is_told_and_nothing_is_lost
    a_stuck_tail_overtaken_by_compaction_loses_nothing
    compaction_on_the_heels_of_every_write_loses_nothing
}

/// A log reached only through a proxy, and one that goes straight to the server.
async fn both_ways(server: &EtcdServer) -> (Proxy, EtcdLog, EtcdLog) {
    let proxy = Proxy::start(server.port()).await;
    // So long it is tried before a tail is said to be broken.
    let through = hurried([proxy.endpoint()]).await;
    let straight = connect([server.endpoint()]).await;
    (proxy, through, straight)
}

async fn what_was_compacted_while_disconnected_is_told_and_nothing_is_lost(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let (proxy, log, straight) = both_ways(&server).await;
    put(&straight, "deleted", "1").await;
    put(&straight, "rewritten", "1").await;
    put(&straight, "recreated", "1").await;
    let mut copy = Copy::open(&log).await;
    let before = copy.records["recreated"].clone();

    proxy.cut();
    let broken = copy.until_it_breaks().await;
    assert_eq!(broken.kind(), &ErrorKind::Unavailable, "{broken}");
    delete(&straight, "deleted").await;
    put(&straight, "rewritten", "1").await;
    delete(&straight, "recreated").await;
    put(&straight, "recreated", "1").await;
    put(&straight, "new", "1").await;
    server.compact(server.revision().await).await;
    proxy.heal();

    converges(&mut copy, &log, &server).await;
    assert_eq!(copy.resyncs, 1, "it was told that history is missing");
    let head = straight.head(&flags()).await.unwrap();
    assert_eq!(copy.position.epoch, head.epoch);
    assert!(copy.records["recreated"].created > before.created);
}

async fn a_stuck_tail_overtaken_by_compaction_loses_nothing(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let (proxy, log, straight) = both_ways(&server).await;
    let large = "x".repeat(64 * 1024);
    for key in 0..40 {
        put(&straight, &format!("{key}"), "before").await;
    }
    let mut copy = Copy::open(&log).await;
    proxy.freeze();
    // More than the buffers between hold, so that the server's watch falls behind and reads from history.
    for key in 0..40 {
        put(&straight, &format!("{key}"), &large).await;
        delete(&straight, &format!("{key}")).await;
    }
    for key in 0..20 {
        put(&straight, &format!("{key}"), "after").await;
    }
    server.compact(server.revision().await).await;
    proxy.heal();
    converges(&mut copy, &log, &server).await;
    assert_eq!(copy.records.len(), 20);
}

async fn compaction_on_the_heels_of_every_write_loses_nothing(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let writer = tokio::spawn({
        let log = log.clone();
        async move {
            for round in 0..60 {
                put(&log, &format!("{}", round % 7), &round.to_string()).await;
                put(&log, "gone", "1").await;
                delete(&log, "gone").await;
            }
        }
    });
    while !writer.is_finished() {
        server.compact(server.revision().await).await;
        copy.reach(log.head(&flags()).await.unwrap()).await;
    }
    writer.await.unwrap();
    converges(&mut copy, &log, &server).await;
}
