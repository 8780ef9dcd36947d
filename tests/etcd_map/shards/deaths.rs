//! Whoever takes part in a move dies in each phase of it, behind a proxy of his own: it heals.
//!
//! Never waits for a phase to come about: steps are not answered, and requests or replies freeze, until somebody is dead.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use globe::shards::{Mode, OwnedShard, ShardMember, Step, Table, Worker};
use globe::{EtcdLog, Globe, Session, Shards};
use globe_test_support::{EtcdServer, EtcdVersion, Proxy, wait_until};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::history::{History, Journal};
use super::{BOUND, TTL};
use crate::node::within;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// The next one prepares.
    Preparing,
    /// It is ready, and that never arrives; or its answer does not.
    ReadyInVain,
    ReadyUnanswered,
    /// The owner stops.
    Draining,
    /// It has, and that never arrives; or its answer does not.
    DoneInVain,
    DoneUnanswered,
}

use Phase::{DoneInVain, DoneUnanswered, Draining, Preparing, ReadyInVain, ReadyUnanswered};

const PHASES: [Phase; 6] = [
    Preparing,
    ReadyInVain,
    ReadyUnanswered,
    Draining,
    DoneInVain,
    DoneUnanswered,
];

#[derive(Clone, Copy, Debug)]
enum Victim {
    Owner,
    Next,
    Planner,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// Its lease ends by itself.
    Crash,
    /// From the server, for longer than its lease lives; and back.
    CutOff,
    /// Of the worker alone: its session goes on.
    Stop,
}

/// A member behind a proxy of its own.
struct Member {
    proxy: Proxy,
    shards: Shards,
    _session: Session,
    steps: JoinHandle<()>,
    /// Whether its steps are not answered for now.
    holds: watch::Sender<bool>,
}

impl Member {
    async fn join(server: &EtcdServer, space: &str, mode: Mode, id: &'static str) -> Member {
        let proxy = Proxy::start(server.port()).await;
        let log = EtcdLog::connect([proxy.endpoint()]).await.unwrap();
        let builder = Shards::builder(log.clone(), space).slots(1).mode(mode);
        let opening = builder.settle(Duration::from_secs(2)).open();
        let shards = within("a table", opening).await.unwrap();
        let session = Session::builder(log).name(id).ttl(TTL).open();
        let session = within("a session", session).await.unwrap();
        let joining = shards.join(&session, ShardMember::new(id));
        let worker = within("a member", joining).await.unwrap();
        let holds = watch::Sender::new(false);
        let journal = Journal::of(server, space);
        let steps = tokio::spawn(serve(id, worker, holds.clone(), journal));
        Member {
            proxy,
            shards,
            _session: session,
            steps,
            holds,
        }
    }
}

/// Takes steps, and says again and again what it serves.
async fn serve(id: &'static str, mut worker: Worker, holds: watch::Sender<bool>, journal: Journal) {
    let mut owned: Option<OwnedShard> = None;
    let mut answers = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        let step = tokio::select! {
            step = worker.next() => step,
            _ = tick.tick() => {
                if let Some(shard) = &owned {
                    journal.serves(id, shard);
                }
                continue;
            }
        };
        let Some(step) = step else {
            return;
        };
        let mut held = holds.subscribe();
        match step {
            Step::Prepare(step) => drop(answers.spawn(async move {
                let _ = held.wait_for(|held| !held).await;
                let _ = step.done().await;
            })),
            Step::Own(shard) => owned = Some(shard),
            Step::Drain(step) => {
                owned = None;
                answers.spawn(async move {
                    let _ = held.wait_for(|held| !held).await;
                    let _ = step.done().await;
                });
            }
            _ => owned = None,
        }
    }
}

struct Scene {
    owner: Member,
    next: Member,
    planner: Member,
    witness: Member,
}

impl Scene {
    async fn new(server: &EtcdServer, space: &str, mode: Mode) -> Scene {
        let join = |id| Member::join(server, space, mode, id);
        // Who comes first plans.
        let planner = join("planner").await;
        let plans = || planner.shards.status().planner.as_deref() == Some("planner");
        wait_until("it plans", BOUND, || async { plans() }).await;
        let scene = Scene {
            owner: join("owner").await,
            next: join("next").await,
            witness: join("witness").await,
            planner,
        };
        scene.pin("owner").await;
        scene.is_settled("owner", 4).await;
        scene
    }

    fn everybody(&self) -> [&Member; 4] {
        [&self.owner, &self.next, &self.planner, &self.witness]
    }

    /// Whatever became of an attempt: once more is the same.
    async fn pin(&self, id: &str) {
        let shards = &self.witness.shards;
        let pins = || async { shards.pin(0, Some(id)).await.is_ok() };
        wait_until("pinned", BOUND, pins).await;
    }

