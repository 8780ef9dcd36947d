//! A keyspace that is called like a namespace: Globe's own records that lie there are nobody's entries.
//!
//! Each test runs on one thread, and hears everything that is traced on it.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../../tests/rig/ear.rs"]
mod ear;
mod rig;

use globe_etcd::{EtcdBuilder, EtcdLog};
use globe_log_client::{
    Change, ErrorKind, Keyspace, LogClient, Position, Precondition, Tail, Transaction,
};
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{PATIENCE, connect, put, record, within};
use tracing::Level;

/// The keyspace `prod` of a log without a namespace.
fn prod() -> Keyspace {
    Keyspace::new("prod").unwrap()
}

/// Namespaces that lie inside it, and the folders of the records that Globe keeps of them.
type Choose = fn(EtcdBuilder) -> EtcdBuilder;
const NAMESPACES: [(Choose, &str); 3] = [
    (|builder| builder.namespace("prod"), "prod/.globe/"),
    (|builder| builder.namespace("prod/eu"), "prod/eu/.globe/"),
    (|builder| builder.key_prefix("prod/eu-"), "prod/eu-/.globe/"),
];

async fn log_of(server: &EtcdServer, choose: Choose) -> EtcdLog {
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    choose(builder.deadline(PATIENCE)).connect().await.unwrap()
}

async fn keys(server: &EtcdServer, prefix: &str) -> Vec<String> {
    let get = ["get", "--prefix", "--keys-only", prefix];
    let lines = server.etcdctl(&get).await;
    let lines = lines.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// The keys that are written until a tail has reached a position.
async fn told(tail: &mut Tail, until: Position) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let batch = within("a batch", tail.next()).await.unwrap();
        let keys = batch.changes.iter().map(Change::key);
        told.extend(keys.map(|key| String::from_utf8_lossy(key).into_owned()));
        if batch.revision >= until.revision {
            return told;
        }
    }
}

#[tokio::test]
async fn a_keyspace_shows_and_writes_none_of_the_records_globe_keeps_of_a_namespace_in_it() {
    for (choose, folder) in NAMESPACES {
        let server = EtcdServer::start(EtcdVersion::Reference).await;
        let inner = log_of(&server, choose).await;
        put(&inner, "a", "1").await;
        let fences = keys(&server, folder).await;
        assert!(!fences.is_empty(), "{folder}");
        let outer = connect([server.endpoint()]).await;

        let snapshot = outer.snapshot(&prod()).await.unwrap();
        let at = snapshot.position();
        let shown = snapshot.collect().await.unwrap();
        let shown: Vec<_> = shown.iter().map(|record| record.key.clone()).collect();
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert!(shown[0].ends_with(b"flags/a"), "{shown:?}");

        let mut tail = outer.tail(&prod(), at).await.unwrap();
        let written = put(&inner, "b", "1").await;
        let keys_told = told(&mut tail, written).await;
        assert_eq!(keys_told.len(), 1, "{keys_told:?}");
        assert!(keys_told[0].ends_with("flags/b"), "{keys_told:?}");
        // A commit of nothing but such a record is progress.
        server.etcdctl(&["put", &format!("{folder}x"), "1"]).await;
        let head = outer.head(&prod()).await.unwrap();
        assert_eq!(told(&mut tail, head).await, Vec::<String>::new());

        let own = fences[0].strip_prefix("prod/").unwrap().to_owned();
        let looked = outer.record_at(&prod(), own.as_bytes(), head).await;
        assert_eq!(looked.unwrap(), None);
        let refused = [
            Transaction::new().put(&prod(), own.clone(), "1"),
            Transaction::new().delete(&prod(), own.clone()),
            Transaction::new().when(&prod(), own, Precondition::Present),
        ];
        for transaction in refused {
            let error = outer.commit(transaction).await.unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(".globe"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_an_overlapping_keyspace_shows_can_be_deleted_and_no_fence_is_lost() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let (choose, folder) = NAMESPACES[0];
    let inner = log_of(&server, choose).await;
    put(&inner, "a", "1").await;
    let fences = keys(&server, folder).await;
    let outer = connect([server.endpoint()]).await;
    let shown = outer.snapshot(&prod()).await.unwrap().collect().await;
    let mut all = Transaction::new();
    for record in shown.unwrap() {
        all = all.delete(&prod(), record.key);
    }
    outer.commit(all).await.unwrap();
    assert_eq!(keys(&server, "prod/").await, fences);
    put(&inner, "a", "2").await;
    assert_eq!(record(&inner, "a").await.unwrap().value, "2");
}

#[tokio::test]
async fn an_overlap_is_warned_of_once_with_both_names() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let (ear, _listening) = ear::listen();
    let (choose, _) = NAMESPACES[1];
    let inner = log_of(&server, choose).await;
    put(&inner, "a", "1").await;
    let outer = connect([server.endpoint()]).await;
    for _ in 0..2 {
        let snapshot = outer.snapshot(&prod()).await.unwrap();
        let at = snapshot.position();
        snapshot.collect().await.unwrap();
        let mut tail = outer.tail(&prod(), at).await.unwrap();
        let written = put(&inner, "a", "2").await;
        told(&mut tail, written).await;
    }
    let mut said = ear.at(Level::WARN);
    said.retain(|line| line.contains("overlaps"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("keyspace=prod "), "{said:?}");
    assert!(said[0].contains("prod/eu/"), "{said:?}");
}

/// Another program may write one: `etcdctl put flags/ …`.
#[tokio::test]
async fn an_entry_without_a_name_is_shown_and_can_be_deleted_under_a_guard() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    server.etcdctl(&["put", "flags/", "1"]).await;
    let nameless = record(&log, "").await.unwrap();
    let keyspace = rig::flags();
    let delete = Transaction::new()
        .when(&keyspace, "", Precondition::At(nameless.modified))
        .delete(&keyspace, "");
    log.commit(delete).await.unwrap();
    assert_eq!(record(&log, "").await, None);
    assert_eq!(keys(&server, "flags/").await, Vec::<String>::new());
}
