//! Settings on a real server: what is put by etcd's own tool, a server that comes late, a role that may only read.
//!
//! Never publishes by hand but as an operator would: with `etcdctl`.

use std::time::Duration;

use globe::settings::{PastValue, Scope, Setting};
use globe::{ErrorKind, EtcdLog, Settings};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};

use crate::node::{BOUND, within};

async fn settings(url: &str, instance: &str) -> Settings {
    let log = EtcdLog::from_url(url).await.unwrap();
    let opening = Settings::open(log, "settings", Scope::new(instance));
    within("settings", opening).await.unwrap()
}

/// A number of milliseconds, at most a thousand.
fn timeout(settings: &Settings) -> Setting<u64> {
    let check = |timeout: &u64| match timeout {
        0..=1_000 => Ok(()),
        _ => Err("it is more than a second".to_owned()),
    };
    let timeout = settings.declare("http.timeout", 100_u64).check(check);
    timeout.open().unwrap()
}

/// What an operator does.
async fn put(server: &EtcdServer, value: &str) {
    let words = ["put", "settings/http.timeout/global", value];
    server.etcdctl(&words).await;
}

async fn all_show(nodes: &[Setting<u64>], expected: u64) {
    wait_until(&format!("all show {expected}"), BOUND, || async {
        nodes.iter().all(|timeout| *timeout.get() == expected)
    })
    .await;
}

async fn all_complain(nodes: &[Setting<u64>]) {
    wait_until("all complain", BOUND, || async {
        nodes.iter().all(|timeout| !timeout.problems().is_empty())
    })
    .await;
}

/// The values of the history, the newest first, with who published each.
fn history(timeout: &Setting<u64>) -> Vec<(Option<u64>, Option<String>)> {
    let past = timeout.history("global").unwrap();
    let value = |value: &PastValue<u64>| value.good().map(|value| **value);
    past.iter()
        .map(|past| (value(past.value()), past.by().map(str::to_owned)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_etcdctl_puts_is_published() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let server = EtcdServer::start(version).await;
        let (one, other) = (
            settings(&server.url(), "web-1").await,
            settings(&server.url(), "web-2").await,
        );
        let nodes = [timeout(&one), timeout(&other)];
        within("a publish", nodes[0].publish("global", 200))
            .await
            .unwrap();
        put(&server, "250").await;
        all_show(&nodes, 250).await;
        // It is in the history once, though both saw it, and nobody knows who it was.
        wait_until("it is recorded", BOUND, || async {
            recorded(&server).await.len() == 2
        })
        .await;
        let known = [(Some(250), None), (Some(200), Some("web-1".to_owned()))];
        for node in &nodes {
            wait_until("it is in the history", BOUND, || async {
                history(node) == known
            })
            .await;
        }
        // What a shell does to a text, and what is beyond the check.
        for bad in ["1001", "250ms", "\"250\""] {
            put(&server, bad).await;
            all_complain(&nodes).await;
            all_show(&nodes, 250).await;
            let late = timeout(&settings(&server.url(), "web-3").await);
            assert_eq!(*late.get(), 250, "{bad}");
            put(&server, "250").await;
            wait_until("nobody complains", BOUND, || async {
                nodes.iter().all(|timeout| timeout.problems().is_empty())
            })
            .await;
        }
        within("an undo", nodes[1].undo("global", 1)).await.unwrap();
        all_show(&nodes, 200).await;
        let stands = ["get", "--print-value-only", "settings/http.timeout/global"];
        assert_eq!(server.etcdctl(&stands).await.trim(), "200");
    }
}

/// The records of the history, as etcd's tool shows them.
async fn recorded(server: &EtcdServer) -> Vec<String> {
    let past = "settings/http.timeout/global/was/";
    let words = ["get", "--prefix", "--print-value-only", past];
    let lines = server.etcdctl(&words).await;
    lines.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_the_defaults_until_their_server_is_there() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    put(&server, "250").await;
    server.kill();
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let settings = Settings::builder(log, "settings", Scope::new("web-1"))
        .deadline(Duration::from_secs(1))
        .start()
        .unwrap();
    let nodes = [timeout(&settings)];
    assert_eq!(*nodes[0].get(), 100);
    let refused = within("a refusal", nodes[0].publish("global", 300)).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    assert_eq!(*nodes[0].get(), 100);
    server.restart().await;
    within("they are known", settings.hydrated()).await.unwrap();
    assert_eq!(*nodes[0].get(), 250);
    within("a publish", nodes[0].publish("global", 300))
        .await
        .unwrap();
    assert_eq!(*nodes[0].get(), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_while_the_way_was_cut_is_shown_when_it_is_open_again() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let cut_off = settings(&format!("etcd://127.0.0.1:{}", proxy.port()), "web-1").await;
    let nodes = [timeout(&cut_off)];
    put(&server, "250").await;
    all_show(&nodes, 250).await;
    proxy.cut();
    put(&server, "300").await;
    put(&server, "350").await;
    wait_until("its age grows", BOUND, || async {
        let age = cut_off.status().staleness;
        age.is_some_and(|age| age > Duration::from_secs(2))
    })
    .await;
    assert_eq!(*nodes[0].get(), 250);
    proxy.heal();
    all_show(&nodes, 350).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_only_read_follows_settings_and_is_denied_to_publish() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    server.etcdctl(&["user", "add", "reader:secret"]).await;
    server.etcdctl(&["role", "add", "reader"]).await;
    let may = ["role", "grant-permission", "reader", "read", "settings/"];
    server
        .etcdctl(&[&may[..], &["--prefix=true"]].concat())
        .await;
    server
        .etcdctl(&["user", "grant-role", "reader", "reader"])
        .await;
    server.enable_auth("root-secret", &[]).await;
    let url = format!("etcd://reader:secret@{}", server.address());
    let settings = settings(&url, "web-1").await;
    let nodes = [timeout(&settings)];
    for (text, value) in [("250", 250), ("300", 300)] {
        put(&server, text).await;
        all_show(&nodes, value).await;
    }
    put(&server, "1001").await;
    all_complain(&nodes).await;
    assert_eq!(*nodes[0].get(), 300);
    // It would put it into the history, and may not; its process holds what it saw.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(recorded(&server).await, [""; 0]);
    let denied = [
        within("a refusal", nodes[0].publish("global", 400)).await,
        within("a refusal", nodes[0].clear("global")).await,
    ];
    for refused in denied {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
    }
    assert_eq!(*nodes[0].get(), 300);
    put(&server, "400").await;
    all_show(&nodes, 400).await;
}
