//! A server that is not there yet, dies, forgets, or falls silent under its maps.

use std::time::Duration;

use globe::{Cause, ErrorKind, EtcdLog, Phase};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};

use crate::node::{
    BOUND, Contents, Fold, Numbers, contents, holds, many, node, synced, truth, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_opened_before_its_server_hydrates_when_the_server_comes() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    server.etcdctl(&["put", "flags/a", "1"]).await;
    server.kill();
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let bounded = Numbers::builder(log.clone(), "flags").open_timeout(Duration::from_millis(300));
    let refused = within("a refusal", bounded.open()).await;
    let error = refused.expect_err("there is no server");
    assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("onnect"), "the cause: {error}");

    let map = Numbers::builder(log, "flags").start().unwrap();
    let mut watch = map.watch();
    wait_until("it says why, by the first failed dial", BOUND, || async {
        map.status().last_error.is_some()
    })
    .await;
    assert_eq!(map.status().phase, Phase::Hydrating);
    assert!(map.is_empty());
    server.restart().await;
    within("hydration", map.hydrated()).await.unwrap();
    assert_eq!(map.get("a").as_deref(), Some(&1));
    let first = within("a change", watch.next()).await.unwrap();
    assert_eq!(first.as_slice()[0].key(), "a");
    map.put("b", 2).await.unwrap();
    assert_eq!(contents(&map), truth(&server).await);
}

/// Writes keys of its own until it is told to stop, and says which were acknowledged.
async fn write_on(map: Numbers, name: &'static str, stop: impl Fn() -> bool) -> Contents {
    let mut acknowledged = Contents::new();
    for number in 0.. {
        if stop() {
            break;
        }
        let key = format!("{name}-{number}");
        match within("a write", map.put(key.clone(), number)).await {
            Ok(_) => {
                acknowledged.insert(key, number);
            }
            Err(error) => {
                let is_honest = matches!(
                    error.kind(),
                    ErrorKind::Unavailable | ErrorKind::Indeterminate | ErrorKind::Behind(_)
                );
                assert!(is_honest, "{error}");
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_again_and_again_under_writers_loses_nothing() {
    for version in [EtcdVersion::Reference, EtcdVersion::V3_4_23] {
        let mut server = EtcdServer::start(version).await;
        let (one, two) = (node(&server.url()).await, node(&server.url()).await);
        let folds = (Fold::of(&one), Fold::of(&two));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let writers = [(&one, "one"), (&two, "two")].map(|(map, name)| {
            let stopped = stopped.clone();
            let stop = move || *stopped.borrow();
            tokio::spawn(write_on(map.clone(), name, stop))
        });
        for round in 1..=3_u64 {
            holds(&two, "some writes", |map| map.len() as u64 >= round * 50).await;
            server.kill();
            server.restart().await;
        }
        stop.send_replace(true);
        let mut acknowledged = Contents::new();
        for writer in writers {
            acknowledged.extend(within("a writer", writer).await.unwrap());
        }
        for map in [&one, &two] {
            synced(map).await;
        }
        let truth = truth(&server).await;
        for (key, number) in acknowledged {
            assert_eq!(truth.get(&key), Some(&number), "{key} was acknowledged");
        }
        assert_eq!(contents(&one), truth);
        assert_eq!(contents(&two), truth);
        assert_eq!(one.status().violations + two.status().violations, 0);
        folds.0.ends_exact(&one).await;
        folds.1.ends_exact(&two).await;
    }
}

/// A map that reaches its server only through a proxy.
async fn behind(proxy: &Proxy) -> Numbers {
    node(&format!("etcd://127.0.0.1:{}", proxy.port())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_compacted_while_cut_off_arrives_as_an_exact_difference() {
    for version in EtcdVersion::ALL {
        let server = EtcdServer::start(version).await;
        let proxy = Proxy::start(server.port()).await;
        let straight = node(&server.url()).await;
        for key in ["deleted", "kept", "recreated", "rewritten"] {
            straight.put(key, 1).await.unwrap();
        }
        let map = behind(&proxy).await;
        let mut watch = map.watch();
        proxy.cut();
        straight.delete("deleted").await.unwrap();
        straight.delete("recreated").await.unwrap();
        straight.put("recreated", 1).await.unwrap();
        straight.put("rewritten", 1).await.unwrap();
        straight.put("new", 1).await.unwrap();
        straight.put("passing", 1).await.unwrap();
        straight.delete("passing").await.unwrap();
        server.compact(server.revision().await).await;
        proxy.heal();

        let changes = within("the difference", watch.next()).await.unwrap();
        let keys: Vec<_> = changes.iter().map(|change| change.key().as_str()).collect();
        assert_eq!(keys, ["deleted", "new", "recreated", "rewritten"]);
        assert!(
            matches!(changes.cause(), Cause::Resync(_)),
            "{:?}",
            changes.cause()
        );
        let recreated = &changes.as_slice()[2];
        assert!(recreated.is_recreated());
        synced(&map).await;
        assert_eq!(contents(&map), truth(&server).await);
        assert_eq!(map.status().resyncs, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_behind_a_silent_line_says_that_it_is_stale_and_recovers() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let map = behind(&proxy).await;
    let straight = node(&server.url()).await;
    straight.put("a", 1).await.unwrap();
    holds(&map, "a", |map| map.contains_key("a")).await;
    let phase = |wanted: Phase| {
        let map = &map;
        async move {
            let what = format!("{wanted:?}");
            let is_so = || async { map.status().phase == wanted };
            wait_until(&what, BOUND, is_so).await;
        }
    };
    phase(Phase::Live).await;
    proxy.freeze();
    straight.put("a", 2).await.unwrap();
    phase(Phase::Stale).await;
    assert_eq!(
        map.get("a").as_deref(),
        Some(&1),
        "it serves what it last knew"
    );
    proxy.heal();
    phase(Phase::Live).await;
    holds(&map, "what it missed", |map| map["a"] == 2).await;
    assert_eq!(map.status().last_error.map(|error| error.to_string()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_reply_is_lost_is_written_once() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let straight = node(&server.url()).await;
    for round in 0..3_u64 {
        let proxy = Proxy::start(server.port()).await;
        let map = behind(&proxy).await;
        let key = format!("key-{round}");
        // The writer makes itself known at its first write: without an answer to that, nothing would be sent.
        map.put("first", round).await.unwrap();
        proxy.freeze_replies();
        let dialled = proxy.connections();
        let put = tokio::spawn({
            let (map, key) = (map.clone(), key.clone());
            async move { map.put(key, round).await }
        });
        holds(&straight, "the commit", |map| map.contains_key(&key)).await;
        wait_until("the writer gives its line up", BOUND, || async {
            proxy.connections() > dialled
        })
        .await;
        proxy.heal();
        let written = within("the put", put).await.unwrap();
        let written = written.unwrap_or_else(|error| panic!("in round {round}: {error}"));
        let entry = straight.get_entry(key.as_str()).unwrap();
        assert_eq!(Some(entry.version()), written.version());
        assert_eq!(entry.created(), entry.version(), "written once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_maps_of_one_log_all_come_back() {
    let mut server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let maps = many(&log, 50).await;
    server.kill();
    server.restart().await;
    for (number, map) in maps.iter().enumerate() {
        synced(map).await;
        let key = format!("map-{number}/k");
        server.etcdctl(&["put", &key, "1"]).await;
        holds(map, "its key", |map| map.contains_key("k")).await;
    }
}
