//! Whoever takes part in a move dies in each phase of it: it heals.
//!
//! Each move is brought exactly there first: by steps that are not answered, commits that are held, lost or not answered, and
//! tails that bring nothing.

use std::time::Duration;

use globe::shards::Mode;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Held, Node, Onlooker, TTL, is_settled};
use crate::rig::until;

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// It is decided, and the planner's commit is on its way.
    Decided,
    /// The same, and it never arrives.
    DecidedInVain,
    /// It is committed that the next one is to prepare, and nobody has seen it.
    Prepared,
    /// The next one prepares.
    Preparing,
    /// It is ready, and its commit is on its way.
    Ready,
    ReadyInVain,
    /// That has landed, and is not answered.
    ReadyUnanswered,
    /// And nobody has seen it.
    ReadyUnseen,
    /// The owner stops.
    Draining,
    /// It has, and its commit is on its way.
    Done,
    DoneInVain,
    DoneUnanswered,
    /// The next one owns it, and nobody has seen it: neither has begun, nor dropped it.
    DoneUnseen,
}

use Phase::{
    Decided, DecidedInVain, Done, DoneInVain, DoneUnanswered, DoneUnseen, Draining, Prepared,
    Preparing, Ready, ReadyInVain, ReadyUnanswered, ReadyUnseen,
};

const PHASES: [Phase; 13] = [
    Decided,
    DecidedInVain,
    Prepared,
    Preparing,
    Ready,
    ReadyInVain,
    ReadyUnanswered,
    ReadyUnseen,
    Draining,
    Done,
    DoneInVain,
    DoneUnanswered,
    DoneUnseen,
];

#[derive(Clone, Copy, Debug)]
enum Victim {
    Owner,
    Next,
    Planner,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// Of the process: its lease ends by itself.
    Crash,
    /// From the log, for longer than its lease lives; and back.
    CutOff,
    /// Of the worker alone: its session goes on.
    Stop,
}

/// How long after the death all else goes on: at once, or when the lease has ended.
const AFTER: [Duration; 2] = [Duration::from_millis(10), TTL.saturating_mul(2)];

/// How long it takes at most to be as before, after the dead is gone or back: a write waits as long for an answer that is lost,
/// and is tried again after a pause.
const SLOWEST: Duration = Duration::from_secs(15);

/// The row is the owner's, and on its way to the next one; another plans, and another looks on.
struct Scene {
    cluster: Cluster,
    owner: Node,
    next: Node,
    planner: Node,
    witness: Node,
}

impl Scene {
    async fn new(mode: Mode) -> Scene {
        let cluster = Cluster::new(1, mode);
        // Who comes first plans.
        let planner = cluster.join("planner").await;
        planner.settled(1).await;
        let scene = Scene {
            owner: cluster.join("owner").await,
            next: cluster.join("next").await,
            witness: cluster.join("witness").await,
            planner,
            cluster,
        };
        scene.pin("owner").await;
        let is_there = |table: &globe::shards::Table| {
            is_settled(table, 4) && table.row(0, 0).unwrap().owner.id() == "owner"
        };
        scene.witness.wait_for("at its owner", is_there).await;
        until("it is served", || {
            scene.cluster.journal.serving("owner") == 1
        })
        .await;
        scene
    }

    async fn pin(&self, id: &str) {
        self.witness.shards.pin(0, Some(id)).await.unwrap();
    }

    fn everybody(&self) -> [&Node; 4] {
        [&self.owner, &self.next, &self.planner, &self.witness]
    }

    /// Who makes the commit that leads to a phase, or out of it.
    fn acts(&self, phase: Phase) -> &Node {
        match phase {
            Decided | DecidedInVain | Prepared => &self.planner,
            Preparing | Ready | ReadyInVain | ReadyUnanswered | ReadyUnseen => &self.next,
            Draining | Done | DoneInVain | DoneUnanswered | DoneUnseen => &self.owner,
        }
    }

