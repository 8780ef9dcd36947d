//! Shard tables, a registry and a setting beside the map, on faulty ways to one memory log and on a paused clock: processes that
//! come, leave, are killed and cut off, nodes that are cut off, a log that is away or restored, hosts that stand still; and every
//! check holds.
//!
//! `GLOBE_SEEDS=1000` makes it more, `GLOBE_SEED=7` replays one: each test lives through its share of the seeds.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;

use fastrand::Rng;
use globe::{Globe, MemoryLog};
use globe_faulty::{Fault, Faults, FaultyLog};
use globe_oracle::checks::{Violation, check_all, deaths};
use globe_oracle::{
    Effect, History, KEYSPACES, LifeDid, Node, Players, RECIPE_KEYSPACES, RecipeLimits, Recipes,
    Recorder, Truth, Workload, judge,
};
use tokio::time::{Duration, advance, sleep, timeout};

/// Seeds in the ordinary run. Each weather has its share of them.
const SEEDS: u64 = 12;

/// The longest a run may take in its own time.
const BOUND: Duration = Duration::from_secs(300);

/// How long after the last fault a commit may still be on its way, and a bit.
const AFTERMATH: Duration = Duration::from_secs(5);

const NODES: usize = 3;

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

/// Neither to the log nor from it.
fn nothing_passes() -> Faults {
    Faults::none()
        .with(Fault::Refuse, 1.0)
        .with(Fault::CutTail, 1.0)
}

struct World {
    seed: u64,
    weather: Weather,
    memory: MemoryLog,
    logs: Vec<FaultyLog>,
    truth: Truth,
    told: Recorder,
    ttl: Duration,
}

impl World {
    async fn begin(seed: u64, weather: Weather) -> World {
        // The jitter of maps and sessions is drawn from the generator of this thread.
        fastrand::seed(seed);
        let memory = MemoryLog::builder().page_size(3).build();
        let told = Recorder::new();
        let keyspaces: Vec<&str> = KEYSPACES.into_iter().chain(RECIPE_KEYSPACES).collect();
        let truth = Truth::listen(memory.clone(), "log", &keyspaces, &told);
        let log = |number: usize| {
            let log = FaultyLog::builder(memory.clone())
                .seed(seed * 10 + u64::try_from(number).unwrap())
                .faults(Faults::none());
            let told = told.clone();
            log.on_fault(move |fault| told.fault(fault.to_string(), Effect::Disturbs))
                .build()
        };
        World {
            seed,
            weather,
            logs: (0..NODES).map(log).collect(),
            truth: truth.await.unwrap(),
            told,
            memory,
            ttl: Duration::from_millis(Rng::with_seed(seed).u64(2_000..4_000)),
        }
    }

    /// What a healthy node's way to the log is like in this weather.
    fn usual(&self) -> Faults {
        match self.weather.has_faults() {
            false => Faults::none(),
            true => Faults::legal()
                .with(Fault::Compact, 0.0)
                .with(Fault::LandLate, 0.0)
                .silence(Duration::from_secs(3)),
        }
    }

    /// One thing goes wrong, and is over.
    async fn trouble(&self, rng: &mut Rng) {
        let lasts = self.ttl.mul_f64(rng.f64() * 3.0);
        match self.weather.next(rng) {
            Weather::Cuts => {
                let node = rng.usize(..NODES);
                self.cut(&[node], lasts).await;
            }
            Weather::Outages => {
                let nodes: Vec<usize> = (0..NODES).collect();
                self.cut(&nodes, lasts).await;
            }
            Weather::Pauses => {
                self.told.fault("the host stands still", Effect::Disturbs);
                advance(lasts).await;
            }
            Weather::Restores => {
                let backup = self.memory.backup();
                sleep(lasts / 2).await;
                // Who serves, and is cut off meanwhile, learns of it only by its clock.
                let cut = self.logs.get(rng.usize(..NODES * 2));
                cut.inspect(|log| log.set_faults(nothing_passes()));
                self.told.fault("the log is restored", Effect::Disturbs);
                self.truth.drain();
                self.memory.restore(&backup);
                sleep(lasts / 2).await;
                cut.inspect(|log| log.set_faults(self.usual()));
            }
            _ => sleep(lasts).await,
        }
    }

