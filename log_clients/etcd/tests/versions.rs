//! Servers with known faults are named once, and those without are not.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../../tests/rig/ear.rs"]
mod ear;
mod rig;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::LogClient;
use globe_test_support::{EtcdServer, EtcdVersion};
use rig::{Copy, connect, converges, flags, put, when_reachable};
use tracing::Level;

/// How often a log that is used, and whose server is restarted, warns of its version.
async fn warnings(version: EtcdVersion) -> Vec<String> {
    let (ear, _listening) = ear::listen();
    let mut server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let keyspace = flags();
    let mut copy = Copy::open(&log).await;
    copy.reach(put(&log, "a", "1").await).await;
    server.kill();
    server.restart().await;
    when_reachable("the head", || log.head(&keyspace)).await;
    copy.reach(put(&log, "a", "2").await).await;
    converges(&mut copy, &log, &server).await;
    let warnings = ear.at(Level::WARN).into_iter();
    warnings
        .filter(|line| line.contains("etcd server:"))
        .collect()
}

#[tokio::test]
async fn a_server_with_known_faults_is_warned_of_once() {
    for (version, number) in [
        (EtcdVersion::V3_4_23, "3.4.23"),
        (EtcdVersion::V3_5_16, "3.5.16"),
    ] {
        let warnings = warnings(version).await;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let warning = &warnings[0];
        assert!(warning.contains(number), "{warning}");
        assert!(warning.contains("upgrade to"), "{warning}");
        assert!(warning.contains("endpoint"), "{warning}");
    }
}

#[tokio::test]
async fn a_server_without_known_faults_is_not_warned_of() {
    let warnings = warnings(EtcdVersion::Reference).await;
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[tokio::test]
async fn an_outage_is_one_warning_and_its_end_one_message() {
    let (ear, _listening) = ear::listen();
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    let log = builder.deadline(Duration::from_millis(500));
    let log = log.connect().await.unwrap();
    let keyspace = flags();
    when_reachable("the head", || log.head(&keyspace)).await;
    server.kill();
    for _ in 0..10 {
        rig::within("the head", log.head(&keyspace))
            .await
            .unwrap_err();
    }
    let aside = |level| {
        let said = ear.at(level).into_iter();
        said.filter(|line| line.contains("etcd member")).count()
    };
    assert_eq!(aside(Level::WARN), 1);
    assert_eq!(aside(Level::INFO), 0);
    server.restart().await;
    when_reachable("the head", || log.head(&keyspace)).await;
    assert_eq!((aside(Level::WARN), aside(Level::INFO)), (1, 1));
}
