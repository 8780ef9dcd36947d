//! One process with many maps costs its cluster what one process costs, idle and beside a busy neighbour.
//!
//! Counts what the server was sent; never how long anything took.

use std::time::Duration;

use globe::Globe;
use globe_test_support::{EtcdServer, EtcdVersion, connections_to, wait_until};

use crate::node::{BOUND, Numbers, asked, holds, within};

const MAPS: usize = 50;
/// How long is counted: several probes of each map.
const WHILE: Duration = Duration::from_secs(4);

/// Messages the server was sent, but those of the neighbour.
async fn asked_by_maps(server: &EtcdServer) -> f64 {
    let name = "grpc_server_msg_received_total";
    asked(server).await - server.metric(name, "grpc_method=\"Put\"").await
}

/// Writes without a pause, outside of every map.
async fn neighbour(server: &EtcdServer) {
    loop {
        server.etcdctl(&["put", "neighbour", "1"]).await;
    }
}

/// What so many maps, each connected by the same URL, send the server: idle, and while a neighbour writes.
async fn cost_of(maps: usize, server: &EtcdServer) -> (f64, f64) {
    let (url, mut open) = (server.url(), Vec::<Numbers>::new());
    for number in 0..maps {
        let keyspace = format!("map-{number}");
        let map = Globe::connect(&url, &keyspace);
        open.push(within("a map", map).await.unwrap());
    }
    for map in &open {
        map.put("key", 1).await.unwrap();
        holds(map, "its key", |map| map.contains_key("key")).await;
        within("a sync", map.sync()).await.unwrap();
    }
    let lines = connections_to(server.port());
    assert!((1..=4).contains(&lines), "{lines} connections, {maps} maps");
    let before = asked_by_maps(server).await;
    tokio::time::sleep(WHILE).await;
    let idle = asked_by_maps(server).await - before;
    for map in &open {
        let age = map.status().staleness.unwrap();
        assert!(age <= Duration::from_secs(2), "four probes: {age:?}");
    }
    tokio::select! {
        () = tokio::time::sleep(WHILE) => {}
        () = neighbour(server) => unreachable!("it never rests"),
    }
    let beside = asked_by_maps(server).await - before - idle;
    for map in &open {
        within("a sync", map.sync()).await.unwrap();
        map.close().await;
    }
    drop(open);
    wait_until("no connection is left", BOUND, || async {
        connections_to(server.port()) == 0
    })
    .await;
    (idle, beside)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_maps_of_one_process_cost_what_one_costs() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let one = cost_of(1, &server).await;
    let fifty = cost_of(MAPS, &server).await;
    assert!(
        fifty.0 <= one.0 * 1.5 + 4.0 && fifty.1 <= one.1 * 1.5 + 4.0,
        "messages of one map and of {MAPS}, idle and beside a neighbour: {one:?} and {fifty:?}"
    );
}
