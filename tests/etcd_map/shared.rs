//! Several programs on one map: Globes, and others that know nothing of Globe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use globe::{Consistency, ErrorKind, EtcdLog, Globe, LastGood, connect};
use globe_test_support::{EtcdServer, EtcdVersion};
use serde::{Deserialize, Serialize};

use crate::node::{Fold, Numbers, TOLD, contents, holds, node, plays, synced, truth, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_sees_what_the_other_wrote() {
    for version in EtcdVersion::ALL {
        let server = EtcdServer::start(version).await;
        let (one, two) = (node(&server.url()).await, node(&server.url()).await);
        let folds = (Fold::of(&one), Fold::of(&two));
        one.put("a", 1).await.unwrap();
        assert_eq!(
            one.get("a").as_deref(),
            Some(&1),
            "visible where it was written"
        );
        holds(&two, "a", |map| map.get("a") == Some(&1)).await;

        let taken = two.create("a", 2).await.unwrap_err();
        assert!(taken.is_conflict(), "{taken}");
        let version = two.get_entry("a").unwrap().version();
        two.put_if("a", 2, version).await.unwrap();
        let late = one.put_if("a", 3, version).await;
        assert!(late.unwrap_err().is_conflict());
        assert_eq!(
            one.get("a").as_deref(),
            Some(&2),
            "the conflict shows what stands there"
        );

        one.update("a", |old| old.copied().unwrap_or(0) + 10)
            .await
            .unwrap();
        let many = (0..300).map(|number| (format!("n{number:03}"), number));
        let position = one.put_all(many).await.unwrap().position().unwrap();
        let view = within("a causal view", two.view_at(Consistency::AtLeast(position)));
        assert_eq!(view.await.unwrap().len(), 301);
        assert!(two.delete("a").await.unwrap().replaced());
        assert!(
            !one.delete("a").await.unwrap().replaced(),
            "it is gone already"
        );
        assert_eq!(one.delete_prefix("n1").await.unwrap().count(), 100);

        synced(&two).await;
        assert_eq!(contents(&two), truth(&server).await);
        assert_eq!(contents(&one), contents(&two));
        folds.0.ends_exact(&one).await;
        folds.1.ends_exact(&two).await;
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flag {
    on: bool,
    percent: u8,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcdctl_and_the_map_read_what_the_other_wrote() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let written = r#"{"percent": 25, "on": true, "comment": "by hand"}"#;
    server
        .etcdctl(&["put", "app/flags/dark-mode", written])
        .await;
    let url = format!("{}/app", server.url());
    let flags: Globe<String, Flag> = Globe::connect(&url, "flags").await.unwrap();
    let dark = Flag {
        on: true,
        percent: 25,
    };
    assert_eq!(flags.get("dark-mode").as_deref(), Some(&dark));

    let off = Flag {
        on: false,
        percent: 0,
    };
    flags.put("beta/ünïcode", off.clone()).await.unwrap();
    let get = ["get", "app/flags/beta/ünïcode", "--print-value-only"];
    let value: Flag = serde_json::from_str(&server.etcdctl(&get).await).unwrap();
    assert_eq!(value, off);

    server
        .etcdctl(&["put", "app/flags/new", r#"{"on":true,"percent":1}"#])
        .await;
    server.etcdctl(&["del", "app/flags/dark-mode"]).await;
    let both = flags.wait_for(|view| view.contains_key("new") && !view.contains_key("dark-mode"));
    within("what was written by hand", both).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_cannot_be_decoded_is_quarantined_and_the_others_live_on() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let map = node(&server.url()).await;
    map.put("a", 1).await.unwrap();
    server.etcdctl(&["put", "flags/a", "not a number"]).await;
    server.etcdctl(&["put", "flags/b", "2"]).await;
    holds(&map, "b", |map| map.get("b") == Some(&2)).await;
    assert_eq!(
        map.get("a").as_deref(),
        Some(&1),
        "the last good value stays"
    );
    let quarantine = map.quarantine();
    assert_eq!(quarantine.len(), 1);
    assert_eq!(quarantine[0].key(), b"a");
    assert_eq!(map.status().quarantined, 1);
    let fresh = node(&server.url()).await;
    assert_eq!(contents(&fresh), contents(&map), "looked up in the history");
    assert_eq!(fresh.quarantine(), quarantine);
    let good = map.get_entry("a").unwrap().version();
    assert_eq!(quarantine[0].last_good, LastGood::Shown(good));
    server.compact(server.revision().await).await;
    let late = node(&server.url()).await;
    assert_eq!(contents(&late).keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(late.quarantine()[0].last_good, LastGood::Forgotten);
    // A key without a name cannot be put from here, but it can be deleted.
    server.etcdctl(&["put", "flags/", "1"]).await;
    let nameless = map.wait_for(|view| view.quarantine().count() == 2);
    within("the nameless", nameless).await.unwrap();
    assert_eq!(map.clear().await.unwrap().count(), 3);
    assert!(map.is_empty() && map.quarantine().is_empty());
    server.etcdctl(&["put", "flags/a", "3"]).await;
    holds(&map, "a again", |map| map.get("a") == Some(&3)).await;
    assert_eq!(map.status().quarantined, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_come_from_the_url_or_the_builder_and_without_them_it_is_denied() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    server
        .enable_auth("root-pw", &[("app", "app pw", "app/")])
        .await;
    let hosts = format!("127.0.0.1:{}", server.port());
    let map = node(&format!("etcd://app:app%20pw@{hosts}/app")).await;
    map.put("a", 1).await.unwrap();
    let builder = EtcdLog::builder().endpoint(&hosts).namespace("app");
    let log = builder.user("app", "app pw").connect().await.unwrap();
    let other: Numbers = Globe::open(log, "flags").await.unwrap();
    assert_eq!(other.get("a").as_deref(), Some(&1));
    for url in [
        format!("etcd://{hosts}/app"),
        format!("etcd://app:wrong@{hosts}/app"),
    ] {
        let log = connect(&url).await.unwrap();
        let refused = within("a refusal", Numbers::open(log, "flags")).await;
        let error = refused.expect_err("it must be refused");
        assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_come_from_the_environment() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    server
        .enable_auth("root-pw", &[("app", "app-pw", "")])
        .await;
    // The environment of a process is for its start: another one is started with it.
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "shared::who_the_environment_says"]);
    command.env("GLOBE_ETCD_USER", "app");
    command.env("GLOBE_ETCD_PASSWORD", "app-pw");
    plays(&mut command, &server).await;
    assert_eq!(truth(&server).await["by"], 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of `credentials_come_from_the_environment`, which runs it in a process of its own"]
async fn who_the_environment_says() {
    let map = node(&std::env::var(TOLD).unwrap()).await;
    map.put("by", 7).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_over_two_maps_are_never_seen_in_half() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect(&server.url()).await.unwrap();
    let accounts: Numbers = Globe::open(Arc::clone(&log), "accounts").await.unwrap();
    let counts: Numbers = Globe::open(log, "counts").await.unwrap();
    let all = [("a".to_owned(), 50), ("b".to_owned(), 50)];
    accounts.put_all(all).await.unwrap();
    counts.put("moves", 0).await.unwrap();

    let elsewhere: Numbers = Globe::connect(&server.url(), "accounts").await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let samplers: Vec<_> = [accounts.clone(), elsewhere]
        .map(|map| {
            let done = Arc::clone(&done);
            tokio::task::spawn_blocking(move || {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(contents(&map).values().sum::<u64>(), 100);
                }
            })
        })
        .into();
    let movers = (0..4).map(|mover| {
        let (accounts, counts) = (accounts.clone(), counts.clone());
        tokio::spawn(async move {
            for _ in 0..25 {
                let (from, to) = if mover % 2 == 0 {
                    ("a", "b")
                } else {
                    ("b", "a")
                };
                transfer(&accounts, &counts, from, to).await;
            }
        })
    });
    for mover in movers.collect::<Vec<_>>() {
        within("the moves", mover).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for sampler in samplers {
        within("a sampler", sampler).await.unwrap();
    }
    assert_eq!(
        counts.get("moves").as_deref(),
        Some(&100),
        "each move counted once"
    );
}

async fn transfer(accounts: &Numbers, counts: &Numbers, from: &str, to: &str) {
    let moved = accounts.transact(|txn| {
        let number = |value: Option<Arc<u64>>| value.map_or(0, |value| *value);
        let left = number(txn.get(accounts, from)?);
        let right = number(txn.get(accounts, to)?);
        let moves = number(txn.get(counts, "moves")?);
        txn.put(counts, "moves", moves + 1)?;
        let amount = left.min(1);
        txn.put(accounts, from, left - amount)?;
        txn.put(accounts, to, right + amount)
    });
    within("a transaction", moved).await.unwrap();
}
