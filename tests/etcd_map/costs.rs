//! What maps cost: connections, tasks, watchers and requests, as the server and the system count them.

use std::time::Duration;

use globe::{EtcdLog, Globe};
use globe_test_support::{EtcdServer, EtcdVersion, connections_to, wait_until};
use tokio::time::Instant;

use crate::node::{BOUND, Numbers, holds, synced};

const WATCHERS: &str = "etcd_debugging_mvcc_watcher_total";

fn tasks() -> usize {
    let metrics = tokio::runtime::Handle::current().metrics();
    metrics.num_alive_tasks()
}

async fn maps(log: &EtcdLog, count: usize) -> Vec<Numbers> {
    let mut maps = Vec::new();
    for number in 0..count {
        let keyspace = format!("map-{number}");
        maps.push(Globe::open(log.clone(), &keyspace).await.unwrap());
    }
    maps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_maps_share_the_connections_of_their_log_and_leave_nothing_behind() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let before = tasks();
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let many = maps(&log, 30).await;
    for map in &many {
        map.put("key", 1).await.unwrap();
    }
    let open = connections_to(server.port());
    assert!((1..=3).contains(&open), "{open} connections for 30 maps");
    wait_until("a watcher for each", BOUND, || async {
        server.metric(WATCHERS, "").await >= 30.0
    })
    .await;
    drop(many);
    wait_until("no watcher", BOUND, || async {
        server.metric(WATCHERS, "").await < 1.0
    })
    .await;
    drop(log);
    wait_until("no connection", BOUND, || async {
        connections_to(server.port()) == 0
    })
    .await;
    wait_until("no task", BOUND, || async { tasks() <= before }).await;
}

/// Requests the server has been sent, and messages in them.
async fn asked(server: &EtcdServer) -> f64 {
    server
        .metric("grpc_server_msg_received_total", "etcdserverpb")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_map_asks_no_more_than_its_probes() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let interval = Duration::from_millis(500);
    let map = Numbers::builder(log, "quiet").probe_interval(interval);
    let map = map.open().await.unwrap();
    map.put("key", 1).await.unwrap();
    holds(&map, "its key", |map| map.contains_key("key")).await;
    map.sync().await.unwrap();
    let (began, before) = (Instant::now(), asked(&server).await);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let more = asked(&server).await - before;
    let probes = began.elapsed().as_secs_f64() / interval.as_secs_f64();
    assert!(
        more <= probes + 2.0,
        "{more} messages in the time of {probes} probes"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_quiet_maps_of_a_log_ask_about_as_often_as_one() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let interval = Duration::from_millis(500);
    let mut all = Vec::new();
    for number in 0..50 {
        let map = Numbers::builder(log.clone(), &format!("map-{number}"));
        all.push(map.probe_interval(interval).open().await.unwrap());
    }
    for map in &all {
        synced(map).await;
    }
    // They fall into step with their first probes.
    tokio::time::sleep(3 * interval).await;
    let (began, before) = (Instant::now(), asked(&server).await);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let more = asked(&server).await - before;
    let probes = began.elapsed().as_secs_f64() / interval.as_secs_f64();
    assert!(
        more <= 1.5 * probes + 2.0,
        "{more} messages in the time of {probes} probes of one map"
    );
    for map in &all {
        assert!(map.status().staleness.unwrap() <= 4 * interval);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_by_the_same_url_shares_one_log() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let url = server.url();
    let first = globe::connect(&url).await.unwrap();
    let second = globe::connect(&url).await.unwrap();
    assert_eq!(first.id(), second.id());
    let elsewhere = globe::connect(&format!("{url}/elsewhere")).await.unwrap();
    assert_ne!(first.id(), elsewhere.id());
    let before = first.id();
    drop((first, second));
    assert_ne!(globe::connect(&url).await.unwrap().id(), before);
}
