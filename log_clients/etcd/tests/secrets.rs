//! Passwords, keys and values are never shown: not by a `Debug`, an error, or anything that is traced.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../../tests/rig/ear.rs"]
mod ear;
mod rig;

use std::error::Error as _;
use std::fmt::{Debug, Write};
use std::time::Duration;

use globe_etcd::{EtcdBuilder, EtcdLog, Tls};
use globe_log_client::{Error, LogClient, Position, Transaction};
use globe_test_support::{Certificates, EtcdServer, EtcdVersion};
use proptest::prelude::*;
use rig::{flags, put, try_create, try_put, within};

const PASSWORD: &str = "p4ssw0rd-hunter2";
const GUESS: &str = "gu3ss-hunter2";
const VALUE: &str = "v4lue-hunter2";

/// Everything that was shown, to be searched.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn debug(&mut self, what: &impl Debug) {
        writeln!(self.0, "{what:?} {what:#?}").unwrap();
    }

    fn outcome(&mut self, outcome: Result<impl Debug, Error>) {
        self.debug(&outcome);
        let Err(error) = outcome else { return };
        writeln!(self.0, "{error}").unwrap();
        let mut cause = error.source();
        while let Some(error) = cause {
            writeln!(self.0, "{error} {error:?}").unwrap();
            cause = error.source();
        }
    }

    /// Each kind of call, whatever becomes of it.
    async fn calls(&mut self, log: &EtcdLog) {
        let keyspace = flags();
        self.debug(log);
        let head = within("the head", log.head(&keyspace)).await;
        let at = head.as_ref().map_or(Position::default(), |head| *head);
        self.outcome(head);
        self.outcome(within("a snapshot", log.snapshot(&keyspace)).await);
        self.outcome(within("a tail", log.tail(&keyspace, at)).await);
        self.outcome(try_put(log, "key", VALUE).await);
        self.outcome(try_create(log, "key", VALUE).await);
        let twice = Transaction::new()
            .put(&keyspace, "key", VALUE)
            .put(&keyspace, "key", VALUE);
        self.debug(&twice);
        self.outcome(log.commit(twice).await);
        let lease = log.grant(Duration::from_secs(60));
        self.outcome(within("a lease", lease).await);
        let status = log.status();
        self.debug(&status);
        writeln!(
            self.0,
            "{status} {}",
            serde_json::to_string(&status).unwrap()
        )
        .unwrap();
    }

    fn holds_none_of(&self, secrets: &[&str]) {
        for secret in secrets {
            if let Some(at) = self.0.find(secret) {
                let around = self.0.get(at.saturating_sub(300)..at).unwrap_or_default();
                panic!(
                    "a secret ({} bytes) was shown after: {around}",
                    secret.len()
                );
            }
        }
    }
}

/// What of a PEM file must not be shown: each line of what it holds.
fn lines(pem: &str) -> Vec<&str> {
    let lines = pem.lines();
    lines.filter(|line| !line.starts_with("---")).collect()
}

#[tokio::test]
async fn nothing_secret_is_shown_by_a_log_in_use_refused_or_without_its_server() {
    let (ear, _listening) = ear::listen();
    let certificates = Certificates::new();
    let builder = EtcdServer::builder(EtcdVersion::Reference).mutual_tls(&certificates);
    let mut server = builder.start().await;
    server
        .enable_auth("root-pw", &[("app", PASSWORD, "")])
        .await;
    let mut shown = Shown::default();
    let (certificate, key) = (&certificates.client.certificate, &certificates.client.key);
    let tls = Tls::new()
        .ca_pem(certificates.authority.clone())
        .client_pem(certificate.clone(), key.clone());
    shown.debug(&tls);
    let log_of = |password: &str| {
        let builder = EtcdLog::builder().endpoint(server.endpoint());
        let builder = builder.tls(tls.clone()).user("app", password);
        builder.deadline(Duration::from_secs(1))
    };
    let (good, bad) = (log_of(PASSWORD), log_of(GUESS));
    shown.debug(&good);
    let good = good.connect().await.unwrap();
    put(&good, "key", VALUE).await;
    shown.calls(&good).await;
    let bad = bad.connect().await.unwrap();
    shown.calls(&bad).await;
    server.kill();
    shown.calls(&good).await;
    server.restart().await;
    shown.calls(&good).await;
    shown.calls(&bad).await;

    let heard = ear.all();
    assert!(heard.contains("put aside"), "it did listen");
    shown.0.push_str(&heard);
    shown.holds_none_of(&[PASSWORD, GUESS, VALUE]);
    shown.holds_none_of(&lines(key));
}

