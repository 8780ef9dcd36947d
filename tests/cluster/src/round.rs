//! One round: a cluster, nodes at work on it, one scenario, and the verdict.
//!
//! It decides nothing about what is right: that is the oracle's.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use globe::{ErrorKind, EtcdLog};
use globe_oracle::checks::check_all;
use globe_oracle::{
    Action, Asked, ClaimLimits, Claiming, Effect, History, Limits, Op, Outcome, RecipeLimits,
    Recipes, Truth, Workload,
};
use globe_test_support::netns::Hosts;
use tokio::time::{Instant, sleep};

use crate::ear::Ears;
use crate::held::Held;
use crate::leg::Leg;
use crate::presence::Presence;
use crate::scenario::Scenario;
use crate::site::{PATIENT, Site, TTL, all_keyspaces};

/// How long everything is well before something is broken.
const BEFORE: Duration = Duration::from_secs(1);
/// And after it was mended, before whoever claims stops; the clients of the maps go on meanwhile, for a second or more.
const AFTER: Duration = Duration::from_secs(1);
/// Of a hundred operations, how many their callers give up when they take a while.
const IMPATIENT: u8 = 30;
/// How long the end may take, and until when every node must be live again.
const END: Duration = Duration::from_secs(30);
/// The same where snapshots are long: all maps may read one at once, and whoever then has to compare a whole keyspace
/// with an old server rests before and after.
const LONG_END: Duration = Duration::from_secs(90);

/// On each node, so many take and leave locks, shares, permits and terms,
const CLAIMANTS: usize = 2;
/// of so many names each. Processes of their own meet them at the first.
const NAMES: usize = 2;
/// How much longer than its lease something may stand: etcd looks for leases that have ended twice a second, and the machine is
/// busy with all members and nodes.
const OUTLIVED: Duration = Duration::from_secs(2);
/// The same where members elect a leader or start again, each time of which all leases live once more in full: no fault lasts
/// longer. What one election adds is bounded where a process is killed and the leader moves.
const PROLONGED: Duration = Duration::from_secs(40);

/// A round that was played.
#[derive(Debug)]
pub struct Played {
    /// What was done.
    pub scenario: &'static str,
    /// To which cluster.
    pub leg: &'static str,
    /// By which dice.
    pub seed: u64,
    /// How long it took.
    pub took: Duration,
    /// Operations that ended.
    pub operations: usize,
    /// Faults that were injected.
    pub faults: usize,
    /// Errors that the node was given that knows all members and has time for them.
    pub errors: usize,
    /// Writes whose fate was never known.
    pub unknown: usize,
    /// How often a map had to take a snapshot again.
    pub resyncs: u64,
    /// Everything that was wrong.
    pub wrong: Vec<String>,
    /// Where the history lies, if anything was wrong.
    pub history: Option<PathBuf>,
}

impl Played {
    fn new(scenario: &Scenario, leg: &Leg, seed: u64) -> Played {
        Played {
            scenario: scenario.name,
            leg: leg.name,
            seed,
            took: Duration::ZERO,
            operations: 0,
            faults: 0,
            errors: 0,
            unknown: 0,
            resyncs: 0,
            wrong: Vec::new(),
            history: None,
        }
    }
}

/// Plays a scenario on a leg. Whatever goes wrong is in the answer; nothing panics out of it.
///
/// `program` is this package's `globe-faults`, which plays processes of their own.
pub async fn play(
    scenario: &Scenario,
    leg: &Leg,
    hosts: Option<Arc<Hosts>>,
    program: &Path,
    seed: u64,
) -> Played {
    let began = Instant::now();
    let mut played = Played::new(scenario, leg, seed);
    if let Some(hosts) = &hosts {
        hosts.heal();
    }
    let run = AssertUnwindSafe(run(scenario, leg, hosts, program, seed));
    match run.catch_unwind().await {
        Ok((history, wrong)) => {
            played.wrong = wrong;
            judge(&mut played, scenario, &history);
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
            let text = text.unwrap_or_default();
            played.wrong.push(format!("the round broke off: {text}"));
        }
    }
    played.took = began.elapsed();
    played
}

