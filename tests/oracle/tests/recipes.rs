//! Shard tables, a registry and a setting beside the map, on faulty ways to one memory log and on a paused clock: processes that
//! come, leave, are killed and cut off, nodes that are cut off, a log that is away or restored, hosts that stand still; and every
//! check holds.
//!
//! `GLOBE_SEEDS=1000` makes it more, `GLOBE_SEED=7` replays one: each test lives through its share of the seeds.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use std::collections::BTreeSet;

use fastrand::Rng;
use globe_oracle::checks::{Violation, check_all, deaths};
use globe_oracle::{
    Effect, History, LifeDid, RECIPE_KEYSPACES, RecipeLimits, Recipes, Recorder, judge,
};
use tokio::time::{Duration, advance, sleep, timeout};

use world::{BOUND, NODES, World, first_seed, on_paused_time, seeds};

/// Seeds in the ordinary run. Each weather has its share of them.
const SEEDS: u64 = 12;

/// What happens in one of these runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    /// One node is cut off.
    Cuts,
    /// The log is away, and no lease ends meanwhile.
    Outages,
    /// All stand still, and find that time has passed.
    Pauses,
    Restores,
    /// What is allowed to a log goes wrong on the way to it.
    Faults,
    /// Of cuts, restores and faults something, one after the other.
    All,
    /// Nothing, but what processes do to themselves.
    Calm,
}

/// How many of them the seeds are shared by: all but the calm one.
const WEATHERS: u64 = 6;

impl Weather {
    /// What comes now, and is over some time later.
    fn next(self, rng: &mut Rng) -> Weather {
        use Weather::{All, Cuts, Restores};
        match self {
            All => [Cuts, Cuts, Restores][rng.usize(..3)],
            weather => weather,
        }
    }

    fn has_faults(self) -> bool {
        matches!(self, Weather::Faults | Weather::All)
    }
}

/// One thing goes wrong, and is over.
async fn trouble(world: &World, weather: Weather, rng: &mut Rng) {
    let lasts = world.ttl.mul_f64(rng.f64() * 3.0);
    match weather.next(rng) {
        Weather::Cuts => {
            let node = rng.usize(..NODES);
            world.cut(node..node + 1, lasts).await;
        }
        Weather::Outages => world.cut(0..NODES, lasts).await,
        Weather::Pauses => {
            world.told.fault("the host stands still", Effect::Disturbs);
            advance(lasts).await;
        }
        Weather::Restores => world.restore(rng, lasts).await,
        _ => sleep(lasts).await,
    }
}

async fn begin(seed: u64, weather: Weather) -> World {
    World::begin(seed, weather.has_faults(), RECIPE_KEYSPACES, 2..4).await
}

fn recipes(seed: u64, weather: Weather, ttl: Duration) -> Recipes {
    let is_steady = weather == Weather::Outages;
    let mut recipes = Recipes {
        ttl,
        cuts: !is_steady,
        kills: !is_steady,
        // Longer than any outage lasts.
        lengthens: if is_steady { 6 } else { 1 },
        ..Recipes::light(seed)
    };
    recipes.limits.min_served = 20;
    recipes.limits.min_writes = 5;
    recipes.limits.min_listed = 5;
    if weather == Weather::Pauses {
        // The log stands still as well.
        recipes.limits.outlive_micros += 3 * u64::try_from(ttl.as_micros()).unwrap();
    }
    recipes
}

async fn run(seed: u64, weather: Weather) -> History {
    let world = begin(seed, weather).await;
    let nodes = world.nodes().await;
    let workload = world.workload(weather == Weather::Pauses);
    let mut running = workload.start(&nodes, &world.told);
    let recipes = recipes(seed, weather, world.ttl);
    let players = recipes.start(&world.logs, &world.told).await.unwrap();
    world.as_usual();
    let mut rng = Rng::with_seed(seed);
    let storm = async {
        loop {
            sleep(Duration::from_millis(rng.u64(1..3_000))).await;
            trouble(&world, weather, &mut rng).await;
        }
    };
    tokio::select! {
        _ = timeout(BOUND, players.done()) => {}
        () = storm => {}
    }
    world.mend().await;
    running.done().await;
    players.finish(BOUND).await;
    running.finish(BOUND).await;
    assert!(
        world.truth.finish(BOUND).await,
        "the truth was heard to the end"
    );
    world.told.history()
}

