//! Encrypted connections: who is trusted, who is known, and what only a person can mend.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use globe_etcd::{EtcdBuilder, EtcdLog, Tls};
use globe_log_client::{ErrorKind, LogClient, Position};
use globe_test_support::{Certificates, EtcdServer, EtcdVersion};
use rig::{Copy, HURRY, converges, flags, http, hurried, on_each_version, put, try_put, within};

on_each_version! {
    a_server_with_a_certificate_of_the_authority_is_trusted
    a_client_is_known_by_its_certificate
    who_is_not_to_be_trusted_is_denied
    a_server_that_wants_encryption_is_unavailable_without_it
    a_server_without_encryption_is_unavailable_with_it
    a_certificate_can_be_the_user
    a_user_that_is_given_counts_before_the_certificate
}

fn to(server: &EtcdServer, tls: Tls) -> EtcdBuilder {
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    builder.tls(tls).deadline(rig::PATIENCE)
}

fn trusting(certificates: &Certificates) -> Tls {
    Tls::new().ca_pem(certificates.authority.clone())
}

fn known(certificates: &Certificates, by: &Certificates) -> Tls {
    let client = &by.client;
    trusting(certificates).client_pem(client.certificate.clone(), client.key.clone())
}

async fn works(what: &str, server: &EtcdServer, builder: EtcdBuilder) {
    let log = builder.connect().await.unwrap();
    let mut copy = Copy::open(&log).await;
    put(&log, what, "1").await;
    converges(&mut copy, &log, server).await;
    let lease = log.grant(std::time::Duration::from_secs(60)).await.unwrap();
    log.renew(lease).await.unwrap();
}

async fn is_denied(what: &str, builder: EtcdBuilder) {
    let log = builder.connect().await.unwrap();
    let keyspace = flags();
    let tail = within(what, log.tail(&keyspace, Position::default())).await;
    let (head, snapshot) = (log.head(&keyspace), log.snapshot(&keyspace));
    let put = try_put(&log, "stolen", "1");
    let (head, snapshot, put) = within(what, async { tokio::join!(head, snapshot, put) }).await;
    for error in [
        head.unwrap_err(),
        snapshot.unwrap_err(),
        put.unwrap_err(),
        tail.unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::Denied, "{what}: {error}");
    }
}

async fn a_server_with_a_certificate_of_the_authority_is_trusted(version: EtcdVersion) {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(version).tls(&certificates);
    let server = builder.start().await;
    works("tls", &server, to(&server, trusting(&certificates))).await;
    let by_name = trusting(&certificates).domain_name("localhost");
    works("by name", &server, to(&server, by_name)).await;
}

async fn a_client_is_known_by_its_certificate(version: EtcdVersion) {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(version).mutual_tls(&certificates);
    let server = builder.start().await;
    let own = known(&certificates, &certificates);
    works("mutual", &server, to(&server, own)).await;

    is_denied("no certificate", to(&server, trusting(&certificates))).await;
    let strange = known(&certificates, &Certificates::new());
    is_denied("a strange certificate", to(&server, strange)).await;
}

async fn who_is_not_to_be_trusted_is_denied(version: EtcdVersion) {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(version);
    let server = builder.clone().tls(&certificates).start().await;
    let stranger = Tls::new().ca_pem(certificates.stranger.clone());
    is_denied("a strange authority", to(&server, stranger)).await;
    let elsewhere = trusting(&certificates).domain_name("elsewhere");
    is_denied("another name", to(&server, elsewhere)).await;
    let expired = builder.clone().expired_tls(&certificates);
    let expired = expired.start().await;
    let log = to(&expired, trusting(&certificates));
    is_denied("out of date", log).await;
}

/// A server without TLS just ends a connection that begins with it, as a dying one and an empty balancer do: that is only
/// guessed at.
async fn a_server_without_encryption_is_unavailable_with_it(version: EtcdVersion) {
    let plain = EtcdServer::start(version).await;
    let encrypted = format!("https://127.0.0.1:{}", plain.port());
    let log = EtcdLog::builder().endpoint(encrypted).deadline(HURRY);
    let log = log.tls(trusting(&Certificates::new()));
    let error = log.connect().await.unwrap().head(&flags()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("perhaps"), "{error}");
}

/// A server that wants TLS ends other connections without a word, as one that is just dying does.
async fn a_server_that_wants_encryption_is_unavailable_without_it(version: EtcdVersion) {
    let builder = EtcdServer::builder(version).tls(&Certificates::new());
    let server = builder.start().await;
    let log = hurried([http(server.port())]).await;
    for error in [
        within("head", log.head(&flags())).await.unwrap_err(),
        try_put(&log, "key", "1").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    }
}

async fn a_certificate_can_be_the_user(version: EtcdVersion) {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(version).mutual_tls(&certificates);
    let mut server = builder.start().await;
    server
        .etcdctl(&["user", "add", "client", "--no-password"])
        .await;
    server.etcdctl(&["role", "add", "all"]).await;
    let all = [
        "role",
        "grant-permission",
        "all",
        "readwrite",
        "",
        "--prefix",
    ];
    server.etcdctl(&all).await;
    server
        .etcdctl(&["user", "grant-role", "client", "all"])
        .await;
    server.enable_auth("root-secret", &[]).await;
    let own = known(&certificates, &certificates);
    works("a user", &server, to(&server, own)).await;
}

async fn a_user_that_is_given_counts_before_the_certificate(version: EtcdVersion) {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(version).mutual_tls(&certificates);
    let mut server = builder.start().await;
    // The certificate's user has no rights.
    let user = ["user", "add", "client", "--no-password"];
    server.etcdctl(&user).await;
    server
        .enable_auth("root-secret", &[("app", "app-secret", "")])
        .await;
    let own = to(&server, known(&certificates, &certificates));
    is_denied("the certificate alone", own.clone()).await;
    works("the user", &server, own.user("app", "app-secret")).await;
}