/// Whoever tells the truth.
enum Witness {
    Members(Ears),
    Log(Truth),
}

async fn run(
    scenario: &Scenario,
    leg: &Leg,
    hosts: Option<Arc<Hosts>>,
    program: &Path,
    seed: u64,
) -> (History, Vec<String>) {
    let mut wrong = Vec::new();
    let mut site = Site::open(leg, hosts, seed).await;
    program.clone_into(&mut site.program);
    let recorder = site.recorder.clone();
    let before = Held::now();
    before.gauge(&recorder, site.under_way());
    let witness = witness(scenario, &mut site).await;
    let end = if leg.ballast > 0 { LONG_END } else { END };
    let presence = Presence::open(&mut site, scenario).await;
    let claiming = claiming(scenario, seed, end);
    let claimants = claiming.start(&site.logs, &recorder).await;
    site.claimants = Some(claimants.expect("sessions on a healthy cluster"));
    let players = recipes(scenario, seed).start(&site.logs, &recorder).await;
    let players = players.expect("tables on a healthy cluster");
    let running = workload(seed, end).start(&site.nodes, &recorder);
    sleep(BEFORE).await;
    let injected = AssertUnwindSafe((scenario.inject)(&mut site));
    if let Err(panic) = injected.catch_unwind().await {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        wrong.push(format!("the scenario failed: {text}"));
    }
    site.heal().await;
    recorder.fault("everything is mended", Effect::HealsAll);
    sleep(AFTER).await;
    let claimants = site.claimants.take().expect("they are played");
    let (told, (), ()) = tokio::join!(
        presence.finish(end),
        claimants.finish(end),
        players.finish(end)
    );
    wrong.extend(told);
    running.finish(end).await;
    let ballast = site.ballast.as_ref();
    wrong.extend(ballast.map_or(vec![], |it| it.missing(&site.nodes)));
    match witness {
        Witness::Members(ears) => {
            let deaf = ears.finish(END).await;
            if deaf > 0 {
                wrong.push(format!("{deaf} members did not tell the whole truth"));
            }
        }
        Witness::Log(truth) => {
            if !truth.finish(END).await {
                wrong.push("the log did not tell the whole truth".to_owned());
            }
        }
    }
    let held = Held::settled(before, site.under_way()).await;
    held.gauge(&recorder, site.under_way());
    (recorder.history(), wrong)
}

async fn witness(scenario: &Scenario, site: &mut Site) -> Witness {
    let sources = site.sources();
    if scenario.rewrites_history {
        let log = EtcdLog::connect([site.cluster[0].endpoint()]).await;
        let log = log.expect("good settings");
        let truth = Truth::listen(log, "the log", &all_keyspaces(), &site.recorder).await;
        return Witness::Log(truth.expect("the truth of a healthy log"));
    }
    let epoch = site.nodes[0].first.position().unwrap_or_default().epoch;
    Witness::Members(Ears::listen(sources, &all_keyspaces(), epoch, &site.recorder).await)
}

fn workload(seed: u64, end: Duration) -> Workload {
    Workload {
        limits: Limits {
            // Promised are 2 s; a busy machine is given some more here, and held to them where they are measured.
            detection_micros: 3_000_000,
            heal_micros: end.as_micros().try_into().unwrap_or(u64::MAX),
            watch_micros: 3_000_000,
            slack_micros: 20_000,
            min_writes: 40,
            min_samples: 100,
            min_deliveries: 50,
            min_faults: 1,
        },
        impatient: IMPATIENT,
        ..Workload::heavy(seed)
    }
}