#[tokio::test]
async fn nothing_secret_is_shown_by_settings_good_or_bad() {
    let mut shown = Shown::default();
    let urls = [
        "etcd://app:p4ssw0rd-hunter2@h",
        "etcd://app:p4ssw0rd-hunter2@h:port",
        "etcd://app:p4ssw0rd-hunter2@h?colour=red",
        "etcd://app:p4ssw0rd-hunter2@h/?deadline=0s",
        "etcd://app:p4ssw0rd-hunter2@h,h2@h3",
        "etcd://app:p4ssw0rd-hunter2@",
        "http://app:p4ssw0rd-hunter2@h",
        "app:p4ssw0rd-hunter2@h",
    ];
    for url in urls {
        let builder = EtcdBuilder::from_url(url);
        shown.outcome(builder.as_ref().map(drop).map_err(Error::clone));
        if let Ok(builder) = builder {
            shown.debug(&builder);
            shown.outcome(builder.connect().await);
        }
    }
    let endpoint = EtcdLog::builder().endpoint("http://app:p4ssw0rd-hunter2@h");
    shown.debug(&endpoint);
    shown.outcome(endpoint.connect().await);
    let certificates = Certificates::new();
    let key = certificates.client.key.clone();
    let swapped = Tls::new().client_pem(key.clone(), certificates.client.certificate);
    let builder = EtcdLog::builder().endpoint("https://h").tls(swapped);
    shown.debug(&builder);
    shown.outcome(builder.connect().await);
    shown.holds_none_of(&[PASSWORD]);
    shown.holds_none_of(&lines(&key));
}

/// A part of a password that no error has by chance.
const MARKS: [&str; 2] = ["Q7XZW", "K9VJY"];

/// A password with every character that means something in a URL, each as it is or percent-encoded.
fn password() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(
        "/?#@:,%[]\\&=+;!$'()*\"<>^`{|}~. \t\n\u{e4}\0"
            .chars()
            .collect::<Vec<_>>(),
    );
    let written = (special, any::<bool>()).prop_map(|(character, is_encoded)| {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes);
        match is_encoded {
            true => text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            false => text.to_owned(),
        }
    });
    let some = || proptest::collection::vec(written.clone(), 0..3).prop_map(|all| all.concat());
    let [first, second] = MARKS;
    (some(), some(), some()).prop_map(move |(a, b, c)| format!("{a}{first}{b}{second}{c}"))
}

proptest! {
    #[test]
    fn a_password_in_a_url_is_never_shown_and_never_dialled(password in password()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut shown = Shown::default();
        for (start, end) in [
            ("etcd://app:", "@h1:1,h2/ns?deadline=9s"),
            ("etcd://app:", "@h1:1,h2"),
            ("etcd://app:", "@h1:1,h2?colour=red"),
            ("etcd://app:", "@h1:1,h2,"),
            ("etcd:app:", "@h1:1,h2"),
            ("app:", "@h1:1,h2"),
            ("http://app:", "@h1:1,h2"),
        ] {
            let builder = EtcdBuilder::from_url(&format!("{start}{password}{end}"));
            shown.outcome(builder.as_ref().map(drop).map_err(Error::clone));
            let Ok(builder) = builder else { continue };
            let hosts = "endpoints: [\"http://h1:1\", \"http://h2:2379\"]";
            prop_assert!(format!("{builder:?}").contains(hosts), "{builder:?}");
            shown.debug(&builder);
            shown.outcome(runtime.block_on(builder.connect()));
        }
        for endpoint in [format!("http://app:{password}@h"), format!("app:{password}@h"), format!("h,app:{password}@h")] {
            let builder = EtcdLog::builder().endpoint(endpoint);
            shown.debug(&builder);
            let log = runtime.block_on(builder.connect());
            prop_assert!(log.is_err());
            shown.outcome(log);
        }
        for mark in MARKS {
            shown.holds_none_of(&[&mark[..4], &mark[1..]]);
        }
    }
}
