//! Maps behind gateways that lose answers after delivery, or deliver requests twice, and behind etcd's own proxy.
//!
//! What was written once is looked up at the server itself.

use globe::{Phase, connect};
use globe_test_support::{
    Act, EtcdServer, EtcdVersion, Gateway, GrpcProxy, Rule, Said, wait_until,
};

use crate::node::{BOUND, Fold, Numbers, contents, holds, node, synced, truth, within};

const TXN: &str = "/etcdserverpb.KV/Txn";

/// How often a key was written, as the server says.
async fn times_written(server: &EtcdServer, key: &str) -> u64 {
    let fields = server.etcdctl(&["get", key, "-w", "fields"]).await;
    let mut lines = fields.lines();
    let version = lines.find_map(|line| line.strip_prefix("\"Version\" : "));
    version.map_or(0, |version| version.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_map_writes_lands_once_whatever_becomes_of_requests_and_answers() {
    let breaks = [
        Act::Lose(Said::envoy_reset()),
        Act::Lose(Said::envoy_refused()),
        Act::Lose(Said::Http(503)),
        Act::Lose(Said::Reset),
        Act::Repeat,
    ];
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    for (number, act) in breaks.into_iter().enumerate() {
        let gateway = Gateway::start(server.address()).await;
        let map = node(&gateway.url()).await;
        let straight = node(&server.url()).await;
        let fold = Fold::of(&straight);
        let (put, created) = (format!("put-{number}"), format!("created-{number}"));
        // Every other one, or the reads that look at these keys would never be answered.
        let rule = Rule::new(TXN, act.clone()).carrying(format!("-{number}"));
        gateway.add(rule.one_in(2));
        let done = within("a put", map.put(put.as_str(), 1)).await;
        done.unwrap_or_else(|error| panic!("{act:?}: {error}"));
        let done = within("a create", map.create(created.as_str(), 1)).await;
        done.unwrap_or_else(|error| panic!("{act:?}: {error}"));
        for _ in 0..3 {
            let more = map.update(put.as_str(), |old| old.copied().unwrap_or(0) + 1);
            within("an update", more).await.unwrap();
        }
        assert!(gateway.broken() > 0, "{act:?}");
        let flags = |key: &str| format!("flags/{key}");
        let written = times_written(&server, &flags(&put)).await;
        assert_eq!(written, 4, "{act:?}: a put and three updates");
        assert_eq!(times_written(&server, &flags(&created)).await, 1);
        synced(&straight).await;
        assert_eq!(contents(&straight)[&put], 4, "{act:?}");
        fold.ends_exact(&straight).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_behind_etcds_own_proxy_is_live_beside_a_busy_neighbour() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = GrpcProxy::start(EtcdVersion::Reference, &[server.address()]).await;
    stays_live(&server, &proxy.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_whose_gateway_swallows_progress_is_live_beside_a_busy_neighbour() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let gateway = Gateway::start(server.address()).await;
    gateway.drop_progress(true);
    stays_live(&server, &gateway.url()).await;
}

/// The map catches up with its neighbour again and again, and never once has to begin anew.
async fn stays_live(server: &EtcdServer, url: &str) {
    let log = connect(url).await.unwrap();
    let map: Numbers = within("a map", Numbers::open(log, "flags")).await.unwrap();
    map.put("key", 0).await.unwrap();
    let busy = async {
        loop {
            server.etcdctl(&["put", "neighbour", "1"]).await;
        }
    };
    let living = async {
        for number in 1..=20 {
            synced(&map).await;
            wait_until("it is live", BOUND, || async {
                map.status().phase == Phase::Live
            })
            .await;
            map.put("key", number).await.unwrap();
        }
    };
    tokio::select! {
        () = living => {}
        () = busy => unreachable!("it never rests"),
    }
    holds(&map, "the last value", |map| map.get("key") == Some(&20)).await;
    assert_eq!(map.status().resyncs, 0, "tails are enough");
    assert_eq!(contents(&map), truth(server).await);
}
