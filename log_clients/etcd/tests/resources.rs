//! What a log holds open and asks for, as the server and the system count it.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{ErrorKind, Keyspace, LogClient, Tail};
use globe_test_support::{
    EtcdServer, EtcdVersion, Flow, Proxy, Weather, connections_to, wait_until,
};
use rig::{BOUND, Copy, connect, flags, hasty, put, within};
use tokio::time::Instant;

/// Many times what closing a connection takes; only a test that fails waits for it.
const SOON: Duration = Duration::from_secs(5);

async fn tails(log: &EtcdLog, count: usize) -> Vec<Tail> {
    let mut tails = Vec::new();
    for number in 0..count {
        let keyspace = Keyspace::new(format!("map-{number}")).unwrap();
        let head = log.head(&keyspace).await.unwrap();
        tails.push(log.tail(&keyspace, head).await.unwrap());
    }
    tails
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clones_and_tails_share_one_connection_for_each_kind_of_work() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let clones: Vec<_> = (0..50).map(|_| log.clone()).collect();
    let puts = clones.iter().enumerate();
    let puts = puts.map(|(number, log)| async move { put(log, &number.to_string(), "1").await });
    futures::future::join_all(puts).await;
    let open = tails(&log, 50).await;
    let lease = log.grant(Duration::from_secs(60)).await.unwrap();
    log.renew(lease).await.unwrap();
    assert_eq!(
        connections_to(server.port()),
        3,
        "for calls, tails and leases"
    );
    drop(open);
}

/// Behind a balancer, calls may fail where tails are well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_is_well_holds_no_connection_but_its_own() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let log = connect([proxy.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let written = put(&log, "a", "1").await;
    copy.reach(written).await;
    assert_eq!(connections_to(proxy.port()), 2, "for calls and the tail");
    let calls = 0;
    proxy.set_one(calls, Weather::both(Flow::held()));
    let written = put(&log, "a", "2").await;
    copy.reach(written).await;
    assert_eq!(
        proxy.connections(),
        3,
        "calls have another, the tail does not"
    );
    wait_until("the one that was given up is closed", SOON, || async {
        connections_to(proxy.port()) == 2
    })
    .await;
    let written = put(&log, "a", "3").await;
    copy.reach(written).await;
    assert_eq!(copy.resyncs, 0);
    assert_eq!(proxy.connections(), 3);
}

/// Every message the server was sent.
async fn asked(server: &EtcdServer) -> f64 {
    server
        .metric("grpc_server_msg_received_total", "etcdserverpb")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_at_rest_asks_nothing_however_busy_its_neighbours() {
    for version in EtcdVersion::ALL {
        let server = EtcdServer::start(version).await;
        let log = connect([server.endpoint()]).await;
        let mut copy = Copy::open(&log).await;
        let written = put(&log, "a", "1").await;
        copy.reach(written).await;
        let before = asked(&server).await;
        let waits = tokio::time::timeout(Duration::from_secs(2), copy.step());
        let neighbour = async {
            for number in 0..20 {
                let key = format!("neighbour/{number}");
                server.etcdctl(&["put", &key, "1"]).await;
            }
        };
        let (waited, ()) = tokio::join!(waits, neighbour);
        assert!(waited.is_err(), "nothing happened here: {waited:?}");
        let theirs = 20.0;
        assert_eq!(asked(&server).await - before, theirs, "on {version:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outage_costs_few_dials_however_many_call() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let log = hasty([proxy.endpoint()]).await;
    put(&log, "a", "1").await;
    proxy.cut();
    let began = Instant::now();
    let until = began + Duration::from_secs(10);
    let keyspace = flags();
    let call = || async {
        while Instant::now() < until {
            let error = within("the head", log.head(&keyspace)).await.unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
        }
    };
    let before = proxy.connections();
    futures::future::join_all((0..20).map(|_| call())).await;
    let dials = proxy.connections() - before;
    // It begins faster: 100 ms, 200 ms, 400 ms, and so on up to a second, or half of it by the dice.
    let most = 2.0 * began.elapsed().as_secs_f64() + 6.0;
    assert!((dials as f64) < most, "{dials} dials, at most {most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_last_log_leaves_no_task() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let alive = || {
        let runtime = tokio::runtime::Handle::current();
        runtime.metrics().num_alive_tasks()
    };
    let before = alive();
    let log = connect([server.endpoint()]).await;
    let mut copy = Copy::open(&log).await;
    let written = put(&log, "a", "1").await;
    copy.reach(written).await;
    let lease = log.grant(Duration::from_secs(5)).await.unwrap();
    log.renew(lease).await.unwrap();
    assert!(alive() > before, "connections have tasks");
    drop((copy, log));
    wait_until("no task", BOUND, || async { alive() <= before }).await;
}
