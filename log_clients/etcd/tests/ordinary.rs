//! A user who may do nothing but what an ordinary user may: read and write below a prefix. The newest servers tell such a
//! user neither their version nor their term.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod field;
mod rig;

use std::time::Duration;

use field::{ROUNDS, beside_a_busy_neighbour, passes};
use globe_etcd::{EtcdBuilder, EtcdLog};
use globe_test_support::{EtcdCluster, EtcdServer, EtcdVersion};
use rig::{BOUND, Copy, PATIENCE, fill, guard_all, guarded, on_each_version, put, within};

on_each_version! {
    an_ordinary_user_follows_a_busy_neighbour_for_what_root_pays
}

/// A keyspace large enough that nobody can read all of it again and again.
const KEYS: usize = 100_000;
const CLIENTS: usize = 10;

/// Where quiet is proved by comparing, how often depends on how long things take: both have their turn so often that this
/// evens out, whatever else the machine does meanwhile.
const TURNS: usize = 12;
const HEADS: usize = ROUNDS / 4;

fn as_user(name: &str, endpoints: Vec<String>) -> EtcdBuilder {
    EtcdLog::builder()
        .endpoints(endpoints)
        .namespace("app/")
        .user(name, format!("{name}-secret"))
        .deadline(PATIENCE)
}

/// What was asked of the server's store so far. The neighbour asks by other methods.
async fn asked(server: &EtcdServer) -> f64 {
    let name = "grpc_server_handled_total";
    let ranges = server.metric(name, "grpc_method=\"Range\"").await;
    ranges + server.metric(name, "grpc_method=\"Txn\"").await
}

async fn follower(user: &str, server: &EtcdServer) -> (EtcdLog, Copy) {
    let log = as_user(user, vec![server.endpoint()]);
    let log = log.connect().await.unwrap();
    put(&log, "key", user).await;
    let copy = Copy::open(&log).await;
    (log, copy)
}

async fn an_ordinary_user_follows_a_busy_neighbour_for_what_root_pays(version: EtcdVersion) {
    let server = guarded(EtcdServer::builder(version)).await;
    let mut users = [
        follower("root", &server).await,
        follower("app", &server).await,
    ];
    let mut costs = [0.0; 2];
    for _ in 0..TURNS {
        for ((log, copy), cost) in users.iter_mut().zip(&mut costs) {
            let before = asked(&server).await;
            beside_a_busy_neighbour(&server, passes(copy, log, HEADS)).await;
            *cost += asked(&server).await - before;
        }
    }
    for (_, copy) in &users {
        assert_eq!((copy.resyncs, copy.breaks), (0, 0), "both follow");
    }
    let [root, app] = costs;
    assert!(
        app <= root * 1.2 + 5.0,
        "{TURNS} times {HEADS} heads were {root} requests of root's and {app} of the user's"
    );
}

/// A follower passes a commit on to a leader that has just died, where it is lost without a word. Only the election tells
/// that no answer will come: every other limit is out of reach.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_election_is_noticed_by_an_ordinary_user() {
    let mut cluster = EtcdCluster::start(&[EtcdVersion::Reference; 3]).await;
    guard_all(&mut cluster).await;
    for _ in 0..3 {
        let leader = cluster.leader().await;
        let mut followers = cluster.endpoints();
        followers.remove(leader);
        let log = as_user("app", followers)
            .request_timeout(BOUND)
            .deadline(Duration::from_secs(4));
        let log = log.connect().await.unwrap();
        put(&log, "before", "1").await;
        let writers: Vec<_> = (0..8)
            .map(|writer| tokio::spawn(write(log.clone(), writer)))
            .collect();
        cluster[leader].kill();
        for writer in writers {
            within("a writer", writer).await.unwrap();
        }
        cluster[leader].restart().await;
    }
}

async fn write(log: EtcdLog, writer: usize) {
    for number in 0..30 {
        put(&log, &format!("key-{writer}"), &number.to_string()).await;
    }
}

/// Seconds of the server's processor, from its start.
async fn processor(server: &EtcdServer) -> f64 {
    server.metric("process_cpu_seconds_total", "").await
}

/// Clients of one user follow a large keyspace and open their tails anew: what that cost the server.
async fn ten_follow(user: &str, server: &EtcdServer) -> f64 {
    let client = async || {
        let log = as_user(user, vec![server.endpoint()]);
        log.connect().await.unwrap()
    };
    // One of them reads it, for all.
    let log = client().await;
    let first = Copy::open(&log).await;
    assert!(first.records.len() >= KEYS);
    let mut clients = vec![(log, first)];
    for _ in 1..CLIENTS {
        let log = client().await;
        let copy = clients[0].1.hand_to(&log).await;
        clients.push((log, copy));
    }
    let before = processor(server).await;
    let following = async {
        let all = clients.iter_mut().map(|(log, copy)| async {
            passes(copy, log, HEADS).await;
            copy.look_away();
            passes(copy, log, HEADS).await;
        });
        futures::future::join_all(all).await;
    };
    beside_a_busy_neighbour(server, following).await;
    let cost = processor(server).await - before;
    for (log, copy) in &mut clients {
        let position = put(log, user, "1").await;
        copy.reach(position).await;
        assert_eq!((copy.resyncs, copy.breaks), (0, 0), "{user}");
    }
    cost
}

/// Reading all of the keyspace once takes the server longer than everything that is to be done here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_clients_of_an_ordinary_user_follow_a_hundred_thousand_keys_without_reading_them() {
    let server = guarded(EtcdServer::builder(EtcdVersion::Reference)).await;
    let root = as_user("root", vec![server.endpoint()]);
    fill(&root.connect().await.unwrap(), KEYS).await;
    let root = ten_follow("root", &server).await;
    let app = ten_follow("app", &server).await;
    assert!(
        app <= 2.0 * root + 0.5,
        "{root} s of the server's processor for root, {app} s for the user"
    );
}
