//! A server that is away for twice as long as sessions live without it: how many shards that moves, and how long after its
//! return all are served again.
//!
//! What stands is asked of a table that was opened only afterwards; who serves, of the members.

use std::collections::BTreeMap;

use globe::shards::{OwnedShard, ShardMember, Step, Table};
use globe::{EtcdLog, Fenced, Session, SessionState, Shards};
use globe_bench::{
    Done, SHARDS, TTL, Target, Turns, Unit, balanced, first_answer, open_table, report,
};
use globe_test_support::EtcdServer;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep};

const OUTAGE: Duration = Duration::from_secs(6);
const MEMBERS: usize = 5;

/// One member, and the task that takes its steps until the log has been away for long enough.
struct Member {
    shards: Shards,
    session: Session,
    steps: JoinHandle<()>,
}

impl Member {
    async fn join(endpoint: &str, id: &str) -> Done<Member> {
        let log = EtcdLog::connect([endpoint]).await?;
        let shards = open_table(log.clone()).await?;
        let session = Session::builder(log).name(id).ttl(TTL).open().await?;
        let mut worker = shards.join(&session, ShardMember::new(id)).await?;
        let steps = tokio::spawn(async move {
            let mut owned: BTreeMap<u32, OwnedShard> = BTreeMap::new();
            while let Some(step) = worker.next().await {
                match step {
                    Step::Prepare(step) => drop(step.done()),
                    Step::Own(shard) => drop(owned.insert(shard.shard(), shard)),
                    Step::Drain(step) => {
                        owned.remove(&step.shard());
                        drop(step.done());
                    }
                    other => drop(owned.remove(&other.shard())),
                }
            }
        });
        Ok(Member {
            shards,
            session,
            steps,
        })
    }

    /// How many shards it serves.
    fn serves(&self, keys: &[String]) -> usize {
        let entered = |key: &&String| self.shards.enter(key).is_ok_and(|guard| guard.is_held());
        keys.iter().filter(entered).count()
    }
}

/// One key of each shard.
fn keys(shards: &Shards) -> Vec<String> {
    let mut keys = BTreeMap::new();
    let mut numbers = 0_u64..;
    while keys.len() < SHARDS as usize {
        let key = numbers.next().unwrap_or_default().to_string();
        keys.entry(shards.shard_of(&key)).or_insert(key);
    }
    keys.into_values().collect()
}

pub(crate) async fn measure(mut server: EtcdServer) -> Done {
    let endpoint = server.endpoint();
    let mut members = Vec::new();
    for number in 0..MEMBERS {
        members.push(Member::join(&endpoint, &format!("w{number}")).await?);
    }
    let Some(first) = members.first() else {
        return Err("nobody has joined".into());
    };
    balanced(&first.shards, MEMBERS).await;
    let keys = keys(&first.shards);
    let served = || {
        members
            .iter()
            .map(|member| member.serves(&keys))
            .sum::<usize>()
    };
    while served() < keys.len() {
        sleep(Duration::from_millis(20)).await;
    }
    let before = first.shards.table();

    server.kill();
    sleep(OUTAGE).await;
    if served() > 0 {
        return Err("shards are served beyond the ttl".into());
    }
    let returned = Instant::now();
    server.restart_unready();
    let peer = tokio::spawn(first_answer(endpoint.clone(), returned));
    while served() < keys.len() {
        sleep(Duration::from_millis(1)).await;
    }
    let again = returned.elapsed();
    let answered = peer.await?;
    // Whatever an outage moves, it has moved a while later.
    sleep(3 * TTL).await;
    let is_live = |member: &Member| member.session.state() == SessionState::Live;
    if !members.iter().all(is_live) {
        return Err("a session is not live".into());
    }

    let afterwards = open_table(EtcdLog::connect([&endpoint]).await?)
        .await?
        .table();
    let mut turns = Turns::of(Unit::Shards);
    turns.count(moved(&before, &afterwards) as f64, f64::from(SHARDS));
    let figure =
        "shards that moved, or began to, in an outage of 6 s (ttl 3 s), of 5 members, beside all";
    report(figure, &turns, Target::Under(1.0));
    let mut turns = Turns::default();
    turns.push(again, answered);
    let figure = "from the return of the server until all of them are served again, beside the first answer to etcd-client";
    report(figure, &turns, Target::None);
    for member in members {
        member.steps.abort();
    }
    Ok(())
}

/// How many rows are not as they were.
fn moved(before: &Table, after: &Table) -> usize {
    let differs = |shard: &u32| before.row(*shard, 0) != after.row(*shard, 0);
    before.shards().filter(differs).count()
}
