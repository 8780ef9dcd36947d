//! Maps and namespaces that lie over each other, and records that are nobody's.
//!
//! Whatever is shown can be removed, and what is Globe's own is never shown.

use std::time::Duration;

use globe::{ErrorKind, Globe};
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::time::sleep;

use crate::node::{Contents, Numbers, holds, node, synced, truth, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_named_like_a_namespace_neither_shows_nor_removes_what_is_globes_own() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let inside = node(&format!("{}/prod", server.url())).await;
    inside.put("key", 1).await.unwrap();
    let own = ["get", "prod/.globe/", "--prefix", "--keys-only"];
    let before = server.etcdctl(&own).await;
    assert!(before.contains("prod/.globe/"), "there is something to see");
    let outside = within(
        "a map",
        Globe::<String, u64>::connect(&server.url(), "prod"),
    )
    .await;
    match outside {
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Invalid, "{error}"),
        Ok(map) => {
            let is_own = |key: &str| key.contains(".globe/");
            let shown = map.view();
            assert!(!shown.iter().any(|(key, _)| is_own(key)));
            let kept_out = map.quarantine();
            assert!(
                !kept_out
                    .iter()
                    .any(|record| is_own(&String::from_utf8_lossy(record.key())))
            );
            map.clear().await.unwrap();
            assert_eq!(server.etcdctl(&own).await, before, "all of it is there");
        }
    }
    inside.put("key", 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_with_the_empty_key_can_be_removed_and_keeps_no_other() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let map = node(&server.url()).await;
    server.etcdctl(&["put", "flags/", "5"]).await;
    map.put("other", 1).await.unwrap();
    map.put("other still", 2).await.unwrap();
    map.sync().await.unwrap();
    let is_shown = map.contains_key("") || !map.quarantine().is_empty();
    assert!(is_shown, "it is not kept from anybody");
    assert_eq!(map.delete_prefix("other ").await.unwrap().count(), 1);
    assert_eq!(map.clear().await.unwrap().count(), 2);
    assert!(truth(&server).await.is_empty());
    holds(&map, "nothing", |map| map.is_empty()).await;
    assert!(map.quarantine().is_empty());
}

/// More messages than two maps need to agree on a life, and fewer than one that spins sends in a second.
const MANY: f64 = 500.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_an_epoch_that_nobody_can_read_makes_nobody_spin() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let maps = [node(&server.url()).await, node(&server.url()).await];
    let backup = server.save_snapshot().await;
    maps[0].put("lost", 1).await.unwrap();
    server.restore_snapshot(&backup, None).await;
    all_synced(&maps).await;
    for round in 0..2 {
        let before = asked(&server).await;
        server.etcdctl(&["put", ".globe/epoch", "not ours"]).await;
        tokio::select! {
            () = all_synced(&maps) => {}
            () = are_asked(&server, before + MANY) => panic!("they spin"),
        }
        let record = server.etcdctl(&["get", ".globe/epoch"]).await;
        assert!(!record.contains("not ours"), "it was replaced: {record}");
        maps[0].put("key", round).await.unwrap();
        let is_there = |map: &Contents| map.get("key") == Some(&round);
        holds(&maps[1], "what the other has written", is_there).await;
        let asked = asked(&server).await - before;
        assert!(asked < MANY, "{asked} messages in round {round}");
    }
}

async fn all_synced(maps: &[Numbers]) {
    for map in maps {
        synced(map).await;
    }
}

/// How many messages the server was sent.
async fn asked(server: &EtcdServer) -> f64 {
    let name = "grpc_server_msg_received_total";
    server.metric(name, "etcdserverpb").await
}

async fn are_asked(server: &EtcdServer, many: f64) {
    while asked(server).await < many {
        sleep(Duration::from_millis(50)).await;
    }
}
