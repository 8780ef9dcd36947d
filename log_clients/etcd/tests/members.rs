//! Three members, of which one is dead, frozen or an alien, or of which another leads every moment.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{LogClient, Precondition, Transaction};
use globe_test_support::{EtcdCluster, EtcdServer, EtcdVersion, Proxy};
use rig::{
    BOUND, Copy, PATIENCE, all_are_back, connect, flags, hasty, history, put, puts_of, truth,
    try_put, within,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const THREE: [EtcdVersion; 3] = [EtcdVersion::Reference; 3];

/// Many times what a client takes to find that a member is well; only a test that fails waits for it.
const LOOK: Duration = Duration::from_secs(8);

/// Counts on in one record, and asks for the head, until it is told to stop. Every call must succeed.
struct Counting {
    stop: Arc<AtomicBool>,
    writer: JoinHandle<u64>,
    reader: JoinHandle<u64>,
}

impl Counting {
    fn start(log: &EtcdLog) -> Counting {
        let stop = Arc::new(AtomicBool::new(false));
        Counting {
            writer: tokio::spawn(count(log.clone(), Arc::clone(&stop))),
            reader: tokio::spawn(ask(log.clone(), Arc::clone(&stop))),
            stop,
        }
    }

    /// How far it counted, and how often it asked.
    async fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let both = async { (self.writer.await.unwrap(), self.reader.await.unwrap()) };
        within("the last calls", both).await
    }
}

/// Each step is guarded by the revision of the last: a step that landed twice, or was reported wrongly, is a conflict.
async fn count(log: EtcdLog, stop: Arc<AtomicBool>) -> u64 {
    let mut last = put(&log, "count", "0").await;
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let next = Transaction::new()
            .when(&flags(), "count", Precondition::At(last.revision))
            .put(&flags(), "count", (count + 1).to_string());
        last = within("a commit", log.commit(next))
            .await
            .unwrap_or_else(|error| panic!("step {count}: {error}"));
        count += 1;
    }
    count
}

async fn ask(log: EtcdLog, stop: Arc<AtomicBool>) -> u64 {
    let keyspace = flags();
    let mut last = within("a head", log.head(&keyspace)).await.unwrap();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let head = within("a head", log.head(&keyspace)).await;
        let head = head.unwrap_or_else(|error| panic!("head {count}: {error}"));
        assert!(head.covers(last), "{head} after {last}");
        last = head;
        count += 1;
    }
    count
}

/// Follows until a commit made now is seen, however many tails break.
async fn is_followed(copy: &mut Copy, log: &EtcdLog, mark: &str) {
    let position = put(log, "mark", mark).await;
    copy.reach(position).await;
    assert_eq!(copy.values()["mark"], mark);
}

async fn counted(cluster: &EtcdCluster, copy: &mut Copy, log: &EtcdLog, counting: Counting) {
    let (steps, heads) = counting.stop().await;
    assert!(steps > 0 && heads > 0, "it did something");
    is_followed(copy, log, "the end").await;
    assert_eq!(copy.values()["count"], steps.to_string());
    assert_eq!(copy.values(), truth(&cluster[0]).await);
    assert_eq!(copy.resyncs, 0, "tails are enough");
}

