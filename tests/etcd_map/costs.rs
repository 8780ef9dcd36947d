//! What maps cost: connections, tasks, watchers and requests, as the server and the system count them.

use std::time::Duration;

use globe::EtcdLog;
use globe_test_support::{EtcdServer, EtcdVersion, connections_to, wait_until};
use tokio::time::Instant;

use crate::node::{BOUND, Numbers, asked, holds, many};

const WATCHERS: &str = "etcd_debugging_mvcc_watcher_total";

fn tasks() -> usize {
    let metrics = tokio::runtime::Handle::current().metrics();
    metrics.num_alive_tasks()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_maps_share_the_connections_of_their_log_and_leave_nothing_behind() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let before = tasks();
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let maps = many(&log, 30).await;
    for map in &maps {
        map.put("key", 1).await.unwrap();
    }
    let open = connections_to(server.port());
    assert!((1..=3).contains(&open), "{open} connections for 30 maps");
    wait_until("a watcher for each", BOUND, || async {
        server.metric(WATCHERS, "").await >= 30.0
    })
    .await;
    drop(maps);
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
