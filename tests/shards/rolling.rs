//! A rolling restart of a large cluster: nothing is unowned, and little is moved.

use globe::shards::Mode;

use crate::cluster::{Cluster, Onlooker, is_settled};

/// How many members, and shards. More by `GLOBE_SOAK`.
async fn restart(members: usize, slots: u32, mode: Mode) {
    let cluster = Cluster::new(slots, mode);
    let mut nodes = Vec::new();
    for number in 0..members {
        nodes.push(cluster.join(&format!("w{number:02}")).await);
    }
    let share = slots as usize / members;
    let is_even = |table: &globe::shards::Table| {
        is_settled(table, members)
            && crate::cluster::counts(table)
                .values()
                .all(|count| count.abs_diff(share) <= 1 + share / 10)
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
    // Each shard has to move once; and once more for each member whose share nobody had when it came back: the first.
    let most = slots as usize * 11 / 10 + share;
    assert!(
        seen.handed <= most,
        "{} moves of {slots} shards",
        seen.handed
    );
    assert_eq!(cluster.journal.served(), slots as usize);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_of_ten_leaves_nothing_unowned_and_moves_each_shard_about_once() {
    for mode in [Mode::Strict, Mode::Available] {
        restart(10, 200, mode).await;
    }
}