/// Locks, shares, permits and terms beside the map's clients.
fn claiming(scenario: &Scenario, seed: u64, end: Duration) -> Claiming {
    let micros = |time: Duration| time.as_micros().try_into().unwrap_or(u64::MAX);
    Claiming {
        claimants: CLAIMANTS,
        ttl: TTL,
        names: NAMES,
        limits: ClaimLimits {
            outlive_micros: micros(outlived(scenario)),
            settle_micros: micros(end),
            lag_micros: 1_000_000,
            // When the log went into another life, nobody is let in for a time of a lease; and a busy machine plays less.
            min_grants: 5,
            min_looks: 30,
            min_losses: 0,
            min_effects: 3,
        },
        ..Claiming::heavy(seed)
    }
}

/// How much longer than its lease something may stand.
fn outlived(scenario: &Scenario) -> Duration {
    match scenario.prolongs_leases {
        true => PROLONGED,
        false => OUTLIVED,
    }
}

/// Shard tables, a registry and a setting beside them.
fn recipes(scenario: &Scenario, seed: u64) -> Recipes {
    let outlived = outlived(scenario).as_micros();
    Recipes {
        ttl: TTL,
        limits: RecipeLimits {
            outlive_micros: outlived.try_into().unwrap_or(u64::MAX),
            min_served: 20,
            min_writes: 3,
            min_listed: 3,
            min_published: 1,
        },
        ..Recipes::heavy(seed)
    }
}

fn judge(played: &mut Played, scenario: &Scenario, history: &History) {
    let violations = check_all(history);
    played
        .wrong
        .extend(violations.iter().map(ToString::to_string));
    played.operations = history.ops().filter(|op| op.ret.is_some()).count();
    let is_fault = |effect| !matches!(effect, Effect::HealsAll | Effect::Reconnects(_));
    played.faults = history
        .faults()
        .filter(|fault| is_fault(fault.effect))
        .count();
    let failed: Vec<_> = history
        .ops()
        .filter(|op| usize::try_from(op.node) == Ok(PATIENT) && is_failure(op))
        .collect();
    played.errors = failed.len();
    let is_unknown = |outcome: &Outcome| matches!(outcome, Outcome::Indeterminate);
    played.unknown = history.ops().filter(|op| is_unknown(&op.outcome)).count();
    played.resyncs = resyncs(history);
    if scenario.is_seamless {
        let told = failed.iter().take(5);
        let told = told.map(|op| {
            let took = op.ret.map_or(0, |ret| ret.micros - op.call.micros);
            format!(
                "not seamless: {:?} ended after {took} µs as {:?}",
                op.action, op.outcome
            )
        });
        played.wrong.extend(told);
    }
    if !played.wrong.is_empty() {
        played.history = save(played, history);
    }
}

/// By all maps together, as each said it last.
fn resyncs(history: &History) -> u64 {
    let healths = history.healths();
    let last: HashMap<_, u64> = healths
        .map(|health| ((health.node, &health.keyspace), health.resyncs))
        .collect();
    last.values().sum()
}

/// Whether a user would call it one. A view no older than a moment may not be had, and then says so; and clients of the oracle
/// write under what they have let go, to see that refused.
fn is_failure(op: &Op) -> bool {
    let is_strict = matches!(op.action, Action::ViewAt(_, Asked::Within(_)));
    let not_held = ErrorKind::NotHeld.to_string();
    match &op.outcome {
        Outcome::Refused(why) => !is_strict && *why != not_held,
        Outcome::Indeterminate | Outcome::Behind(_) => true,
        _ => false,
    }
}

fn save(played: &Played, history: &History) -> Option<PathBuf> {
    let folder = std::env::var_os("GLOBE_HISTORIES").map_or_else(std::env::temp_dir, PathBuf::from);
    let name = played
        .scenario
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let path = folder.join(format!("globe-{name}-{}.jsonl", played.seed));
    history.save(&path).ok().map(|()| path)
}
