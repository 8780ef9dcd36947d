//! A server with known faults is named once, however often it comes back.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../../tests/rig/ear.rs"]
mod ear;
mod rig;

use globe_log_client::LogClient;
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{Copy, connect, converges, flags, put, when_reachable};
use tracing::Level;

#[tokio::test]
async fn a_server_with_known_faults_is_warned_of_once_however_often_it_restarts() {
    let (ear, _listening) = ear::listen();
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
    let warnings = ear.at(Level::WARN).into_iter();
    let warnings: Vec<_> = warnings
        .filter(|line| line.contains("etcd server:"))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("3.4.23"), "{warnings:?}");
}