    async fn is(&self, what: &str, is_so: impl Fn(&Table) -> bool) {
        let shards = &self.witness.shards;
        wait_until(what, BOUND, || async { is_so(&shards.table()) }).await;
    }

    /// The row is somebody's who is there, of so many, and moves no more.
    async fn is_settled(&self, id: &str, members: usize) {
        self.is("settled", |table| {
            let row = table.row(0, 0);
            table.members().count() == members
                && row.is_some_and(|row| {
                    let is_right = id.is_empty() || row.owner.id() == id;
                    let moves = row.next.is_some() || row.prev.is_some();
                    is_right && table.is_live(&row.owner) && !moves
                })
        })
        .await;
    }

    async fn reach(&self, phase: Phase) {
        for member in self.everybody() {
            member.holds.send_replace(true);
        }
        self.pin("next").await;
        let is_in = |phase: &'static str| {
            move |table: &Table| {
                let row = serde_json::to_value(&**table.row(0, 0).unwrap()).unwrap();
                row["phase"] == phase || (phase == "drain" && row.get("prev").is_some())
            }
        };
        self.is("preparing", is_in("prepare")).await;
        let is_next = matches!(phase, Preparing | ReadyInVain | ReadyUnanswered);
        let actor = if is_next { &self.next } else { &self.owner };
        if !is_next {
            self.next.holds.send_replace(false);
            self.is("draining", is_in("drain")).await;
        }
        // Whoever is asked was told.
        sleep(Duration::from_millis(100)).await;
        match phase {
            Preparing | Draining => return,
            ReadyInVain | DoneInVain => actor.proxy.freeze_requests(),
            ReadyUnanswered | DoneUnanswered => actor.proxy.freeze_replies(),
        }
        actor.holds.send_replace(false);
        sleep(Duration::from_millis(100)).await;
    }
}

async fn plays(
    server: &EtcdServer,
    space: String,
    mode: Mode,
    (phase, victim, death): (Phase, Victim, Death),
) {
    let scene = Scene::new(server, &space, mode).await;
    let log = EtcdLog::from_url(&server.url()).await.unwrap();
    let rows = Globe::open(log.clone(), &space).await.unwrap();
    let none = Globe::open(log, &format!("{space}-works")).await.unwrap();
    let history = History::of(&rows, &none);
    scene.reach(phase).await;
    let dead = match victim {
        Victim::Owner => &scene.owner,
        Victim::Next => &scene.next,
        Victim::Planner => &scene.planner,
    };
    if death != Death::CutOff {
        dead.steps.abort();
    }
    for member in scene.everybody() {
        member.holds.send_replace(false);
        member.proxy.heal();
    }
    if death != Death::Stop {
        dead.proxy.cut();
    }
    let members = if death == Death::CutOff { 4 } else { 3 };
    if death == Death::CutOff {
        scene.is_settled("", 3).await;
        dead.proxy.heal();
    }
    scene.is_settled("", members).await;
    within("all is seen", rows.sync()).await.unwrap();
    history.ends_sound().await;
    // The last line is of who owns it.
    let owner = scene
        .witness
        .shards
        .table()
        .row(0, 0)
        .unwrap()
        .owner
        .clone();
    let journal = Journal::of(server, &space);
    wait_until("it is served", BOUND, || async {
        journal.last().as_deref() == Some(owner.id())
    })
    .await;
    if mode == Mode::Strict {
        journal.is_sound();
    }
    std::fs::remove_file(&journal.0).unwrap();
}

/// Each on a table of its own, some at the same time.
async fn every_death(mode: Mode, victim: Victim) {
    let server = Arc::new(EtcdServer::start(EtcdVersion::Reference).await);
    let deaths = [Death::Crash, Death::CutOff, Death::Stop];
    let cases: Vec<_> = PHASES
        .iter()
        .flat_map(|phase| deaths.map(|death| (*phase, victim, death)))
        .collect();
    for (number, cases) in cases.chunks(6).enumerate() {
        let scenes = cases.iter().enumerate().map(|(at, case)| {
            let (server, case) = (Arc::clone(&server), *case);
            let space = format!("table-{number}-{at}");
            tokio::spawn(async move { plays(&server, space, mode, case).await })
        });
        for played in join_all(scenes).await {
            played.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_death_of_an_owner_heals() {
    every_death(Mode::Strict, Victim::Owner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_death_of_a_next_owner_heals() {
    every_death(Mode::Strict, Victim::Next).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_death_of_a_planner_heals() {
    every_death(Mode::Strict, Victim::Planner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_death_of_an_owner_that_is_followed_before_it_stops_heals() {
    every_death(Mode::Available, Victim::Owner).await;
}
