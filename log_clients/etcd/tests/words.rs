//! What the client says of itself: each thing once.
//!
//! Each test runs on one thread, and hears everything that is traced on it.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../../tests/rig/ear.rs"]
mod ear;
mod rig;

use ear::{Ear, listen};
use globe_log_client::LogClient;
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{Copy, connect, converges, flags, hurried, is_honest, put, try_put, when_reachable};
use tracing::Level;

/// What the client said at a level; what its dependencies say there is theirs.
fn said(ear: &Ear, level: Level) -> Vec<String> {
    let mut said = ear.at(level);
    said.retain(|line| line.contains("etcd"));
    said
}

#[tokio::test]
async fn servers_with_known_faults_are_warned_of_and_no_other() {
    for (version, warnings) in [
        (EtcdVersion::Reference, 0),
        (EtcdVersion::V3_5_16, 1),
        (EtcdVersion::V3_4_23, 1),
    ] {
        let server = EtcdServer::start(version).await;
        let (ear, _listening) = listen();
        let log = connect([server.endpoint()]).await;
        let mut copy = Copy::open(&log).await;
        let position = put(&log, "key", "1").await;
        copy.reach(position).await;
        let said = said(&ear, Level::WARN);
        assert_eq!(said.len(), warnings, "{version:?}: {said:?}");
        for line in said {
            assert!(line.contains(&server.endpoint()), "{line}");
            assert!(line.contains("upgrade to"), "{line}");
        }
    }
}

#[tokio::test]
async fn a_server_with_known_faults_is_warned_of_once_however_often_it_restarts() {
    let (ear, _listening) = listen();
    let mut server = EtcdServer::start(EtcdVersion::V3_4_23).await;
    let log = connect([server.endpoint()]).await;
    let keyspace = flags();
    let mut copy = Copy::open(&log).await;
    for round in 0..3 {
        when_reachable("the head", || log.head(&keyspace)).await;
        let written = put(&log, "a", &round.to_string()).await;
        copy.reach(written).await;
        server.restart().await;
    }
    converges(&mut copy, &log, &server).await;
    let mut warnings = said(&ear, Level::WARN);
    warnings.retain(|line| line.contains("etcd server:"));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("3.4.23"), "{warnings:?}");
}

#[tokio::test]
async fn an_outage_is_warned_of_once_and_its_end_is_told() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let (ear, _listening) = listen();
    let log = hurried([server.endpoint()]).await;
    put(&log, "key", "1").await;
    server.kill();
    for _ in 0..2 {
        // The first may be sent before the client knows: then nobody can tell what became of it.
        let error = try_put(&log, "key", "2").await.unwrap_err();
        is_honest(&error);
    }
    assert_eq!(said(&ear, Level::WARN).len(), 1, "{}", ear.all());
    server.restart().await;
    when_reachable("a put", || try_put(&log, "key", "3")).await;
    assert_eq!(said(&ear, Level::WARN).len(), 1, "{}", ear.all());
    assert_eq!(said(&ear, Level::INFO).len(), 1, "{}", ear.all());
}
