//! Three members, of which one at a time dies or freezes, under maps that are read and written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use globe_test_support::{EtcdCluster, EtcdVersion};
use tokio::task::JoinHandle;

use crate::node::{Fold, Numbers, contents, holds, node, synced, truth, within};

const MEMBERS: [EtcdVersion; 3] = [EtcdVersion::Reference; 3];

/// A writer for whom every call must succeed, and how many did.
struct Writer {
    stop: Arc<AtomicBool>,
    writing: JoinHandle<u64>,
}

impl Writer {
    fn start(map: &Numbers, name: &'static str) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let writing = tokio::spawn(write(map.clone(), name, Arc::clone(&stop)));
        Writer { stop, writing }
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        within("a writer", self.writing).await.unwrap()
    }
}

async fn write(map: Numbers, name: &'static str, stop: Arc<AtomicBool>) -> u64 {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let add = |old: Option<&u64>| old.copied().unwrap_or(0) + 1;
        let written = within("an update", map.update(name, add)).await;
        number += 1;
        let value = written.unwrap_or_else(|error| panic!("update {number}: {error}"));
        assert_eq!(**value.value(), number, "each counted once");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    number
}

async fn moves_on(map: &Numbers, name: &str) {
    let now = contents(map).get(name).copied().unwrap_or(0);
    holds(map, "ten more writes", |map| {
        map.get(name).is_some_and(|number| *number > now + 10)
    })
    .await;
}

/// Breaks each member in turn, beginning with the leader, under two nodes that write.
async fn survives(
    break_one: impl AsyncFn(&mut EtcdCluster, usize),
    mend: impl AsyncFn(&mut EtcdCluster, usize),
) {
    let mut cluster = EtcdCluster::start(&MEMBERS).await;
    let url = cluster.url();
    let (one, two) = (node(&url).await, node(&url).await);
    let folds = (Fold::of(&one), Fold::of(&two));
    let writers = (Writer::start(&one, "one"), Writer::start(&two, "two"));
    let leader = cluster.leader().await;
    for member in (0..3).map(|offset| (leader + offset) % 3) {
        break_one(&mut cluster, member).await;
        moves_on(&one, "two").await;
        moves_on(&two, "one").await;
        mend(&mut cluster, member).await;
        moves_on(&one, "two").await;
    }
    let counts = (writers.0.stop().await, writers.1.stop().await);
    for map in [&one, &two] {
        synced(map).await;
        assert_eq!(contents(map)["one"], counts.0);
        assert_eq!(contents(map)["two"], counts.1);
        assert_eq!(map.status().violations, 0);
        assert_eq!(
            map.status().resyncs,
            0,
            "nothing was lost that a tail could not bring"
        );
    }
    assert_eq!(contents(&one), truth(&cluster[leader]).await);
    folds.0.ends_exact(&one).await;
    folds.1.ends_exact(&two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_member_be_it_the_leader_costs_no_write_an_error() {
    let kill = async |cluster: &mut EtcdCluster, member: usize| cluster[member].kill();
    let restart = async |cluster: &mut EtcdCluster, member: usize| cluster[member].restart().await;
    survives(kill, restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_member_be_it_the_leader_costs_no_write_an_error() {
    let pause = async |cluster: &mut EtcdCluster, member: usize| cluster[member].pause();
    let resume = async |cluster: &mut EtcdCluster, member: usize| {
        cluster[member].resume();
        cluster[member].wait_ready().await;
    };
    survives(pause, resume).await;
}
