//! A rolling restart of a large cluster: nothing is unowned, and little is moved.

use globe::shards::{Mode, Table};

use crate::cluster::{Cluster, Onlooker, counts, is_settled};

/// Restarts one after another, while every revision of the table is looked at.
///
/// The least number of moves: each member has to give away what it has, its share. The first gives it to members that are yet to
/// be restarted, so that it moves twice; and the last comes back empty, and is given a share. So with `n` members it is
/// `slots · (1 + 2/n)`.
async fn restart(members: usize, slots: u32, mode: Mode) {
    let mut cluster = Cluster::new(slots, mode);
    let mut nodes = Vec::new();
    for number in 0..members {
        // All are there before anybody plans: each is given its share at once.
        cluster.plans = number + 1 == members;
        nodes.push(cluster.join(&format!("w{number:02}")).await);
    }
    let share = slots as usize / members;
    let is_even = |table: &Table| {
        let counts = counts(table);
        let is_fair = |count: &usize| count.abs_diff(share) <= 1 + share / 10;
        is_settled(table, members) && counts.len() == members && counts.values().all(is_fair)
    };
    nodes[0].wait_for("even", is_even).await;
    let onlooker = Onlooker::new(&cluster).await;
    for number in 0..members {
        let mut node = nodes.remove(0);
        node.leave().await;
        drop(node);
        nodes.push(cluster.join(&format!("w{number:02}")).await);
    }
    nodes[0].wait_for("even again", is_even).await;
    let seen = onlooker.seen().await;
    assert_eq!(seen.unowned, 0);
    let least = slots as usize + 2 * share;
    let handed = seen.handed;
    println!("{handed} moves of {slots} shards, at least {least}, {mode:?}");
    assert!(
        handed * 10 <= least * 11,
        "{handed} moves, at least {least}"
    );
    // Nobody serves beside another, nor is a shard without one who does.
    let is_served = |_: &Table| cluster.journal.served() == slots as usize;
    nodes[0].wait_for("every shard is served", is_served).await;
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_of_ten_leaves_nothing_unowned_and_moves_each_shard_about_once() {
    for mode in [Mode::Strict, Mode::Available] {
        restart(10, 200, mode).await;
    }
}

/// So few shards that it takes half a minute where nothing is optimised; by `GLOBE_SOAK` as many as a large cluster has.
fn slots() -> u32 {
    match std::env::var_os("GLOBE_SOAK") {
        Some(_) => 10_000,
        None => 1_000,
    }
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_of_50_leaves_nothing_unowned() {
    restart(50, slots(), Mode::Strict).await;
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_of_50_that_goes_on_serving_leaves_nothing_unowned() {
    restart(50, slots(), Mode::Available).await;
}
