//! The servers do what the tests that use them rely on.

use globe_test_support::{Certificates, EtcdCluster, EtcdServer, EtcdVersion};

async fn value(server: &EtcdServer) -> String {
    let value = server.etcdctl(&["get", "k", "--print-value-only"]).await;
    value.trim_end().to_owned()
}

#[tokio::test]
async fn each_version_starts_answers_and_keeps_its_data_over_a_kill() {
    for version in EtcdVersion::ALL {
        let mut server = EtcdServer::start(version).await;
        server.etcdctl(&["put", "k", "v"]).await;
        server.kill();
        assert!(!server.is_running());
        server.restart().await;
        assert_eq!(value(&server).await, "v", "{version:?}");
    }
}

#[tokio::test]
async fn a_wiped_server_is_empty_and_a_restored_one_goes_back() {
    for version in EtcdVersion::ALL {
        let mut server = EtcdServer::start(version).await;
        server.etcdctl(&["put", "k", "1"]).await;
        let snapshot = server.save_snapshot().await;
        let saved = server.revision().await;
        server.etcdctl(&["put", "k", "2"]).await;
        server.restore_snapshot(&snapshot, None).await;
        assert_eq!(server.revision().await, saved, "{version:?}");
        assert_eq!(value(&server).await, "1");
        if version == EtcdVersion::Reference {
            server.restore_snapshot(&snapshot, Some(1_000_000)).await;
            assert!(server.revision().await >= 1_000_000);
        }
        server.wipe().await;
        assert_eq!(server.revision().await, 1);
    }
}

#[tokio::test]
async fn a_paused_server_answers_nothing_until_it_goes_on() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    server.pause();
    let soon = ["--command-timeout=300ms", "--dial-timeout=300ms"];
    let asked = server.try_etcdctl(&["get", "k", soon[0], soon[1]]).await;
    assert!(asked.is_err(), "{asked:?}");
    server.resume();
    server.etcdctl(&["put", "k", "v"]).await;
}

#[tokio::test]
async fn a_server_with_users_refuses_strangers() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    server
        .enable_auth("rootpw", &[("app", "apppw", "/app/")])
        .await;
    server.etcdctl(&["put", "k", "v"]).await;
    let allowed = server
        .try_etcdctl(&["put", "/app/k", "v", "--user=app:apppw"])
        .await;
    assert!(allowed.is_ok(), "{allowed:?}");
}

#[tokio::test]
async fn servers_with_tls_answer_their_tools() {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(EtcdVersion::Reference);
    for builder in [
        builder.clone().tls(&certificates),
        builder.clone().mutual_tls(&certificates),
    ] {
        builder.start().await.etcdctl(&["put", "k", "v"]).await;
    }
    let mut with_tokens = builder.tls(&certificates).jwt("1m").start().await;
    with_tokens.enable_auth("rootpw", &[]).await;
    with_tokens.etcdctl(&["put", "k", "v"]).await;
}

#[tokio::test]
async fn a_cluster_has_a_leader_that_can_be_moved_and_killed() {
    let mut cluster = EtcdCluster::start(&[
        EtcdVersion::Reference,
        EtcdVersion::V3_5_16,
        EtcdVersion::Reference,
    ])
    .await;
    let first = cluster.leader().await;
    cluster.move_leader().await;
    let second = cluster.leader().await;
    assert_ne!(first, second);
    cluster[second].kill();
    let other = (second + 1) % 3;
    cluster[other].wait_ready().await;
    cluster[other].etcdctl(&["put", "k", "v"]).await;
    cluster[second].restart().await;
    assert_eq!(value(&cluster[second]).await, "v");
}
