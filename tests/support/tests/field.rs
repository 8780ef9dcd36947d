//! What stands between servers and clients in the field does what the tests that use it rely on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a broken set-up is a failure"
)]

use std::time::Duration;

use globe_test_support::{
    Backend, Balancer, Certificates, EtcdServer, EtcdVersion, GrpcProxy, SlowDisk,
};
use tokio::time::Instant;

#[tokio::test]
async fn a_slow_disk_makes_writes_slow_and_only_while_it_is_there() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let delay = Duration::from_millis(700);
    let disk = SlowDisk::of(&server, delay).await;
    let began = Instant::now();
    server.etcdctl(&["put", "key", "1"]).await;
    assert!(began.elapsed() >= delay, "{:?}", began.elapsed());
    drop(disk);
    server.etcdctl(&["put", "key", "2"]).await;
}

#[tokio::test]
async fn etcds_own_proxy_passes_on_what_is_written() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = GrpcProxy::start(EtcdVersion::Reference, &[server.address()]).await;
    let endpoint = format!("--endpoints={}", proxy.address());
    server.etcdctl(&[&endpoint, "put", "key", "value"]).await;
    let value = server.etcdctl(&["get", "key", "--print-value-only"]).await;
    assert_eq!(value, "value\n");
}

#[tokio::test]
async fn a_balancer_gives_each_backend_its_turn_and_lets_tls_through() {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(EtcdVersion::Reference).tls(&certificates);
    let server = builder.start().await;
    let live = Backend::Live(server.address());
    let balancer = Balancer::start(vec![live, Backend::Closes, live, Backend::Resets]).await;
    let endpoint = format!("--endpoints=https://{}", balancer.address());
    for _ in 0..4 {
        // It dials again when a backend is dead.
        server.etcdctl(&[&endpoint, "put", "key", "value"]).await;
    }
    let given = balancer.given();
    assert!(given.iter().all(|given| *given > 0), "{given:?}");
}
