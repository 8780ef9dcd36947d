//! Shows it through: five workers, one restarted, one killed, while requests come all the time.
//!
//! Never tells a worker what to do, but to stop.

use std::sync::Arc;
use std::time::Duration;

use globe::Shards;
use globe_stage::{Caller, Member, Outcome, Stage, Story};
use tokio::time::Instant;

use crate::audit::Audit;
use crate::ledger::{ENDING, Ledger};
use crate::onlooker::{Onlooker, gaps};
use crate::picture;
use crate::router::Router;
use crate::traffic::{Callers, Traffic};
use crate::worker::{SHARDS, TTL, WORKER, table};

const SOON: Duration = Duration::from_secs(20);
/// Longer than it takes: the machine may be busy.
const MOMENT: Duration = Duration::from_secs(2);
const NAMES: [&str; 5] = ["w1", "w2", "w3", "w4", "w5"];

pub(crate) async fn story() -> Outcome {
    let stage = Stage::open("shards").await?;
    println!("{}", stage.describes_itself());
    let mut cluster = Cluster::open(stage).await?;
    let mut story = Story::default();

    story.step(format!(
        "Five workers start, and divide {SHARDS} shards among them."
    ));
    for name in NAMES {
        cluster.start(name)?;
    }
    cluster.share_evenly(&story, 5).await?;

    let (traffic, callers) = cluster.asked_all_the_time();
    restart(&mut cluster, &mut story, &traffic).await?;
    kill(&mut cluster, &mut story, (traffic, callers)).await?;
    end(cluster, &mut story).await
}

/// What this process sees of the workers.
struct Cluster {
    stage: Stage,
    shards: Shards,
    workers: Vec<(&'static str, Member)>,
    onlooker: Arc<Onlooker>,
    audit: Arc<Audit>,
}

impl Cluster {
    async fn open(stage: Stage) -> Outcome<Cluster> {
        let shards = table(stage.log(), stage.keyspace()).open().await?;
        let ledger = Ledger::open(stage.log(), stage.keyspace()).await?;
        Ok(Cluster {
            onlooker: Onlooker::at(&shards),
            audit: Audit::of(ledger),
            workers: Vec::new(),
            shards,
            stage,
        })
    }

    fn start(&mut self, name: &'static str) -> Outcome {
        let worker = self.stage.start(WORKER, name)?;
        self.workers.push((name, worker));
        Ok(())
    }

    fn take(&mut self, name: &str) -> Outcome<Member> {
        let place = self.workers.iter().position(|(worker, _)| *worker == name);
        let place = place.ok_or("it was not started")?;
        Ok(self.workers.remove(place).1)
    }

    fn asked_all_the_time(&self) -> (Arc<Traffic>, Callers) {
        Traffic::start(&Router {
            shards: self.shards.clone(),
            caller: Caller::new(Duration::from_secs(2)),
        })
    }

    async fn share_evenly(&self, story: &Story, members: usize) -> Outcome {
        let is_even = async || {
            let table = self.shards.table();
            let owned = picture::counts(&table);
            let most = owned.values().max().copied().unwrap_or_default();
            let fewest = owned.values().min().copied().unwrap_or_default();
            let is_even = owned.len() == members && most - fewest <= 1;
            is_even && gaps(&table) == 0 && self.shards.status().moving == 0
        };
        let share = format!("each of {members} owns its share");
        story.until(share, SOON, is_even).await?;
        story.say(picture::of(&self.shards.table()));
        Ok(())
    }
}

async fn restart(cluster: &mut Cluster, story: &mut Story, traffic: &Traffic) -> Outcome {
    story.step("w3 is restarted, as for a new version: it leaves in order, and comes again.");
    let had = picture::counts(&cluster.shards.table())["w3"];
    let _ = (cluster.onlooker.seen(), traffic.seen());
    let began = Instant::now();
    cluster.take("w3")?.stop().await?;
    let took = began.elapsed().as_secs_f64();
    let gone = async || cluster.shards.table().member("w3").is_none();
    story
        .until(format!("it has left, after {took:.1} s"), SOON, gone)
        .await?;
    story.say(picture::of(&cluster.shards.table()));
    cluster.start("w3")?;
    cluster.share_evenly(story, 5).await?;
    let (tables, gaps, moves) = cluster.onlooker.seen();
    story.see(
        format!("in none of {tables} tables had a shard no owner"),
        gaps == 0 && tables > 0,
    )?;
    story.see(
        format!("{moves} moves: {had} away from it, and its share back"),
        (had..=2 * had + 1).contains(&moves),
    )?;
    let (answered, in_vain, longest) = traffic.seen();
    story.see(
        format!(
            "all of {answered} requests were answered: {in_vain} at the second try, the slowest in {longest:?}"
        ),
        answered > 100 && longest < MOMENT,
    )
}

async fn kill(
    cluster: &mut Cluster,
    story: &mut Story,
    (traffic, callers): (Arc<Traffic>, Callers),
) -> Outcome {
    story.step(format!(
        "w4 is killed: it says nothing, so its lease has to end ({TTL:?})."
    ));
    let died = Instant::now();
    cluster.take("w4")?.kill().await?;
    let is_followed = async || {
        let table = cluster.shards.table();
        table.member("w4").is_none() && gaps(&table) == 0
    };
    story
        .until("what it had is owned again", SOON, is_followed)
        .await?;
    let took = died.elapsed();
    story.say(picture::of(&cluster.shards.table()));
    story.see("within its time to live and a moment", took <= TTL + MOMENT)?;
    traffic.end(callers).await?;
    let (answered, _, longest) = traffic.seen();
    story.see(
        format!("all of {answered} requests were answered, the slowest in {longest:?}, none by a former owner"),
        answered > 0 && longest < took + MOMENT,
    )
}

async fn end(mut cluster: Cluster, story: &mut Story) -> Outcome {
    story.step("All are told to stop, one after the other. The last gives to nobody what it has.");
    for (_, worker) in cluster.workers.drain(..) {
        worker.stop().await?;
    }
    let are_gone = async || cluster.shards.table().members().count() == 0;
    story.until("all have left", SOON, are_gone).await?;
    story.say(picture::of(&cluster.shards.table()));
    let (read, late) = cluster.audit.found();
    story.see(
        format!("{read} lines were written under tokens, none of them late"),
        read > 0 && late == 0,
    )?;
    cluster.stage.clear(&["", ENDING]).await
}
