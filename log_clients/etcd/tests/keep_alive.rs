//! Pings: a line that has died under a tail is found out by them, and no server has a reason to end a connection for them.
//!
//! A server ends a connection (`too_many_pings`) at the third ping that comes sooner than `--grpc-keepalive-min-time` after
//! the last, or while nothing is asked. So each of these waits while nothing happens.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{LogClient, Tail};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, connections_to};
use rig::{PATIENCE, flags, put, within};
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// The shortest that can be set, and what servers allow unless they are told otherwise.
const OFTEN: Duration = Duration::from_secs(5);
/// So long nothing is asked: enough for four pings, and the fourth is one too many.
const QUIET: Duration = Duration::from_secs(24);

/// A log whose connections can be counted, and broken.
async fn behind(proxy: &Proxy, interval: Duration, limit: Duration) -> EtcdLog {
    let builder = EtcdLog::builder().endpoint(proxy.endpoint());
    let builder = builder.keep_alive(interval, limit).deadline(PATIENCE);
    builder.connect().await.unwrap()
}

async fn a_tail(log: &EtcdLog) -> Tail {
    let now = log.head(&flags()).await.unwrap();
    log.tail(&flags(), now).await.unwrap()
}

/// A read, a commit, a lease that is kept, and a tail that ends.
async fn use_every_line(log: &EtcdLog) {
    put(log, "key", "value").await;
    let lease = log.grant(Duration::from_secs(600)).await.unwrap();
    log.renew(lease).await.unwrap();
    drop(a_tail(log).await);
}

/// Waits until what was used has said its last: how much was sent by then.
async fn quiet(proxy: &Proxy) -> u64 {
    loop {
        let asked = proxy.requested();
        sleep(SECOND).await;
        if proxy.requested() == asked {
            return asked;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_nothing_keeps_every_connection() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let log = behind(&proxy, OFTEN, OFTEN).await;
    use_every_line(&log).await;
    assert_eq!(connections_to(proxy.port()), 3);
    let asked = within("it is quiet", quiet(&proxy)).await;
    sleep(OFTEN + SECOND).await;
    assert_eq!(proxy.requested(), asked, "not even a ping");
    sleep(QUIET - OFTEN).await;
    assert_eq!(connections_to(proxy.port()), 3, "none was ended");
    use_every_line(&log).await;
    assert_eq!(proxy.connections(), 3, "none was dialled anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_on_which_nothing_comes_keeps_its_connection() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let (usual, often) = (
        Proxy::start(server.port()).await,
        Proxy::start(server.port()).await,
    );
    let logs = [
        EtcdLog::connect([usual.endpoint()]).await.unwrap(),
        behind(&often, OFTEN, OFTEN).await,
    ];
    let mut tails = [a_tail(&logs[0]).await, a_tail(&logs[1]).await];
    let [first, second] = &mut tails;
    let something = async {
        tokio::select! {
            batch = first.next() => batch,
            batch = second.next() => batch,
        }
    };
    let something = timeout(QUIET, something).await;
    assert!(something.is_err(), "{something:?}");
    let written = put(&logs[0], "key", "value").await;
    for tail in &mut tails {
        let batch = within("a batch", tail.next()).await.unwrap();
        assert_eq!(batch.revision, written.revision);
    }
    for proxy in [usual, often] {
        assert_eq!(proxy.connections(), 2, "none was dialled anew");
    }
}

/// Nobody asks anything, so that nothing but a ping can find out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_dies_under_a_tail_is_found_out_as_soon_as_was_set() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let proxy = Proxy::start(server.port()).await;
    let soon = behind(&proxy, OFTEN, SECOND).await;
    let mut found_out = a_tail(&soon).await;
    let mut patient = a_tail(&behind(&proxy, OFTEN, HOUR).await).await;
    let mut seldom = a_tail(&behind(&proxy, HOUR, SECOND).await).await;
    proxy.freeze();
    within("it breaks", found_out.next()).await.unwrap_err();
    let others = async {
        tokio::select! {
            told = patient.next() => told,
            told = seldom.next() => told,
        }
    };
    let others = timeout(SECOND * 3, others).await;
    assert!(others.is_err(), "it has nothing to go by: {others:?}");

    proxy.heal();
    let written = put(&soon, "key", "value").await;
    assert!(proxy.connections() > 6, "what died is not used again");
    for tail in [&mut patient, &mut seldom] {
        let batch = within("a batch", tail.next()).await.unwrap();
        assert_eq!(batch.revision, written.revision);
    }
}