async fn a_dead_member_costs_no_error(versions: &[EtcdVersion]) {
    let mut cluster = EtcdCluster::start(versions).await;
    let log = connect(cluster.endpoints()).await;
    let mut copy = Copy::open(&log).await;
    let counting = Counting::start(&log);
    for victim in 0..3 {
        is_followed(&mut copy, &log, &format!("before {victim}")).await;
        cluster[victim].kill();
        for number in 0..20 {
            is_followed(&mut copy, &log, &format!("without {victim}: {number}")).await;
        }
        cluster[victim].restart().await;
    }
    counted(&cluster, &mut copy, &log, counting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dead_member_of_three_costs_no_error_and_tails_move_on() {
    a_dead_member_costs_no_error(&THREE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dead_member_of_a_mixed_three_costs_no_error_and_tails_move_on() {
    use EtcdVersion::{Reference, V3_5_16};
    a_dead_member_costs_no_error(&[V3_5_16, Reference, V3_5_16]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_frozen_member_of_three_costs_no_error_and_tails_move_on() {
    let cluster = EtcdCluster::start(&THREE).await;
    let log = connect(cluster.endpoints()).await;
    let mut copy = Copy::open(&log).await;
    let counting = Counting::start(&log);
    for victim in 0..3 {
        is_followed(&mut copy, &log, &format!("before {victim}")).await;
        cluster[victim].pause();
        for number in 0..20 {
            is_followed(&mut copy, &log, &format!("without {victim}: {number}")).await;
        }
        cluster[victim].resume();
        // All three are one again before the next is frozen: two of three must be awake.
        all_are_back(&cluster[victim]).await;
    }
    counted(&cluster, &mut copy, &log, counting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_the_leadership_costs_no_error() {
    let cluster = EtcdCluster::start(&THREE).await;
    let log = connect(cluster.endpoints()).await;
    let mut copy = Copy::open(&log).await;
    let counting = Counting::start(&log);
    for number in 0..10 {
        cluster.move_leader().await;
        is_followed(&mut copy, &log, &number.to_string()).await;
    }
    counted(&cluster, &mut copy, &log, counting).await;
}

/// A follower passes a commit on to a leader that has just died, where it is lost without a word. A request's own limit is
/// out of reach here, and the server's is longer than the deadline: the election tells that no answer will come, or at last
/// the part of the deadline that is kept for finding out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_with_its_leader_is_settled_by_the_election() {
    let mut cluster = EtcdCluster::start(&THREE).await;
    for _ in 0..3 {
        let leader = cluster.leader().await;
        let mut followers = cluster.endpoints();
        followers.remove(leader);
        let log = EtcdLog::builder()
            .endpoints(followers)
            .request_timeout(BOUND)
            .deadline(Duration::from_secs(4));
        let log = log.connect().await.unwrap();
        let counting = Counting::start(&log);
        put(&log, "before", "1").await;
        cluster[leader].kill();
        for number in 0..20 {
            put(&log, "after", &number.to_string()).await;
        }
        let (steps, heads) = counting.stop().await;
        assert!(steps > 0 && heads > 0, "it did something");
        cluster[leader].restart().await;
    }
}

/// The old leader wakes with requests in its buffers that their client has long given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_leader_still_held_lands_at_most_once() {
    let cluster = EtcdCluster::start(&THREE).await;
    let log = connect(cluster.endpoints()).await;
    let start = put(&log, "start", "1").await;
    for round in 0..4 {
        let leader = cluster.leader().await;
        let creates: Vec<_> = (0..8)
            .map(|number| tokio::spawn(create_and_delete(log.clone(), format!("{round}-{number}"))))
            .collect();
        cluster[leader].pause();
        for create in creates {
            tokio::time::timeout(BOUND, create).await.unwrap().unwrap();
        }
        cluster[leader].resume();
        all_are_back(&cluster[leader]).await;
    }
    put(&log, "end", "1").await;
    let history = history(&log, start).await;
    for (key, _) in history.iter().filter(|(key, _)| key.contains('-')) {
        assert_eq!(puts_of(&history, key), 20, "{key}");
    }
    assert!(
        truth(&cluster[0])
            .await
            .keys()
            .all(|key| !key.contains('-'))
    );
}

/// Twenty times: after each delete the precondition of a late create would hold again.
async fn create_and_delete(log: EtcdLog, key: String) {
    for _ in 0..20 {
        rig::try_create(&log, &key, "1").await.unwrap();
        rig::delete(&log, &key).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_of_another_cluster_is_refused() {
    let cluster = EtcdCluster::start(&[EtcdVersion::Reference; 2]).await;
    let alien = EtcdServer::start(EtcdVersion::Reference).await;
    alien.etcdctl(&["put", "flags/alien", "1"]).await;
    let mut endpoints = cluster.endpoints();
    endpoints.push(alien.endpoint());
    let clusters_own = hasty(cluster.endpoints()).await.head(&flags()).await;
    let epoch = clusters_own.unwrap().epoch;
    // Each draws the member it begins with; that one of these begins with the alien is all but certain.
    for client in 0..12 {
        let log = connect(endpoints.clone()).await;
        let mut copy = Copy::open(&log).await;
        let position = put(&log, "key", &client.to_string()).await;
        assert_eq!(position.epoch, epoch);
        copy.reach(position).await;
        assert!(!copy.records.contains_key("alien"));
    }
    assert_eq!(truth(&alien).await.len(), 1);
}

/// Two ways to one member: which of them is home is drawn. It is away for longer than it is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_had_to_leave_comes_home_once_that_is_well() {
    let server = EtcdServer::start(EtcdVersion::Reference).await;
    let ways = [
        Proxy::start(server.port()).await,
        Proxy::start(server.port()).await,
    ];
    let log = EtcdLog::builder().endpoints(ways.iter().map(Proxy::endpoint));
    let log = log.rebalance_after(Duration::from_millis(20));
    let log = log.deadline(PATIENCE).connect().await.unwrap();
    put(&log, "key", "1").await;
    let home = log.member();
    let way = ways.iter().find(|way| way.endpoint() == home).unwrap();
    way.cut();
    let leaves = async {
        while log.member() == home {
            let _ = try_put(&log, "key", "2").await;
        }
    };
    within("it leaves", leaves).await;
    let dialled = way.connections();
    let looks = async {
        while way.connections() == dialled {
            put(&log, "key", "2").await;
        }
    };
    within("it looks for its home in vain", looks).await;
    way.heal();
    let comes_back = async {
        while log.member() != home {
            put(&log, "key", "3").await;
        }
    };
    let came_back = timeout(LOOK, comes_back).await;
    assert!(came_back.is_ok(), "not within {LOOK:?}");
}
