//! Tails of one client share a watch stream, and none holds up another.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use futures::future::join_all;
use globe_etcd::EtcdLog;
use globe_log_client::{Keyspace, LogClient, Position, Tail, Transaction};
use globe_test_support::{EtcdServer, EtcdVersion, wait_until};
use rig::{BOUND, Copy, connect, flags, on_each_version, put, received, within};

on_each_version! {
    many_tails_share_one_stream_and_leave_nothing_behind
    tails_that_nobody_reads_hold_up_no_neighbour_and_miss_nothing
    a_tail_that_knows_everything_does_not_keep_another_from_its_head
}

const WATCHERS: &str = "etcd_debugging_mvcc_watcher_total";
const STREAMS: &str = "etcd_debugging_mvcc_watch_stream_total";

const MANY: usize = 100;

fn keyspace(number: usize) -> Keyspace {
    Keyspace::new(format!("map-{number}")).unwrap()
}

async fn become_of(server: &EtcdServer, metric: &str, expected: f64) {
    let is_so = || async { (server.metric(metric, "").await - expected).abs() < 0.5 };
    wait_until(&format!("{expected} of {metric}"), BOUND, is_so).await;
}

/// A tail of each of many keyspaces, all opened at once.
async fn tails(log: &EtcdLog) -> Vec<Tail> {
    let now = log.head(&flags()).await.unwrap();
    let opened = (0..MANY).map(|number| {
        let keyspace = keyspace(number);
        async move { log.tail(&keyspace, now).await.unwrap() }
    });
    within("the tails", join_all(opened)).await
}

/// Reads until everything up to a position has come.
async fn reaches(tail: &mut Tail, position: Position) -> Vec<u64> {
    let mut changed = Vec::new();
    loop {
        let batch = within("a batch", tail.next()).await.unwrap();
        if !batch.is_progress() {
            changed.push(batch.revision.0);
        }
        if batch.revision >= position.revision {
            break changed;
        }
    }
}

async fn many_tails_share_one_stream_and_leave_nothing_behind(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let mut tails = tails(&log).await;
    become_of(&server, WATCHERS, 100.0).await;
    become_of(&server, STREAMS, 1.0).await;
    // Each gets its own and nothing else.
    for (number, tail) in tails.iter_mut().enumerate() {
        let one = Transaction::new().put(&keyspace(number), "key", "value");
        let position = log.commit(one).await.unwrap();
        let changed = reaches(tail, position).await;
        assert_eq!(changed, [position.revision.0], "tail {number}");
    }
    tails.truncate(10);
    become_of(&server, WATCHERS, 10.0).await;
    drop(tails);
    become_of(&server, WATCHERS, 0.0).await;
    become_of(&server, STREAMS, 0.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_for_progress_serves_every_tail_of_a_stream() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let neighbour = connect([server.endpoint()]).await;
    let mut tails = tails(&log).await;
    let before = received(&server, "Watch").await;
    let position = put(&neighbour, "key", "value").await;
    let heads = (0..MANY).map(|number| {
        let (log, keyspace) = (&log, keyspace(number));
        async move { log.head(&keyspace).await.unwrap() }
    });
    within("the heads", join_all(heads)).await;
    let arrivals = tails.iter_mut().map(|tail| reaches(tail, position));
    within("the arrivals", join_all(arrivals)).await;
    let asked = received(&server, "Watch").await - before;
    assert!((1.0..=10.0).contains(&asked), "{asked} requests");
}

/// Longer than a minute, and shorter than the patience of any proxy.
const MORE_THAN_A_MINUTE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_on_which_nothing_comes_sends_something_every_minute() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let log = connect([server.endpoint()]).await;
    let copy = Copy::open(&log).await;
    let before = received(&server, "Watch").await;
    wait_until("something is sent", MORE_THAN_A_MINUTE, || async {
        received(&server, "Watch").await > before
    })
    .await;
    become_of(&server, STREAMS, 1.0).await;
    assert_eq!((copy.breaks, copy.resyncs), (0, 0));
}

async fn tails_that_nobody_reads_hold_up_no_neighbour_and_miss_nothing(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let big = Keyspace::new("big").unwrap();
    let now = log.head(&big).await.unwrap();
    let mut unread = Vec::new();
    for _ in 0..6 {
        unread.push(log.tail(&big, now).await.unwrap());
    }
    let mut neighbour = Copy::open(&log).await;
    let value = "x".repeat(512 * 1024);
    let mut written = Vec::new();
    for round in 0..24 {
        let large = Transaction::new().put(&big, "key", value.clone());
        written.push(log.commit(large).await.unwrap());
        let position = put(&log, "small", &round.to_string()).await;
        neighbour.reach(position).await;
    }
    assert_eq!((neighbour.breaks, neighbour.resyncs), (0, 0));
    // What they do not read is not kept for them.
    become_of(&server, WATCHERS, 1.0).await;
    let last = *written.last().unwrap();
    let expected: Vec<u64> = written.iter().map(|position| position.revision.0).collect();
    for mut tail in unread {
        assert_eq!(reaches(&mut tail, last).await, expected);
    }
}

/// Some servers give no progress on a stream while one of its watches begins after their own revision.
async fn a_tail_that_knows_everything_does_not_keep_another_from_its_head(version: EtcdVersion) {
    let server = EtcdServer::start(version).await;
    let log = connect([server.endpoint()]).await;
    let neighbour = connect([server.endpoint()]).await;
    let before = log.head(&flags()).await.unwrap();
    for number in 0..5 {
        let other = Transaction::new().put(&keyspace(number), "key", "value");
        neighbour.commit(other).await.unwrap();
    }
    for number in 0..3 {
        let head = log.head(&keyspace(number)).await.unwrap();
        let mut knowing = log.tail(&keyspace(number), head).await.unwrap();
        let mut behind = log.tail(&flags(), before).await.unwrap();
        assert!(reaches(&mut behind, head).await.is_empty());
        let own = Transaction::new().put(&keyspace(number), "key", "again");
        let position = log.commit(own).await.unwrap();
        assert_eq!(reaches(&mut knowing, position).await, [position.revision.0]);
    }
}
