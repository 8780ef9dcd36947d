//! Many clients at once: after a restart of their server, after a rolling restart of its cluster, and with an endpoint that
//! belongs to somebody else.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use globe_etcd::{EtcdBuilder, EtcdLog};
use globe_log_client::{ErrorKind, LogClient};
use globe_test_support::{EtcdCluster, EtcdServer, EtcdVersion, connections_to, wait_until};
use rig::{
    BOUND, Copy, PATIENCE, as_app, connect, flags, logins, put, try_put, when_reachable, within,
};
use tokio::time::{sleep, timeout};

/// What a check of a password costs by default: some 50 ms of a core.
const COSTLY: &str = "--bcrypt-cost=10";
const CROWD: usize = 200;

/// After how many commits a server makes a snapshot. It begins its next life with that, and replays what came later, logins
/// as well: only tokens that are older are gone with it.
const SNAPSHOT: usize = 100;

async fn guarded() -> EtcdServer {
    let builder = EtcdServer::builder(EtcdVersion::Reference).flag(COSTLY);
    rig::guarded(builder.flag(format!("--snapshot-count={SNAPSHOT}"))).await
}

/// A client that follows, a few at a time so that the server can keep up.
async fn crowd(count: usize, client: impl AsyncFn() -> EtcdLog) -> Vec<(EtcdLog, Copy)> {
    let opening = (0..count).map(|_| async {
        let log = client().await;
        let copy = Copy::open_when_reachable(&log).await;
        (log, copy)
    });
    stream::iter(opening).buffer_unordered(8).collect().await
}

/// Every client follows again: it hears of everything up to a head it asks for itself.
async fn all_follow(clients: &mut [(EtcdLog, Copy)]) {
    let following = clients.iter_mut().map(|(log, copy)| async {
        let keyspace = flags();
        let head = when_reachable("the head", || log.head(&keyspace)).await;
        copy.reach(head).await;
    });
    within("everybody follows", futures::future::join_all(following)).await;
}

/// The server forgot them all, so everybody logs in at once, and checking the passwords keeps it from everything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_with_passwords_all_follow_after_their_server_was_restarted() {
    let mut server = guarded().await;
    let endpoint = server.endpoint();
    // As impatient as clients are unless they are told otherwise.
    let client = async || {
        let builder = as_app(endpoint.clone()).deadline(Duration::from_secs(5));
        builder.connect().await.unwrap()
    };
    let mut clients = crowd(CROWD, client).await;
    let (aging, _) = &clients[0];
    for _ in 0..3 * SNAPSHOT {
        when_reachable("a put", || try_put(aging, "key", "1")).await;
    }
    // Its counters begin at nothing with it, and nobody else logs in.
    server.restart_unready();
    all_follow(&mut clients).await;
    let logins = logins(&server).await;
    let (least, most) = (CROWD as u64, 2 * CROWD as u64);
    assert!(logins >= least, "only {logins}: their tokens outlived it");
    assert!(logins <= most, "{logins} logins of {CROWD} clients");
}

/// How soon clients go back to where they belong: at once here, slowly by default.
fn spreading(builder: EtcdBuilder) -> EtcdBuilder {
    builder.rebalance_after(Duration::from_millis(500))
}

/// How many clients each member has.
fn spread(cluster: &EtcdCluster) -> Vec<usize> {
    let members = 0..3;
    members
        .map(|member| connections_to(cluster[member].port()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rolling_restart_no_member_has_more_than_half_of_the_clients() {
    let mut cluster = EtcdCluster::start(&[EtcdVersion::Reference; 3]).await;
    let endpoints = cluster.endpoints();
    let client = async || {
        let builder = EtcdLog::builder().endpoints(endpoints.clone());
        let builder = spreading(builder.deadline(PATIENCE));
        builder.connect().await.unwrap()
    };
    // So many that chance alone does not give one member half of them.
    let mut clients = crowd(60, client).await;
    for member in 0..3 {
        cluster[member].restart().await;
        all_follow(&mut clients).await;
    }
    let settled = async {
        loop {
            let spread = spread(&cluster);
            let most = spread.iter().max().copied().unwrap_or(0);
            if 2 * most <= spread.iter().sum() {
                return;
            }
            // As maps do, which ask for the head all the time.
            all_follow(&mut clients).await;
            sleep(Duration::from_millis(200)).await;
        }
    };
    let settled = timeout(BOUND, settled).await;
    let spread = spread(&cluster);
    assert!(settled.is_ok(), "not within {BOUND:?}: {spread:?}");
    all_follow(&mut clients).await;
    for (_, copy) in &clients {
        assert_eq!(copy.resyncs, 0, "tails are enough");
    }
}

/// Two clusters that know nothing of each other, in one list of endpoints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_lost_its_cluster_takes_no_other_for_it() {
    let mut servers = [
        EtcdServer::start(EtcdVersion::Reference).await,
        EtcdServer::start(EtcdVersion::Reference).await,
    ];
    for (number, server) in servers.iter().enumerate() {
        // Far apart, so that one is never the past of the other.
        for _ in 0..=10 * number {
            let whose = number.to_string();
            server.etcdctl(&["put", "flags/whose", &whose]).await;
        }
    }
    let both = servers.iter().map(EtcdServer::endpoint);
    let log = connect(both.clone()).await;
    let mut copy = Copy::open(&log).await;
    let whose = copy.values()["whose"].clone();
    let home: usize = whose.parse().unwrap();
    // One more of the same cluster, which has little time: each draws the member it begins with.
    let draws = async {
        loop {
            let hurried = EtcdLog::builder().endpoints(both.clone());
            let hurried = hurried.deadline(Duration::from_secs(3));
            let hurried = hurried.connect().await.unwrap();
            if Copy::open(&hurried).await.values()["whose"] == whose {
                break hurried;
            }
        }
    };
    let hurried = within("one with the same home", draws).await;
    for round in 0..3_u32 {
        servers[home].kill();
        let keyspace = flags();
        let (head, stray) = (hurried.head(&keyspace), try_put(&hurried, "stray", "1"));
        let (head, stray) = within("both", async { tokio::join!(head, stray) }).await;
        let error = head.expect_err("nobody of this cluster is there");
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
        stray.expect_err("nobody of this cluster is there");
        servers[home].restart().await;
        let position = put(&log, "round", &round.to_string()).await;
        copy.reach(position).await;
        assert_eq!(copy.values()["whose"], whose, "what it is followed for");
        assert_eq!(copy.values()["round"], round.to_string());
    }
    assert_eq!(copy.resyncs, 0, "it is one life of one cluster");
    let there = servers[1 - home].etcdctl(&["get", "flags/", "--prefix", "--keys-only"]);
    let there = there.await;
    assert_eq!(there.trim(), "flags/whose", "nothing was written there");
    wait_until("it is left alone", BOUND, || async {
        // Whoever was refused is not kept open.
        connections_to(servers[1 - home].port()) == 0
    })
    .await;
}
