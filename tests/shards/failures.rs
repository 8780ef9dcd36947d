//! What becomes of shards when a member, the planner, or the log fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use globe::log_client::Transaction;
use globe::shards::{MemberState, Mode, Move, Planner, ShardMember, Situation, Step};
use globe::{LogClient, SessionState};
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{BOUND, Cluster, Onlooker, TTL, counts, is_settled};
use crate::rig::{Around, keyspace, until, within};

const MODES: [Mode; 2] = [Mode::Strict, Mode::Available];
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_worker_that_crashes_is_followed_within_its_time_to_live_and_a_second() {
    for mode in MODES {
        let cluster = Cluster::new(60, mode);
        let first = cluster.join("a").await;
        let others = [cluster.join("b").await, cluster.join("c").await];
        others[0].spread(3).await;
        let died = Instant::now();
        first.way.cut(true);
        let _session = first.die(&cluster);
        others[0].settled(2).await;
        assert!(died.elapsed() <= TTL + SECOND, "{:?}", died.elapsed());
    }
}

/// The journal finds it if two serve.
#[tokio::test(start_paused = true)]
async fn a_strict_worker_that_is_cut_off_stops_before_another_begins_and_comes_back() {
    let cluster = Cluster::new(20, Mode::Strict);
    let first = cluster.join("a").await;
    let other = cluster.join("b").await;
    other.spread(2).await;
    first.way.cut(true);
    until("it has stopped", || cluster.journal.serving("a") == 0).await;
    assert_eq!(
        other.shards.table().members().count(),
        2,
        "before its lease has ended"
    );
    assert!((0..100).all(|key| first.shards.enter(format!("key-{key}")).is_err()));
    other.settled(1).await;
    first.way.cut(false);
    other.spread(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_available_worker_that_is_cut_off_serves_on_until_it_sees_the_table() {
    let cluster = Cluster::new(20, Mode::Available);
    let first = cluster.join("a").await;
    let other = cluster.join("b").await;
    other.spread(2).await;
    let serving = cluster.journal.serving("a");
    first.way.cut(true);
    other.settled(1).await;
    assert_eq!(cluster.journal.serving("a"), serving);
    first.way.cut(false);
    other
        .wait_for("both", |table| {
            is_settled(table, 2) && counts(table).len() == 2
        })
        .await;
    until("each serves what it has", || {
        let table = other.shards.table();
        counts(&table)
            .iter()
            .all(|(id, count)| cluster.journal.serving(id) == *count)
    })
    .await;
}

/// However long: nobody is given anything, and everybody goes on with what he had, under the same terms.
#[tokio::test(start_paused = true)]
async fn an_outage_of_the_log_moves_nothing() {
    for mode in MODES {
        let cluster = Cluster::new(30, mode);
        let nodes = [
            cluster.join_patient("a").await,
            cluster.join_patient("b").await,
            cluster.join_patient("c").await,
        ];
        let spread =
            |table: &globe::shards::Table| is_settled(table, 3) && counts(table).len() == 3;
        nodes[0].wait_for("spread", spread).await;
        // Until it is in balance, and nothing moves.
        sleep(20 * SECOND).await;
        let before = serde_json::to_value(nodes[0].shards.table()).unwrap();
        for seconds in [6, 3_600] {
            cluster.log.set_available(false);
            sleep(SECOND * seconds).await;
            assert!(
                nodes[0].shards.owner_of("key").is_some(),
                "the table answers"
            );
            let serving = cluster.journal.served();
            assert_eq!(
                serving,
                if mode == Mode::Strict { 0 } else { 30 },
                "{mode:?}"
            );
            assert!(nodes[0].shards.status().age.unwrap() >= SECOND * seconds - SECOND);
            cluster.log.set_available(true);
            for node in &nodes {
                until("live again", || node.session.state() == SessionState::Live).await;
            }
            until("all is served", || cluster.journal.served() == 30).await;
            sleep(60 * SECOND).await;
            let after = serde_json::to_value(nodes[0].shards.table()).unwrap();
            assert_eq!(before["rows"], after["rows"], "{mode:?} {seconds}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_members_are_others_and_all_is_owned_again() {
    for mode in MODES {
        let cluster = Cluster::new(20, mode);
        let nodes = [cluster.join("a").await, cluster.join("b").await];
        nodes[0].settled(2).await;
        let backup = cluster.log.backup();
        nodes[0]
            .wait_for("spread", |table| {
                is_settled(table, 2) && counts(table).len() == 2
            })
            .await;
        let epoch = nodes[0].shards.table().position().epoch;
        cluster.log.restore(&backup);
        let again =
            |table: &globe::shards::Table| table.position().epoch != epoch && is_settled(table, 2);
        let table = nodes[1].wait_for("owned again", again).await;
        let key = nodes[0]
            .wait_for("seen", again)
            .await
            .owner_of("key")
            .unwrap()
            .token();
        assert_eq!(key.epoch, table.position().epoch);
        until("all is served", || cluster.journal.served() == 20).await;
    }
}

/// Its record, that is: it loses all, and joins again as another.
#[tokio::test(start_paused = true)]
async fn a_member_whose_record_is_deleted_joins_again_and_its_successor_is_given_its_shards_first()
{
    let cluster = Cluster::new(20, Mode::Strict);
    let first = cluster.join("a").await;
    let other = cluster.join("b").await;
    let table = other.spread(2).await;
    let was = table.member("a").unwrap().incarnation().clone();
    cluster.rows().await.delete("member/a").await.unwrap();
    let table = other
        .wait_for("back", |table| {
            is_settled(table, 2) && table.member("a").unwrap().incarnation() != &was
        })
        .await;
    assert!(first.shards.table().member("a").is_some());
    assert_eq!(counts(&table).values().sum::<usize>(), 20);
    until("all is served", || cluster.journal.served() == 20).await;
}

#[tokio::test(start_paused = true)]
async fn a_planner_that_dies_in_the_middle_is_followed_by_one_that_goes_on() {
    let cluster = Cluster::new(2_000, Mode::Strict);
    let first = cluster.join("a").await;
    let other = cluster.join("b").await;
    assert_eq!(first.shards.status().planner.as_deref(), Some("a"));
    other
        .wait_for("begun", |table| table.rows().count() > 100)
        .await;
    first.way.cut(true);
    let _session = first.die(&cluster);
    let table = other.settled(1).await;
    assert_eq!(table.planner(), Some("b"));
}

/// The one step that is never dropped in earnest: a drain that nobody finishes is told again, a preparation is refused.
#[tokio::test(start_paused = true)]
async fn a_step_that_is_dropped_is_told_again_or_refused() {
    let cluster = Cluster::new(1, Mode::Strict);
    let way = Around::new(&cluster.log);
    let (shards, session) = cluster.process("a", &way).await;
    let mut worker = shards.join(&session, ShardMember::new("a")).await.unwrap();
    let own = timeout(BOUND, worker.next()).await.unwrap().unwrap();
    assert!(matches!(own, Step::Own(_)), "{own:?}");
    let other = cluster.join("b").await;
    shards.pin(0, Some("b")).await.unwrap();
    for _ in 0..3 {
        let step = timeout(BOUND, worker.next()).await.unwrap().unwrap();
        assert!(matches!(step, Step::Drain(_)), "{step:?}");
    }
    let Some(Step::Drain(step)) = timeout(BOUND, worker.next()).await.unwrap() else {
        panic!("no drain");
    };
    assert_eq!(step.successor().unwrap().id(), "b");
    timeout(BOUND, step.done()).await.unwrap().unwrap();
    other
        .wait_for("moved", |table| {
            table
                .owner_of_shard(0)
                .is_some_and(|owner| owner.member().id() == "b")
        })
        .await;
    // Back again: refused twice, and not asked for a while after each.
    shards.pin(0, Some("a")).await.unwrap();
    let asked = Instant::now();
    for _ in 0..3 {
        let step = timeout(BOUND, worker.next()).await.unwrap().unwrap();
        assert!(matches!(step, Step::Prepare(_)), "{step:?}");
    }
    assert!(asked.elapsed() >= 10 * SECOND, "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_takes_too_long_to_prepare_is_passed_over() {
    let cluster = Cluster::new(1, Mode::Strict);
    let first = cluster.join("a").await;
    first.settled(1).await;
    let way = Around::new(&cluster.log);
    let (shards, session) = cluster.process("b", &way).await;
    let mut worker = shards.join(&session, ShardMember::new("b")).await.unwrap();
    first.shards.pin(0, Some("b")).await.unwrap();
    let Some(Step::Prepare(step)) = timeout(BOUND, worker.next()).await.unwrap() else {
        panic!("not asked");
    };
    let begun = Instant::now();
    first
        .wait_for("cancelled", |table| table.row(0, 0).unwrap().next.is_none())
        .await;
    assert!(begun.elapsed() >= 59 * SECOND);
    assert!(first.shards.enter("key").is_ok(), "its owner went on");
    // What is said too late is of no use to anybody, and no error.
    timeout(BOUND, step.done()).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn flapping_is_damped() {
    let cluster = Cluster::new(20, Mode::Strict);
    let steady = cluster.join("a").await;
    steady.settled(1).await;
    let onlooker = Onlooker::new(&cluster).await;
    for _ in 0..8 {
        let flapping = cluster.join("b").await;
        sleep(SECOND).await;
        flapping.session.close().await.unwrap();
        let _session = flapping.die(&cluster);
    }
    let _flapping = cluster.join("b").await;
    sleep(60 * SECOND).await;
    let table = steady.shards.table();
    assert_eq!(counts(&table).get("b"), None, "kept from them for minutes");
    assert_eq!(onlooker.seen().await.handed, 0);
    steady
        .wait_for("forgiven", |table| counts(table).get("b") == Some(&10))
        .await;
}

/// The row is rewritten between the look and the commit: an operator's pin, say. What was decided on the row before is made of
/// the row as it is only when it is looked at again.
#[tokio::test(start_paused = true)]
async fn what_was_decided_on_another_row_is_not_made() {
    let cluster = Cluster::new(1, Mode::Strict);
    let first = cluster.join("a").await;
    let other = cluster.join("b").await;
    first.settled(2).await;
    let rows = cluster.rows().await;
    let onlooker = Onlooker::new(&cluster).await;
    // The next commit of the planner is the one that moves the row to where it is pinned; just before, it is pinned elsewhere.
    let row = serde_json::to_value(&**first.shards.table().row(0, 0).unwrap()).unwrap();
    let with = |pin: &str| {
        let mut row = row.clone();
        row["pin"] = pin.into();
        row
    };
    let (log, back) = (cluster.log.clone(), serde_json::to_vec(&with("a")).unwrap());
    let (told, happened) = tokio::sync::oneshot::channel();
    first.way.before_the_next_commit(move || {
        let back = Transaction::new().put(&keyspace("table"), "row/00000", back);
        log.commit(back).now_or_never().unwrap().unwrap();
        told.send(()).unwrap();
    });
    rows.put("row/00000", with("b")).await.unwrap();
    within("the planner decides", happened).await.unwrap();
    sleep(10 * SECOND).await;
    let row = other.shards.table();
    let row = row.row(0, 0).unwrap();
    assert_eq!((row.next.as_ref(), row.owner.id()), (None, "a"));
    assert_eq!(onlooker.seen().await.handed, 0);
}

/// Wants to give the first shard to `b`, whenever it is told to.
#[derive(Debug, Clone, Default)]
struct Insisting(Arc<AtomicBool>);

impl Planner for Insisting {
    fn plan(&self, situation: &Situation<'_>) -> Vec<Move> {
        let to = |shard: u32, id: &str| {
            let member = situation.table().member(id)?;
            Some(Move::new(shard, 0, member.incarnation().clone()))
        };
        let first = if self.0.load(Ordering::Relaxed) {
            "b"
        } else {
            "a"
        };
        [to(0, first), to(1, "b")].into_iter().flatten().collect()
    }
}

/// It may have seen that it has nothing left, and be gone the next moment.
#[tokio::test(start_paused = true)]
async fn nothing_is_given_to_who_is_leaving_whatever_a_planner_wants() {
    let cluster = Cluster::new(2, Mode::Strict);
    let planner = Insisting::default();
    let way = Around::new(&cluster.log);
    let shards = cluster
        .builder(&way)
        .planner(planner.clone())
        .open()
        .await
        .unwrap();
    let session = globe::Session::open(way).await.unwrap();
    let mut worker = shards.join(&session, ShardMember::new("a")).await.unwrap();
    let _steps = tokio::spawn(async move { while worker.next().await.is_some() {} });
    until("it plans", || shards.status().planner.is_some()).await;
    let mut other = cluster.join("b").await;
    other.settled(2).await;
    until("it is served", || {
        (0..9).any(|key| other.shards.enter(key.to_string()).is_ok())
    })
    .await;
    // It cannot leave as long as there is work inside.
    let _guard = (0..9)
        .find_map(|key| other.shards.enter(key.to_string()).ok())
        .unwrap();
    let _leaving = tokio::spawn(other.leaver.take().unwrap().leave());
    other
        .wait_for("leaving", |table| {
            table.member("b").unwrap().state() == MemberState::Draining
        })
        .await;
    planner.0.store(true, Ordering::Relaxed);
    shards.rebalance("anna").await.unwrap();
    sleep(10 * SECOND).await;
    let table = other.shards.table();
    let row = table.row(0, 0).unwrap();
    assert_eq!((row.owner.id(), &row.next), ("a", &None));
}
