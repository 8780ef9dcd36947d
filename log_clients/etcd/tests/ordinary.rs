//! A user who may do nothing but what an ordinary user may: read and write below a prefix. The newest servers tell such a
//! user neither their version nor their term.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod field;
mod rig;

use std::sync::Arc;
use std::time::Duration;

use field::{ROUNDS, beside_a_busy_neighbour, passes};
use globe_etcd::{EtcdBuilder, EtcdLog};
use globe_log_client::{LogClient, Transaction};
use globe_test_support::{EtcdCluster, EtcdServer, EtcdVersion};
use rig::{BOUND, Copy, PATIENCE, flags, on_each_version, put, within};

on_each_version! {
    an_ordinary_user_follows_a_busy_neighbour_for_what_root_pays
}

const USERS: [(&str, &str, &str); 1] = [("app", "app-secret", "app/")];

/// A keyspace large enough that nobody can read all of it again and again.
const KEYS: usize = 100_000;
const CLIENTS: usize = 10;

/// Where quiet is proved by comparing, how often depends on how long things take: so many heads that this evens out.
const HEADS: usize = 5 * ROUNDS;

fn as_user(name: &str, endpoints: Vec<String>) -> EtcdBuilder {
    EtcdLog::builder()
        .endpoints(endpoints)
        .namespace("app/")
        .user(name, format!("{name}-secret"))
        .deadline(PATIENCE)
}

async fn guarded(version: EtcdVersion) -> EtcdServer {
    let mut server = EtcdServer::start(version).await;
    server.enable_auth("root-secret", &USERS).await;
    server
}

/// What was asked of the server's store so far. The neighbour asks by other methods.
async fn asked(server: &EtcdServer) -> f64 {
    let name = "grpc_server_handled_total";
    let ranges = server.metric(name, "grpc_method=\"Range\"").await;
    ranges + server.metric(name, "grpc_method=\"Txn\"").await
}

/// What it costs a user to pass a busy neighbour.
async fn cost_of(user: &str, server: &EtcdServer) -> f64 {
    let log = as_user(user, vec![server.endpoint()]);
    let log = log.connect().await.unwrap();
    put(&log, "key", user).await;
    let mut copy = Copy::open(&log).await;
    let before = asked(server).await;
    beside_a_busy_neighbour(server, passes(&mut copy, &log, HEADS)).await;
    let cost = asked(server).await - before;
    assert_eq!((copy.resyncs, copy.breaks), (0, 0), "{user} follows");
    cost
}

async fn an_ordinary_user_follows_a_busy_neighbour_for_what_root_pays(version: EtcdVersion) {
    let server = guarded(version).await;
    let root = cost_of("root", &server).await;
    let app = cost_of("app", &server).await;
    assert!(
        app <= root * 1.2 + 5.0,
        "{HEADS} heads were {root} requests of root's and {app} of the user's"
    );
}

/// A follower passes a commit on to a leader that has just died, where it is lost without a word. Only the election tells
/// that no answer will come: every other limit is out of reach.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_election_is_noticed_by_an_ordinary_user() {
    let mut cluster = EtcdCluster::start(&[EtcdVersion::Reference; 3]).await;
    cluster.enable_auth("root-secret", &USERS).await;
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

/// Fills a keyspace, a hundred records at a time.
async fn fill(log: &EtcdLog) {
    let batches = Arc::new(tokio::sync::Semaphore::new(8));
    let mut filling = tokio::task::JoinSet::new();
    for start in (0..KEYS).step_by(100) {
        let (log, batches) = (log.clone(), Arc::clone(&batches));
        filling.spawn(async move {
            let _turn = batches.acquire().await;
            let keys = (start..start + 100).map(|number| format!("{number:06}"));
            let puts = keys.fold(Transaction::new(), |puts, key| {
                puts.put(&flags(), key, "value")
            });
            log.commit(puts).await.unwrap();
        });
    }
    while let Some(filled) = within("the filling", filling.join_next()).await {
        filled.unwrap();
    }
}

/// Seconds of the server's processor, from its start.
async fn processor(server: &EtcdServer) -> f64 {
    server.metric("process_cpu_seconds_total", "").await
}

/// Clients of one user follow a large keyspace and open their tails anew: what that cost the server.
async fn ten_follow(user: &str, server: &EtcdServer) -> f64 {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let log = as_user(user, vec![server.endpoint()]);
        let log = log.connect().await.unwrap();
        let copy = Copy::open(&log).await;
        assert!(copy.records.len() >= KEYS);
        clients.push((log, copy));
    }
    let before = processor(server).await;
    let following = async {
        let all = clients.iter_mut().map(|(log, copy)| async {
            passes(copy, log, ROUNDS / 4).await;
            copy.look_away();
            passes(copy, log, ROUNDS / 4).await;
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
    let server = guarded(EtcdVersion::Reference).await;
    let root = as_user("root", vec![server.endpoint()]);
    fill(&root.connect().await.unwrap()).await;
    let root = ten_follow("root", &server).await;
    let app = ten_follow("app", &server).await;
    assert!(
        app <= 2.0 * root + 0.5,
        "{root} s of the server's processor for root, {app} s for the user"
    );
}
