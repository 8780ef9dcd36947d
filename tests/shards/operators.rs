//! What operators say: pins, drains, weights, ranges, and what they see.

use globe::shards::{Mode, ShardMember, Table};
use globe::{ErrorKind, Fenced, Globe};

use crate::cluster::{Cluster, Onlooker, counts, is_settled};
use crate::rig::{fails_with, within};

fn at(table: &Table, shard: u32) -> Option<String> {
    let owner = table.owner_of_shard(shard)?;
    owner
        .phase()
        .is_none()
        .then(|| owner.member().id().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_pinned_shard_is_where_it_is_pinned_whenever_that_is_up() {
    let cluster = Cluster::new(10, Mode::Strict);
    let first = cluster.join("a").await;
    first.settled(1).await;
    let other = cluster.join("b").await;
    first.shards.pin(3, Some("b")).await.unwrap();
    other
        .wait_for("moved", |table| at(table, 3).as_deref() == Some("b"))
        .await;
    other.session.close().await.unwrap();
    first.settled(1).await;
    let _other = cluster.join("b").await;
    first
        .wait_for("back", |table| at(table, 3).as_deref() == Some("b"))
        .await;
    first.shards.pin(3, None).await.unwrap();
    assert_eq!(first.shards.table().row(3, 0).unwrap().pin, None);
}

#[tokio::test(start_paused = true)]
async fn a_drained_member_has_nothing_in_any_of_its_lives_until_it_may_again() {
    let cluster = Cluster::new(20, Mode::Available);
    let first = cluster.join("a").await;
    let other = cluster.join("b").await;
    let both = |table: &Table| is_settled(table, 2) && counts(table).len() == 2;
    first.wait_for("spread", both).await;
    let onlooker = Onlooker::new(&cluster).await;
    first.shards.drain("b", true, "anna").await.unwrap();
    first
        .wait_for("drained", |table| {
            is_settled(table, 2) && counts(table).len() == 1
        })
        .await;
    assert_eq!(onlooker.seen().await.unowned, 0);
    other.session.close().await.unwrap();
    let other = cluster.join("b").await;
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!(counts(&first.shards.table()).get("b"), None);
    first.shards.drain("b", false, "anna").await.unwrap();
    other.wait_for("spread", both).await;
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_does_not_wait_until_members_have_been_quiet() {
    let cluster = Cluster::new(20, Mode::Strict);
    let first = cluster.join("a").await;
    first.settled(1).await;
    let other = cluster.join("b").await;
    let asked = tokio::time::Instant::now();
    first.shards.rebalance("anna").await.unwrap();
    other
        .wait_for("spread", |table| {
            is_settled(table, 2) && counts(table).get("b") >= Some(&9)
        })
        .await;
    assert!(
        asked.elapsed() < std::time::Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    let rows = cluster.rows().await;
    rows.wait_for(|view| !view.contains_key("rebalance"))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_heavy_shard_counts_for_as_many_as_it_weighs() {
    let cluster = Cluster::new(10, Mode::Strict);
    let first = cluster.join("a").await;
    first.settled(1).await;
    first.shards.weigh(0, 9).await.unwrap();
    let _other = cluster.join("b").await;
    let is_even = |table: &Table| {
        let heavy = at(table, 0).unwrap_or_default();
        is_settled(table, 2) && counts(table).get(&heavy) == Some(&1)
    };
    first.wait_for("even", is_even).await;
    fails_with(first.shards.weigh(0, 0).await, ErrorKind::Invalid);
    fails_with(first.shards.weigh(99, 1).await, ErrorKind::Invalid);
    fails_with(first.shards.pin(99, Some("a")).await, ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn ranges_are_split_and_merged_and_no_token_goes_back() {
    let cluster = Cluster::new(1, Mode::Strict);
    let way = crate::rig::Around::new(&cluster.log);
    let ranges = globe::Shards::builder(way.clone(), "ranges")
        .ranges()
        .mode(Mode::Strict);
    let ranges = ranges.open().await.unwrap();
    let session = globe::Session::open(way).await.unwrap();
    let mut worker = ranges.join(&session, ShardMember::new("a")).await.unwrap();
    let steps = tokio::spawn(async move { while worker.next().await.is_some() {} });
    crate::rig::until("it is owned", || ranges.owner_of("k").is_some()).await;
    let before = ranges.owner_of("m").unwrap().token();
    let new = ranges.split("m").await.unwrap();
    ranges.sync().await.unwrap();
    let table = ranges.table();
    assert_eq!(
        (
            table.len(),
            table.shard_of("l"),
            table.shard_of("m"),
            table.shard_of("")
        ),
        (2, 0, new, 0)
    );
    for key in ["a", "m", "z"] {
        assert!(table.owner_of(key).unwrap().token().number > before.number);
    }
    crate::rig::until("both are served", || {
        ranges.enter("a").is_ok() && ranges.enter("z").is_ok()
    })
    .await;
    assert!(ranges.enter("z").unwrap().is_held());
    fails_with(ranges.split("m").await, ErrorKind::Invalid);
    fails_with(ranges.merge("x").await, ErrorKind::Invalid);
    let before = table.owner_of("z").unwrap().token();
    assert_eq!(ranges.merge("m").await.unwrap(), 0);
    ranges.sync().await.unwrap();
    let table = ranges.table();
    assert_eq!((table.len(), table.shard_of("z")), (1, 0));
    assert!(table.owner_of("z").unwrap().token().number > before.number);
    steps.abort();
}

#[tokio::test(start_paused = true)]
async fn replicas_of_a_shard_are_apart_and_the_warm_one_takes_over() {
    let mut cluster = Cluster::new(12, Mode::Strict);
    cluster.replicas = 2;
    // The journal tells shards apart, not their owners.
    cluster.mode = Mode::Available;
    let nodes = [
        cluster.join("a").await,
        cluster.join("b").await,
        cluster.join("c").await,
    ];
    let apart = |table: &Table| {
        table.shards().all(|shard| {
            let owners =
                [0, 1].map(|replica| table.row(shard, replica).map(|row| row.owner.clone()));
            owners[0].is_some() && owners[1].is_some() && owners[0] != owners[1]
        })
    };
    let table = nodes[0]
        .wait_for("apart", |table| is_settled(table, 3) && apart(table))
        .await;
    let owners = nodes[1].shards.owners_of("key");
    assert_eq!(owners.len(), 2);
    let (lost, warm) = (
        owners[0].member().id().to_owned(),
        owners[1].member().id().to_owned(),
    );
    let shard = table.shard_of("key");
    let mut nodes = Vec::from(nodes);
    let place = nodes.iter().position(|node| node.id == lost).unwrap();
    let dead = nodes.remove(place);
    dead.session.close().await.unwrap();
    let _session = dead.die(&cluster);
    let table = nodes[0]
        .wait_for("again", |table| is_settled(table, 2) && apart(table))
        .await;
    assert_eq!(
        at(&table, shard).as_deref(),
        Some(&*warm),
        "who had it already"
    );
}

#[tokio::test(start_paused = true)]
async fn the_table_is_a_value_that_people_can_read() {
    let cluster = Cluster::new(2, Mode::Strict);
    let first = cluster.join("a").await;
    first.settled(1).await;
    let table = serde_json::to_value(first.shards.table()).unwrap();
    assert_eq!(table["rows"]["00000"]["term"], 1);
    assert_eq!(table["shape"]["mode"], "strict");
    assert_eq!(table["planner"], "a");
    let status = first.shards.status();
    assert_eq!(
        (status.members, status.unowned, status.moving, status.stuck),
        (1, 0, 0, 0)
    );
    serde_json::to_string(&status).unwrap();
}

/// What others write to the log is no change of the table, and no reason to wait for one.
#[tokio::test(start_paused = true)]
async fn a_table_is_at_the_newest_position_though_nothing_of_it_changes() {
    let cluster = Cluster::new(4, Mode::Strict);
    let mut node = cluster.join("a").await;
    node.settled(1).await;
    let elsewhere: Globe<String, u64> = Globe::open(cluster.log.clone(), "other").await.unwrap();
    for value in 0..3 {
        let written = elsewhere.put("of another map", value).await.unwrap();
        let synced = within("a sync", node.shards.sync()).await.unwrap();
        assert!(synced.covers(written.position()));
        assert!(node.shards.table().position().covers(synced));
    }
    node.leave().await;
}
