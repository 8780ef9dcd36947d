//! Commits that nobody waits for any more: what a member that was cut off still holds of them may land before the next
//! commit of their client is acknowledged, and never after.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;
mod two_ways;

use std::time::Duration;

use globe_etcd::EtcdLog;
use globe_log_client::{LogClient, Position, Precondition, Result, Transaction};
use globe_test_support::{EtcdCluster, EtcdServer, EtcdVersion, Proxy, wait_until};
use rig::{
    BOUND, all_are_back, connect, delete, flags, hasty, history, on_each_version, put, puts_of,
    record, try_create, within,
};
use tokio::time::timeout;
use two_ways::TwoWays;

on_each_version! {
    what_was_abandoned_in_any_state_never_lands_after_a_later_commit
    a_client_that_only_asks_for_the_head_takes_back_what_it_abandoned
    a_check_is_not_acknowledged_before_what_was_abandoned_is_taken_back
    more_abandoned_commits_than_there_are_slots_hold_nobody_up
    the_lease_that_abandoned_commits_need_does_not_outlive_a_restore
    a_full_log_takes_back_what_was_abandoned
}

/// Long enough for a request to be on its way, far too short for a member that does not answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// Each commit that is given up is followed by the word that it was, and a server that reads both at once may drop it.
/// Of so many some land, if they may; and each still has a slot of its own.
const MANY: usize = 40;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key-{number}")).collect()
}

/// A create that one key guards twice, so that it is never sent together with others, and has a slot of its own.
async fn create_alone(log: &EtcdLog, key: &str) -> Result<Position> {
    let flags = flags();
    let create = Transaction::new()
        .when(&flags, "start", Precondition::Present)
        .when(&flags, "start", Precondition::Present)
        .when(&flags, key.to_owned(), Precondition::Absent)
        .put(&flags, key.to_owned(), "late");
    log.commit(create).await
}

/// Creates all of them at once, and gives each up after a while.
async fn abandon(log: &EtcdLog, keys: &[String], patience: Duration) {
    let creates = keys.iter().map(|key| async move {
        let given_up = timeout(patience, create_alone(log, key)).await;
        assert!(given_up.is_err(), "{key} was answered: {given_up:?}");
    });
    futures::future::join_all(creates).await;
}

/// Creates and deletes them, so that they may be created again.
async fn create_and_delete(log: &EtcdLog, keys: &[String]) {
    for key in keys {
        try_create(log, key, "other").await.unwrap();
        delete(log, key).await;
    }
}

/// Three members, and a log that uses the first of them.
struct Three {
    cluster: EtcdCluster,
    /// The ways to the others: they last as long as this.
    _others: [Proxy; 2],
    log: EtcdLog,
    straight: EtcdLog,
    start: Position,
}

impl Three {
    async fn new() -> Three {
        let cluster = EtcdCluster::start(&[EtcdVersion::Reference; 3]).await;
        let others = [
            Proxy::start(cluster[1].port()).await,
            Proxy::start(cluster[2].port()).await,
        ];
        let known = [
            cluster[0].endpoint(),
            others[0].endpoint(),
            others[1].endpoint(),
        ];
        let (log, straight) = (hasty(known).await, connect([cluster[1].endpoint()]).await);
        let start = put(&straight, "start", "1").await;
        others.iter().for_each(Proxy::cut);
        let through_the_first =
            async { while log.commit(rig::a_put("on the way", "1")).await.is_err() {} };
        within("a commit through the first member", through_the_first).await;
        others.iter().for_each(Proxy::heal);
        Three {
            cluster,
            _others: others,
            log,
            straight,
            start,
        }
    }

    /// Lets the frozen member go on, and waits until whatever it held has been passed on.
    async fn thaw(&self) {
        self.cluster[0].resume();
        all_are_back(&self.cluster[0]).await;
        let through_it = connect([self.cluster[0].endpoint()]).await;
        for number in 0..20 {
            put(&through_it, &format!("after-{number}"), "1").await;
        }
    }
}

