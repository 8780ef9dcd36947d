//! What a planner commits: in how many transactions, how large, and what it leaves behind when it dies between two of them.

use globe::shards::{Mode, Phase, Table};
use globe::{LogClient, MemoryLog};

use crate::cluster::{Cluster, Onlooker};
use crate::rig::{Around, until, write_many};

/// Cuts a way after so many commits that come from now on.
fn cut_after(way: &Around, commits: usize) {
    let (way, next) = (way.clone(), way.clone());
    way.after_the_next_commit(move || match commits {
        1 => next.cut(true),
        _ => cut_after(&next, commits - 1),
    });
}

/// What is planned takes several transactions, and the planner dies after so many of them.
async fn dies_after(commits: usize, mode: Mode) -> usize {
    const ROWS: u32 = 700;
    let mut cluster = Cluster::new(ROWS, mode);
    cluster.plans = false;
    let others = [cluster.join("b").await, cluster.join("c").await];
    let way = Around::new(&cluster.log);
    // Its record and its candidacy come first.
    cluster.plans = true;
    let onlooker = Onlooker::new(&cluster).await;
    cut_after(&way, 2 + commits);
    let planner = cluster.join_by("a", way.clone()).await;
    until("it is cut off", || planner.way.is_cut()).await;
    others[0].shards.sync().await.unwrap();
    let table = others[0].shards.table();
    assert!(
        table
            .rows()
            .all(|(_, _, row)| row.term == 1 && table.is_live(&row.owner))
    );
    let assigned = table.rows().count();
    let _session = planner.die(&cluster);
    let next = cluster.join("d").await;
    next.settled(3).await;
    until("all is served", || {
        cluster.journal.served() == ROWS as usize
    })
    .await;
    assert_eq!(onlooker.seen().await.unowned, 0);
    assigned
}

#[tokio::test(start_paused = true)]
async fn any_prefix_of_a_plan_is_a_table() {
    for mode in [Mode::Strict, Mode::Available] {
        let mut assigned = Vec::new();
        for commits in 1..=5 {
            assigned.push(dies_after(commits, mode).await);
        }
        assert!(
            assigned.is_sorted_by(|one, next| one < next),
            "{assigned:?}"
        );
        assert!(assigned[0] > 0 && assigned[4] < 700, "{assigned:?}");
    }
}

/// Of members whose names are as long as they may be.
fn members(log: &MemoryLog, state: &str) -> impl Future<Output = ()> {
    let member = |number: usize| {
        let id = format!("{number:03}-{}", "x".repeat(500));
        let value = format!(r#"{{"state":"{state}","weight":100}}"#);
        (format!("member/{id}"), value)
    };
    let log = log.clone();
    let records: Vec<_> = (0..100).map(member).collect();
    async move {
        write_many(&log, "table", records).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_transaction_is_over_the_limits() {
    let mut cluster = Cluster::new(10_000, Mode::Strict);
    cluster.moving = 10_000;
    let most = cluster.log.capabilities().max_operations;
    assert_eq!(most, 128, "as etcd");
    members(&cluster.log, "up").await;
    let way = Around::new(&cluster.log);
    let kept = way.keep_transactions();
    let planner = cluster.join_by("a", way).await;
    planner.settled(101).await;
    let assigned = kept.lock().unwrap().len();
    // One after another is asked to prepare for what they have.
    members(&cluster.log, "draining").await;
    let other = Around::new(&cluster.log);
    let said = other.keep_transactions();
    let _other = cluster.join_by("b", other).await;
    // They answer nothing, so that it comes to this: two members have said of each that they are ready.
    let is_ready = |table: &Table| {
        let phases = table.rows().map(|(_, _, row)| row.phase);
        phases.filter(|phase| *phase == Some(Phase::Drain)).count() >= 9_000
    };
    planner.wait_for("all is to move", is_ready).await;
    let kept = kept.lock().unwrap();
    let said = said.lock().unwrap();
    let sizes = kept.iter().chain(said.iter()).map(|transaction| {
        let operations = transaction.preconditions().len();
        (
            operations.max(transaction.writes().len()),
            transaction.bytes(),
        )
    });
    let sizes: Vec<(usize, usize)> = sizes.collect();
    let largest = sizes.iter().map(|(operations, _)| *operations).max();
    let longest = sizes.iter().map(|(_, bytes)| *bytes).max();
    println!("{assigned} of {}: {largest:?}, {longest:?}", sizes.len());
    assert!(
        largest <= Some(most) && longest <= Some(30 * 1024),
        "{largest:?} {longest:?}"
    );
    assert!(
        longest >= Some(20 * 1024),
        "they are not smaller than they must be"
    );
}
