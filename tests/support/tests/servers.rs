//! The servers do what the tests that use them rely on.

use globe_test_support::{Certificates, EtcdCluster, EtcdServer, EtcdVersion, Proxy};

#[tokio::test]
async fn each_version_starts_answers_and_keeps_its_data_over_a_kill() {
    for version in EtcdVersion::ALL {
        let mut server = EtcdServer::start(version).await;
        server.etcdctl(&["put", "k", "v"]).await;
        server.kill();
        assert!(!server.is_running());
        server.restart().await;
        assert_eq!(
            server.etcdctl(&["get", "k", "--print-value-only"]).await,
            "v\n",
            "{version:?}"
        );
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
        assert_eq!(
            server.etcdctl(&["get", "k", "--print-value-only"]).await,
            "1\n"
        );
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
    let asked = server
        .try_etcdctl(&[
            "get",
            "k",
            "--command-timeout=300ms",
            "--dial-timeout=300ms",
        ])
        .await;
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
    builder
        .clone()
        .tls(&certificates)
        .start()
        .await
        .etcdctl(&["put", "k", "v"])
        .await;
    builder
        .clone()
        .mutual_tls(&certificates)
        .start()
        .await
        .etcdctl(&["put", "k", "v"])
        .await;
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
    assert_eq!(
        cluster[second]
            .etcdctl(&["get", "k", "--print-value-only"])
            .await,
        "v\n"
    );
}

#[tokio::test]
async fn a_proxy_forwards_freezes_cuts_and_heals() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let endpoint = format!("--endpoints=127.0.0.1:{}", proxy.port());
    let put = |value: &'static str| {
        let words = [
            endpoint.clone(),
            "--command-timeout=500ms".into(),
            "put".into(),
            "k".into(),
            value.into(),
        ];
        let server = &server;
        async move {
            server
                .try_etcdctl(&words.each_ref().map(String::as_str))
                .await
        }
    };
    let value = || async { server.etcdctl(&["get", "k", "--print-value-only"]).await };
    assert!(put("forwarded").await.is_ok());
    proxy.freeze();
    assert!(put("frozen").await.is_err());
    assert_eq!(value().await, "forwarded\n");
    proxy.cut();
    assert!(put("cut").await.is_err());
    proxy.heal();
    assert!(put("healed").await.is_ok());
    assert_eq!(value().await, "healed\n");
}
