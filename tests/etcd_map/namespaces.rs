//! Maps and namespaces that lie over each other, and records that are nobody's.
//!
//! Whatever is shown can be removed, and what is Globe's own is never shown.

use std::collections::BTreeMap;
use std::time::Duration;

use globe::ErrorKind;
use globe_test_support::{EtcdServer, EtcdVersion};
use tokio::time::sleep;

use crate::node::{Contents, Numbers, asked, contents, holds, node, synced, truth, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespaces_keep_maps_of_one_name_apart() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let one = node(&format!("{}/one", server.url())).await;
    let two = node(&format!("{}/one/two", server.url())).await;
    let bare = node(&server.url()).await;
    for (number, map) in [(1, &one), (2, &two), (3, &bare)] {
        map.put("key", number).await.unwrap();
    }
    for (number, map) in [(1, &one), (2, &two), (3, &bare)] {
        synced(map).await;
        assert_eq!(contents(map), BTreeMap::from([("key".to_owned(), number)]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_that_is_called_like_a_namespace_leaves_its_fences_alone() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let inner = node(&format!("{}/prod", server.url())).await;
    inner.put("a", 1).await.unwrap();
    let fences = ["get", "--prefix", "--keys-only", "prod/.globe/"];
    let before = server.etcdctl(&fences).await;
    assert!(before.contains("prod/.globe/writer/"), "{before}");
    let outer = within("a map", Numbers::connect(&server.url(), "prod")).await;
    let outer = outer.unwrap();
    assert_eq!(
        contents(&outer),
        BTreeMap::from([("flags/a".to_owned(), 1)])
    );
    let refused = outer.put(".globe/x", 1).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Invalid, "{refused}");
    assert_eq!(outer.clear().await.unwrap().count(), 1);
    assert_eq!(server.etcdctl(&fences).await, before);
    inner.put("a", 2).await.unwrap();
    holds(&outer, "what was written", |map| {
        map.get("flags/a") == Some(&2)
    })
    .await;
    assert!(outer.quarantine().is_empty());
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

async fn are_asked(server: &EtcdServer, many: f64) {
    while asked(server).await < many {
        sleep(Duration::from_millis(50)).await;
    }
}