    /// Brings the move to a phase.
    async fn reach(&self, phase: Phase) {
        let held = Held {
            prepare: true,
            drain: true,
        };
        for node in self.everybody() {
            node.held.send_replace(held);
        }
        let actor = self.acts(phase);
        if actor.id != "planner" {
            self.pin("next").await;
            self.is_in("prepare", actor).await;
        }
        if actor.id == "owner" {
            self.next.held.send_replace(Held::default());
            self.is_in("drain", actor).await;
        }
        if matches!(phase, Preparing | Draining) {
            return;
        }
        let before = actor.way.calls().commits;
        let (log, (landed, lands)) = (
            self.cluster.log.clone(),
            tokio::sync::oneshot::channel::<()>(),
        );
        let is_unseen = matches!(phase, Prepared | ReadyUnseen | DoneUnseen);
        match phase {
            Decided | Ready | Done => actor.way.hold_requests(true),
            DecidedInVain | ReadyInVain | DoneInVain => actor.way.lose_requests(true),
            ReadyUnanswered | DoneUnanswered => actor.way.hold_replies(true),
            _ => actor
                .way
                .before_the_next_commit(move || log.hold_tails(true)),
        }
        actor.way.after_the_next_commit(move || drop(landed));
        actor.held.send_replace(Held::default());
        if actor.id == "planner" {
            self.pin("next").await;
        }
        match is_unseen || matches!(phase, ReadyUnanswered | DoneUnanswered) {
            true => drop(lands.await),
            false => {
                until("it commits", || actor.way.calls().commits > before).await;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }

    /// Waits until the row says so, and whoever it asks was told.
    async fn is_in(&self, phase: &str, who: &Node) {
        let says = |table: &globe::shards::Table| {
            let row = serde_json::to_value(&**table.row(0, 0).unwrap()).unwrap();
            row["phase"] == phase || (phase == "drain" && row.get("prev").is_some())
        };
        who.wait_for(phase, says).await;
        sleep(Duration::from_millis(20)).await;
    }

    /// All that was held goes on.
    fn go_on(&self) {
        self.cluster.log.hold_tails(false);
        for node in self.everybody() {
            node.held.send_replace(Held::default());
            node.way.lose_requests(false);
            node.way.hold_requests(false);
            node.way.hold_replies(false);
        }
    }

    async fn heals(&self, members: usize) {
        let table = self
            .witness
            .wait_for("healed", |table| is_settled(table, members))
            .await;
        let owner = table.row(0, 0).unwrap().owner.id();
        let journal = &self.cluster.journal;
        until("it is served where it is owned, and nowhere else", || {
            self.everybody()
                .iter()
                .all(|node| journal.serving(&node.id) == usize::from(node.id == owner))
        })
        .await;
    }
}

async fn plays(mode: Mode, phase: Phase, victim: Victim, death: Death, after: Duration) {
    let scene = Scene::new(mode).await;
    let onlooker = Onlooker::new(&scene.cluster).await;
    scene.reach(phase).await;
    let dead = match victim {
        Victim::Owner => &scene.owner,
        Victim::Next => &scene.next,
        Victim::Planner => &scene.planner,
    };
    let died = Instant::now();
    if death != Death::Stop {
        dead.way.cut(true);
    }
    if death != Death::CutOff {
        dead.steps.abort();
        scene.cluster.journal.forget(&dead.id);
    }
    sleep(after).await;
    scene.go_on();
    if death == Death::CutOff {
        sleep(TTL * 3 - after).await;
        dead.way.cut(false);
    }
    let members = if death == Death::CutOff { 4 } else { 3 };
    scene.heals(members).await;
    let took = died.elapsed();
    assert!(took <= TTL * 3 + SLOWEST, "{took:?}");
    // Nothing of it comes after that.
    sleep(TTL * 10).await;
    scene.heals(members).await;
    // Its owner hands it over without a look at whether the next one is still there.
    let may_be_given = usize::from(matches!(victim, Victim::Next));
    assert!(onlooker.seen().await.unowned <= may_be_given);
}

/// Each in a runtime of its own, so that nothing is left of those before.
fn every_death(mode: Mode, victim: Victim) {
    for phase in PHASES {
        for death in [Death::Crash, Death::CutOff, Death::Stop] {
            for after in AFTER {
                println!("{mode:?} {victim:?} {phase:?} {death:?} {after:?}");
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .start_paused(true)
                    .build();
                let runtime = runtime.unwrap();
                runtime.block_on(plays(mode, phase, victim, death, after));
            }
        }
    }
}

#[test]
fn every_death_of_an_owner_in_every_phase_heals() {
    every_death(Mode::Strict, Victim::Owner);
    every_death(Mode::Available, Victim::Owner);
}

#[test]
fn every_death_of_a_next_owner_in_every_phase_heals() {
    every_death(Mode::Strict, Victim::Next);
    every_death(Mode::Available, Victim::Next);
}

#[test]
fn every_death_of_a_planner_in_every_phase_heals() {
    every_death(Mode::Strict, Victim::Planner);
    every_death(Mode::Available, Victim::Planner);
}
