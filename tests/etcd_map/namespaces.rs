//! Maps and namespaces that lie over each other, and records that are nobody's.
//!
//! Whatever is shown can be removed, and what is Globe's own is never shown.

use std::time::Duration;

use globe::{ErrorKind, Globe};
use globe_test_support::{EtcdServer, EtcdVersion};

use crate::node::{Numbers, holds, node, truth, within};

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
                    .any(|record| is_own(&String::from_utf8_lossy(&record.key)))
            );
            map.delete_prefix("").await.unwrap();
            assert_eq!(server.etcdctl(&own).await, before, "all of it is there");
        }
    }
    inside.put("key", 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_with_the_empty_key_can_be_removed() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let map = node(&server.url()).await;
    server.etcdctl(&["put", "flags/", "5"]).await;
    map.put("other", 1).await.unwrap();
    map.sync().await.unwrap();
    let is_shown = map.contains_key("") || !map.quarantine().is_empty();
    assert!(is_shown, "it is not kept from anybody");
    map.delete_prefix("").await.unwrap();
    assert!(truth(&server).await.is_empty());
    holds(&map, "nothing", |map| map.is_empty()).await;
    assert!(map.quarantine().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_an_epoch_that_nobody_can_read_makes_nobody_spin() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    server.etcdctl(&["put", ".globe/epoch", "not ours"]).await;
    let log = globe::EtcdLog::from_url(&server.url()).await.unwrap();
    let map = Numbers::builder(log, "flags").start().unwrap();
    let asked = async || {
        let name = "grpc_server_msg_received_total";
        server.metric(name, "etcdserverpb").await
    };
    let before = asked().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = asked().await - before;
    assert!(asked < 150.0, "{asked} messages in three seconds");
    map.close().await;
}