/// What a frozen member holds of commits that were given up never lands after this went through another.
async fn nothing_is_left_in_a_frozen_member(later: impl AsyncFn(&EtcdLog)) {
    let three = Three::new().await;
    let keys = names(6);
    three.cluster[0].pause();
    abandon(&three.log, &keys, PATIENCE).await;
    later(&three.log).await;
    create_and_delete(&three.straight, &keys).await;
    three.thaw().await;
    let history = history(&three.straight, three.start).await;
    for key in &keys {
        assert_eq!(puts_of(&history, key), 1, "{key} landed late");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_member_holds_of_dropped_commits_never_lands_after_a_later_one() {
    nothing_is_left_in_a_frozen_member(async |log| {
        for number in 0..200 {
            put(log, &format!("later-{}", number % 10), "1").await;
        }
    })
    .await;
}

/// As the prober of a map does, twice a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_member_holds_of_dropped_commits_never_lands_after_the_next_head() {
    nothing_is_left_in_a_frozen_member(async |log| {
        within("the head", log.head(&flags())).await.unwrap();
    })
    .await;
}

/// Two ways to a server, and a client that has used the first.
async fn two_ways(server: EtcdServer) -> (TwoWays, EtcdLog) {
    let ways = TwoWays::to(server).await;
    let log = hasty(ways.both()).await;
    ways.go_the_first(&log).await;
    (ways, log)
}

/// Given up while it is sent, while it is settled through the same way, and while it is settled through another.
async fn what_was_abandoned_in_any_state_never_lands_after_a_later_commit(version: EtcdVersion) {
    let (ways, log) = two_ways(EtcdServer::start(version).await).await;
    let keys = names(8);
    ways.first.freeze();
    let abandoned = keys.iter().zip(1_u32..).map(|(key, turn)| {
        let patience = PATIENCE * turn;
        abandon(&log, std::slice::from_ref(key), patience)
    });
    futures::future::join_all(abandoned).await;
    ways.second.heal();
    put(&log, "later", "1").await;
    create_and_delete(&ways.straight, &keys).await;
    ways.deliver().await;
    ways.were_written(&keys, 1).await;
}

/// What was given up on a way that hangs never lands after this went another.
async fn takes_back_what_it_abandoned(version: EtcdVersion, later: impl AsyncFn(&EtcdLog)) {
    let (ways, log) = two_ways(EtcdServer::start(version).await).await;
    let keys = names(MANY);
    ways.first.freeze();
    abandon(&log, &keys, PATIENCE).await;
    ways.second.heal();
    later(&log).await;
    create_and_delete(&ways.straight, &keys).await;
    ways.deliver().await;
    ways.were_written(&keys, 1).await;
}

async fn a_client_that_only_asks_for_the_head_takes_back_what_it_abandoned(version: EtcdVersion) {
    takes_back_what_it_abandoned(version, async |log| {
        within("the head", log.head(&flags())).await.unwrap();
    })
    .await;
}

async fn a_check_is_not_acknowledged_before_what_was_abandoned_is_taken_back(version: EtcdVersion) {
    takes_back_what_it_abandoned(version, async |log| {
        let check = Transaction::new().when(&flags(), "start", Precondition::Present);
        within("a check", log.commit(check)).await.unwrap();
    })
    .await;
}

async fn more_abandoned_commits_than_there_are_slots_hold_nobody_up(version: EtcdVersion) {
    let (ways, log) = two_ways(EtcdServer::start(version).await).await;
    let keys = names(100);
    ways.first.freeze();
    abandon(&log, &keys, PATIENCE).await;
    // Some more are under way when the others are taken back, and wait for their slots.
    let waiting: Vec<_> = (0..100)
        .map(|number| {
            let log = log.clone();
            tokio::spawn(async move { put(&log, &format!("waiting-{number}"), "1").await })
        })
        .collect();
    ways.second.heal();
    for commit in waiting {
        within("a commit that waited", commit).await.unwrap();
    }
    create_and_delete(&ways.straight, &keys).await;
    ways.deliver().await;
    ways.were_written(&keys, 1).await;
}

/// In the backup the slots are as the abandoned commits want them, and the lease is there.
async fn the_lease_that_abandoned_commits_need_does_not_outlive_a_restore(version: EtcdVersion) {
    let (mut ways, log) = two_ways(EtcdServer::start(version).await).await;
    let backup = ways.server.save_snapshot().await;
    let before = put(&log, "after the backup", "1").await;
    let old = leases(&ways.server).await;
    assert_eq!(old.len(), 2, "one is the other client's: {old:?}");
    ways.first.freeze();
    abandon(&log, &names(6), PATIENCE).await;
    ways.server.kill();
    ways.server.restore_snapshot(&backup, None).await;
    assert_eq!(leases(&ways.server).await, old, "it is in the backup");
    ways.second.heal();
    let later = rig::when_reachable("a commit after the restore", || {
        log.commit(rig::a_put("later", "1"))
    });
    let later = later.await;
    assert_ne!(later.epoch, before.epoch, "it is another life");
    let new = leases(&ways.server).await;
    let kept = new.iter().filter(|lease| old.contains(lease)).count();
    assert_eq!((new.len(), kept), (2, 1), "{new:?} after {old:?}");
}

async fn leases(server: &EtcdServer) -> Vec<String> {
    let listed = server.etcdctl(&["lease", "list"]).await;
    let lines = listed.lines().map(str::trim);
    let mut leases: Vec<_> = lines
        .filter(|line| !line.contains("found") && !line.is_empty())
        .map(str::to_owned)
        .collect();
    leases.sort_unstable();
    leases
}

async fn a_full_log_takes_back_what_was_abandoned(version: EtcdVersion) {
    let builder = EtcdServer::builder(version).flag("--quota-backend-bytes=4194304");
    let (ways, log) = two_ways(builder.start().await).await;
    let keys = names(6);
    ways.first.freeze();
    abandon(&log, &keys, PATIENCE).await;
    let large = "x".repeat(512 * 1024);
    let mut filled = 0;
    while rig::try_put(&ways.straight, &format!("large-{filled}"), &large)
        .await
        .is_ok()
    {
        filled += 1;
    }
    ways.second.heal();
    // What only deletes is taken by a log that is full.
    for number in 0..=filled {
        delete(&log, &format!("large-{number}")).await;
    }
    ways.server.make_space().await;
    wait_until("there is space again", BOUND, || async {
        rig::try_put(&ways.straight, "small", "1").await.is_ok()
    })
    .await;
    create_and_delete(&ways.straight, &keys).await;
    ways.deliver().await;
    for key in &keys {
        assert!(record(&ways.straight, key).await.is_none(), "{key} landed");
    }
}