fn runs(weather: Weather) {
    let (mut played, mut killed) = (0, 0);
    for seed in seeds(SEEDS, (weather as u64, WEATHERS)) {
        let history = on_paused_time(run(seed, weather));
        played += 1;
        let steps = history.life_steps();
        killed += steps.filter(|step| step.did == LifeDid::Killed).count();
        judge(&history);
    }
    let is_steady = weather == Weather::Outages;
    assert!(
        is_steady || played < 3 || killed > 0,
        "nobody was killed: that says nothing"
    );
}

/// In so many seeds everybody has died in every phase; in fewer, most of the time.
const ENOUGH: u64 = 40;

/// Who may die in which phase.
const DEATHS: [&str; 16] = [
    "strict: owner, settled",
    "strict: owner, prepare",
    "strict: owner, drain",
    "strict: next, prepare",
    "strict: next, drain",
    "strict: planner, settled",
    "strict: planner, prepare",
    "strict: planner, drain",
    "available: owner, settled",
    "available: owner, prepare",
    "available: owner, leaving",
    "available: next, prepare",
    "available: prev, leaving",
    "available: planner, settled",
    "available: planner, prepare",
    "available: planner, leaving",
];

#[test]
fn every_check_holds_whoever_dies_in_whichever_phase() {
    let mut missing: BTreeSet<&str> = DEATHS.into_iter().collect();
    let first = first_seed().unwrap_or(0);
    for seed in first..first + ENOUGH {
        let history = on_paused_time(run(seed, Weather::Calm));
        judge(&history);
        let seen = deaths(&history);
        missing.retain(|death| !seen.contains(*death));
        if missing.is_empty() {
            return;
        }
    }
    panic!("nobody was seen to die as {missing:?}");
}

/// What was done to rows and members of tables, and to members of services.
fn moves(told: &Recorder) -> Vec<String> {
    let history = told.history();
    let looked_at = |keyspace: &str| keyspace.ends_with("shards") || keyspace == "services";
    let moved = history.truths().filter(|truth| looked_at(&truth.keyspace));
    let keys = moved.flat_map(|truth| truth.changes.clone());
    keys.map(|(key, stored)| format!("{key} {stored:?}"))
        .collect()
}

/// Four times as long as what is served strictly may be without its log.
#[test]
fn while_the_log_is_away_nothing_moves_and_afterwards_all_is_served_again() {
    on_paused_time(async {
        let world = begin(1, Weather::Outages).await;
        let limits = RecipeLimits {
            min_writes: 0,
            min_published: 0,
            ..RecipeLimits::default()
        };
        // Everybody comes to stay.
        let recipes = Recipes {
            lives: 0,
            limits,
            ..recipes(1, Weather::Outages, world.ttl)
        };
        let players = recipes.start(&world.logs, &world.told).await.unwrap();
        assert!(players.quiet(BOUND).await, "it never came to rest");
        let before = moves(&world.told);
        world.memory.set_available(false);
        sleep(world.ttl * 4).await;
        world.memory.set_available(true);
        sleep(world.ttl * 4).await;
        assert!(
            !before.is_empty() && moves(&world.told) == before,
            "something moved"
        );
        players.finish(BOUND).await;
        assert!(world.truth.finish(BOUND).await, "the truth was heard");
        let found = check_all(&world.told.history());
        // No map was played beside.
        let found = found
            .iter()
            .filter(|it| !["enough", "liveness"].contains(&it.check));
        assert_eq!(found.collect::<Vec<_>>(), Vec::<&Violation>::new());
    });
}

#[test]
fn every_check_holds_though_nodes_are_cut_off() {
    runs(Weather::Cuts);
}

#[test]
fn every_check_holds_while_the_log_is_away_and_nobody_is_taken_for_dead() {
    runs(Weather::Outages);
}

#[test]
fn every_check_holds_though_all_stand_still() {
    runs(Weather::Pauses);
}

#[test]
fn every_check_holds_though_the_log_is_restored() {
    runs(Weather::Restores);
}

#[test]
fn every_check_holds_on_a_faulty_way() {
    runs(Weather::Faults);
}

#[test]
fn every_check_holds_in_all_weathers() {
    runs(Weather::All);
}
