//! What the client says of itself: warnings, once each, and never a secret.
//!
//! Each test runs on one thread, and hears everything that is traced on it.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod ear;
mod rig;

use std::error::Error as _;
use std::fmt::Write;

use ear::{Ear, listen};
use globe_etcd::{EtcdBuilder, EtcdLog, Tls};
use globe_log_client::{Error, ErrorKind, LogClient, Position};
use globe_test_support::{Certificates, EtcdServer, EtcdVersion};
use rig::{Copy, PATIENCE, flags, put, try_put, when_reachable, within};
use tracing::Level;

#[tokio::test]
async fn servers_with_known_faults_are_warned_of_once() {
    for (version, warnings) in [
        (EtcdVersion::Reference, 0),
        (EtcdVersion::V3_5_16, 1),
        (EtcdVersion::V3_4_23, 1),
    ] {
        let server = EtcdServer::start(version).await;
        let (ear, _listening) = listen();
        let log = rig::connect([server.endpoint()]).await;
        let mut copy = Copy::open(&log).await;
        let position = put(&log, "key", "1").await;
        copy.reach(position).await;
        let said = ear.at(Level::WARN);
        assert_eq!(said.len(), warnings, "{version:?}: {said:?}");
        assert!(said.iter().all(|said| said.contains(&server.endpoint())));
        assert!(said.iter().all(|said| said.contains("upgrade to")));
    }
}

#[tokio::test]
async fn an_outage_is_warned_of_once_and_its_end_is_told() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let (ear, _listening) = listen();
    let log = rig::hasty([server.endpoint()]).await;
    put(&log, "key", "1").await;
    server.kill();
    for _ in 0..2 {
        // The first may be sent before the client knows: then nobody can tell what became of it.
        let error = try_put(&log, "key", "2").await.unwrap_err();
        let is_honest = matches!(
            error.kind(),
            ErrorKind::Unavailable | ErrorKind::Indeterminate
        );
        assert!(is_honest, "{error}");
    }
    assert_eq!(ear.at(Level::WARN).len(), 1, "{:?}", ear.at(Level::WARN));
    server.restart().await;
    when_reachable("a put", || try_put(&log, "key", "3")).await;
    assert_eq!(ear.at(Level::WARN).len(), 1, "{:?}", ear.at(Level::WARN));
    assert_eq!(ear.at(Level::INFO).len(), 1, "{:?}", ear.at(Level::INFO));
}

/// Everything an error shows to anybody.
fn shown(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(text, "{cause}\n{cause:?}");
        source = cause.source();
    }
    text
}

/// What is done with a log until it works, fails, and works again; what it showed.
async fn a_life(log: &EtcdLog, server: &mut EtcdServer) -> String {
    let mut text = format!("{log:?}\n");
    let mut copy = Copy::open(log).await;
    let position = put(log, "key", "value-secret").await;
    copy.reach(position).await;
    let conflict = rig::try_create(log, "key", "value-secret").await;
    text += &shown(&conflict.unwrap_err());
    let backup = server.save_snapshot().await;
    put(log, "lost", "value-secret").await;
    server.kill();
    text += &shown(&copy.until_it_breaks().await);
    text += &shown(&try_put(log, "key", "value-secret").await.unwrap_err());
    server.restore_snapshot(&backup, None).await;
    when_reachable("a put", || try_put(log, "key", "value-secret")).await;
    let keyspace = flags();
    match log.tail(&keyspace, position).await {
        Ok(mut tail) => text += &shown(&within("the refusal", tail.next()).await.unwrap_err()),
        Err(error) => text += &shown(&error),
    }
    text
}

async fn refusals(log: &EtcdLog) -> String {
    let keyspace = flags();
    let mut text = format!("{log:?}\n");
    text += &shown(&log.head(&keyspace).await.unwrap_err());
    text += &shown(&try_put(log, "key", "value-secret").await.unwrap_err());
    let tail = log.tail(&keyspace, Position::default()).await;
    text + &shown(&tail.unwrap_err())
}

fn is_secret_free(text: &str, certificates: &Certificates) {
    let keys = certificates.client.key.lines();
    let keys = keys.filter(|line| !line.starts_with("-----"));
    let secrets = ["app-secret", "wrong-secret", "value-secret", "root-secret"];
    for secret in keys.chain(secrets) {
        let at = text.find(secret);
        assert!(at.is_none(), "{secret} in: {}", around(text, at));
    }
}

fn around(text: &str, at: Option<usize>) -> &str {
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |end| at + end);
    at.map_or("", |at| {
        &text[text[..at].rfind('\n').unwrap_or(0)..line_end(at)]
    })
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(EtcdVersion::Reference).mutual_tls(&certificates);
    let mut server = builder.start().await;
    server
        .enable_auth("root-secret", &[("app", "app-secret", "app/")])
        .await;
    let (ear, _listening): (Ear, _) = listen();
    let client = &certificates.client;
    let tls = Tls::new()
        .ca_pem(certificates.authority.clone())
        .client_pem(client.certificate.clone(), client.key.clone());
    let mut text = format!("{tls:?}\n");

    let url = |password: &str| {
        let with_user = format!("etcds://app:{password}@");
        let url = server.url().replace("etcds://", &with_user) + "/app/";
        EtcdBuilder::from_url(&url).unwrap().tls(tls.clone())
    };
    let right = url("app-secret").deadline(PATIENCE / 5);
    let wrong = url("wrong-secret");
    text += &format!("{right:?}\n{wrong:?}\n");
    let (right, wrong) = (
        right.connect().await.unwrap(),
        wrong.connect().await.unwrap(),
    );
    text += &refusals(&wrong).await;
    text += &a_life(&right, &mut server).await;
    for bad in [
        "etcds://app:app-secret@host:port",
        "etcds://app:app-secret@?x=1",
    ] {
        text += &shown(&EtcdLog::from_url(bad).await.unwrap_err());
    }
    assert!(text.contains("app"), "names are no secrets");
    assert!(!ear.all().is_empty());
    is_secret_free(&text, &certificates);
    is_secret_free(&ear.all(), &certificates);
}