    /// Nothing gets through from these nodes, nor to them.
    async fn cut(&self, nodes: &[usize], lasts: Duration) {
        self.told
            .fault(format!("nodes {nodes:?} are cut off"), Effect::Disturbs);
        for node in nodes {
            self.logs[*node].set_faults(nothing_passes());
        }
        sleep(lasts).await;
        for node in nodes {
            self.logs[*node].set_faults(self.usual());
        }
    }

    async fn node(&self, log: &FaultyLog) -> Node {
        Node {
            first: Globe::open(log.clone(), KEYSPACES[0]).await.unwrap(),
            second: Globe::open(log.clone(), KEYSPACES[1]).await.unwrap(),
        }
    }

    fn recipes(&self) -> Recipes {
        let is_steady = self.weather == Weather::Outages;
        let mut recipes = Recipes {
            ttl: self.ttl,
            cuts: !is_steady,
            kills: !is_steady,
            // Longer than any outage lasts.
            lengthens: if is_steady { 6 } else { 1 },
            ..Recipes::light(self.seed)
        };
        recipes.limits.min_served = 20;
        recipes.limits.min_writes = 5;
        recipes.limits.min_listed = 5;
        if self.weather == Weather::Pauses {
            // The log stands still as well.
            recipes.limits.outlive_micros += 3 * u64::try_from(self.ttl.as_micros()).unwrap();
        }
        recipes
    }

    /// The clients of the map beside. A host that stands still is no fault that their watches are judged by.
    fn workload(&self) -> Workload {
        let mut workload = Workload::light(self.seed);
        if self.weather == Weather::Pauses {
            workload.limits.watch_micros = u64::MAX;
            workload.limits.detection_micros = u64::MAX / 2;
        }
        workload
    }
}

async fn run(seed: u64, weather: Weather) -> History {
    let world = World::begin(seed, weather).await;
    let mut nodes = Vec::new();
    for log in &world.logs {
        nodes.push(world.node(log).await);
    }
    let mut running = world.workload().start(&nodes, &world.told);
    let players: Players = world
        .recipes()
        .start(&world.logs, &world.told)
        .await
        .unwrap();
    world
        .logs
        .iter()
        .for_each(|log| log.set_faults(world.usual()));
    let mut rng = Rng::with_seed(seed);
    let storm = async {
        loop {
            sleep(Duration::from_millis(rng.u64(1..3_000))).await;
            world.trouble(&mut rng).await;
        }
    };
    tokio::select! {
        _ = timeout(BOUND, players.done()) => {}
        () = storm => {}
    }
    world.logs.iter().for_each(FaultyLog::heal);
    sleep(AFTERMATH).await;
    world.told.fault("all is mended", Effect::HealsAll);
    running.done().await;
    players.finish(BOUND).await;
    running.finish(BOUND).await;
    assert!(
        world.truth.finish(BOUND).await,
        "the truth was heard to the end"
    );
    world.told.history()
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn on_paused_time<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(what)
}

fn runs(weather: Weather) {
    let seeds = match setting("GLOBE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("GLOBE_SEEDS").unwrap_or(SEEDS),
    };
    let share = weather as u64;
    let (mut played, mut killed) = (0, 0);
    for seed in seeds.filter(|seed| seed % WEATHERS == share) {
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
    let first = setting("GLOBE_SEED").unwrap_or(0);
    for seed in first..first + ENOUGH {
        let history = on_paused_time(run(seed, Weather::Calm));
        judge(&history);
        let seen = deaths(&history);
        eprintln!("{seed} {seen:?}");
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
        let world = World::begin(1, Weather::Outages).await;
        let limits = RecipeLimits {
            min_writes: 0,
            min_published: 0,
            ..RecipeLimits::default()
        };
        // Everybody comes to stay.
        let recipes = Recipes {
            lives: 0,
            limits,
            ..world.recipes()
        };
        let players = recipes.start(&world.logs, &world.told).await.unwrap();
        assert!(players.quiet(BOUND).await, "it never came to rest");
        let before = moves(&world.told);
        world.memory.set_available(false);
        sleep(world.ttl * 4).await;
        world.memory.set_available(true);
        sleep(world.ttl * 4).await;
        assert!(
            before > 0 && moves(&world.told) == before,
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
