//! What a log leaves behind: nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{Keyspace, LogClient, Transaction};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BOUND: Duration = Duration::from_secs(10);

async fn log(server: &EtcdServer) -> EtcdLog {
    EtcdLog::connect([server.endpoint()]).await.unwrap()
}

fn flags() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

fn put(key: &str) -> Transaction {
    Transaction::new().put(&flags(), key.to_owned(), "value")
}

/// One of the server's own counters.
async fn metric(server: &EtcdServer, name: &str) -> f64 {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    let request = b"GET /metrics HTTP/1.0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix(name));
    line.expect("the metric").trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_tail_ends_its_watch_at_the_server() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = log(&server).await;
    let head = log.head(&flags()).await.unwrap();
    let watchers = "etcd_debugging_mvcc_watcher_total ";
    let mut tails = Vec::new();
    for _ in 0..10 {
        tails.push(log.tail(&flags(), head).await.unwrap());
    }
    wait_until("ten watchers", BOUND, || async {
        metric(&server, watchers).await >= 10.0
    })
    .await;
    drop(tails);
    wait_until("no watcher", BOUND, || async {
        metric(&server, watchers).await < 1.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_log_leaves_no_task() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = alive();
    let log = log(&server).await;
    let position = log.commit(put("a")).await.unwrap();
    let mut tail = log.tail(&flags(), position).await.unwrap();
    log.commit(put("b")).await.unwrap();
    tail.next().await.unwrap();
    let lease = log.grant(Duration::from_secs(5)).await.unwrap();
    log.renew(lease.id).await.unwrap();
    assert!(alive() > before, "connections have tasks");
    drop(tail);
    drop(log);
    wait_until("no task", BOUND, || async { alive() <= before }).await;
}
