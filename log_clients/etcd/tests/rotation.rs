//! Passwords and certificates that are replaced while a log is in use: it takes the new ones without a restart.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe_etcd::{EtcdBuilder, EtcdLog, Tls};
use globe_log_client::{Error, ErrorKind, LogClient};
use globe_test_support::{Certificates, EtcdServer, EtcdVersion, Pair};
use rig::{PATIENCE, give_app, put, try_put, within};

/// Tries until it is done, through whatever is refused meanwhile.
async fn in_the_end<T, F>(what: &str, mut call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, Error>>,
{
    let done = async {
        loop {
            match call().await {
                Ok(done) => break done,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    within(what, done).await
}

async fn with_user(password: &str) -> EtcdServer {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    server
        .enable_auth("root-secret", &[("app", password, "")])
        .await;
    server
}

async fn follows(server: &EtcdServer, builder: EtcdBuilder, mut tell: impl FnMut(&str)) {
    let builder = builder.endpoint(server.endpoint()).deadline(PATIENCE);
    let log = builder.connect().await.unwrap();
    put(&log, "key", "1").await;
    give_app(server, "new-secret").await;
    let error = try_put(&log, "key", "2").await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
    tell("new-secret");
    in_the_end("a put", || try_put(&log, "key", "3")).await;
    assert!(log.last_failure().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_read_from_its_file_at_each_login() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "old-secret\n").unwrap();
    let server = with_user("old-secret").await;
    let builder = EtcdLog::builder().user_name("app").password_file(&path);
    let write = |password: &str| std::fs::write(&path, format!("{password}\n")).unwrap();
    follows(&server, builder, write).await;

    let url = format!(
        "etcd://app@127.0.0.1:{}?password_file={}",
        server.port(),
        path.display()
    );
    let by_url = EtcdLog::from_url(&url).await.unwrap();
    put(&by_url, "key", "4").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_asked_for_a_password_at_each_login() {
    let safe = Arc::new(Mutex::new("old-secret".to_owned()));
    let server = with_user("old-secret").await;
    let held = Arc::clone(&safe);
    let provider = move || Ok(("app".to_owned(), held.lock().unwrap().clone()));
    let builder = EtcdLog::builder().credentials(provider);
    let tell = |password: &str| password.clone_into(&mut safe.lock().unwrap());
    follows(&server, builder, tell).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_leaves_the_log_unavailable_and_says_why() {
    let server = with_user("old-secret").await;
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    let builder = builder.deadline(Duration::from_secs(2));
    let locked = || Err(std::io::Error::other("the safe is locked"));
    let log = builder.credentials(locked).connect().await.unwrap();
    let error = try_put(&log, "key", "1").await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("the safe is locked"), "{error}");
}

fn write_pair(folder: &Path, pair: &Pair) {
    std::fs::write(folder.join("cert.pem"), &pair.certificate).unwrap();
    std::fs::write(folder.join("key.pem"), &pair.key).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_read_from_their_files_at_each_dial() {
    let certificates = Certificates::new();
    let server = EtcdServer::builder(EtcdVersion::Reference).mutual_tls(&certificates);
    let server = server.start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_pair(folder.path(), &Certificates::new().client);
    std::fs::write(path("ca.pem"), &certificates.stranger).unwrap();
    let url = format!(
        "{}?deadline=5s&tls_ca={}&tls_cert={}&tls_key={}",
        server.url(),
        path("ca.pem").display(),
        path("cert.pem").display(),
        path("key.pem").display()
    );
    let tls = Tls::new().ca_file(path("ca.pem"));
    let tls = tls.client_files(path("cert.pem"), path("key.pem"));
    let builder = EtcdLog::builder().endpoint(server.endpoint()).tls(tls);
    let logs = [
        EtcdLog::from_url(&url).await.unwrap(),
        builder.connect().await.unwrap(),
    ];
    for log in &logs {
        try_put(log, "key", "1").await.unwrap_err();
    }
    std::fs::write(path("ca.pem"), &certificates.authority).unwrap();
    write_pair(folder.path(), &certificates.client);
    for log in &logs {
        in_the_end("a put", || try_put(log, "key", "2")).await;
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named_at_once() {
    let missing = [
        "etcd://app@h?password_file=/no/such/file",
        "etcds://h?tls_ca=/no/such/file",
        "etcds://h?tls_cert=/no/such/file&tls_key=/dev/null",
    ];
    for url in missing {
        let error = EtcdLog::from_url(url).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("/no/such/file"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_when_it_is_needed_makes_the_log_unavailable_and_is_named() {
    let server = with_user("secret").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "secret").unwrap();
    let builder = EtcdLog::builder().endpoint(server.endpoint());
    let builder = builder.user_name("app").password_file(&path);
    let log = builder.connect().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = try_put(&log, "key", "1").await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    let named = path.display().to_string();
    assert!(error.to_string().contains(&named), "{error}");
    std::fs::write(&path, "secret").unwrap();
    in_the_end("a put", || try_put(&log, "key", "2")).await;
}
