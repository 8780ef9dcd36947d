//! Claims beside the map, on faulty ways to one memory log and on a paused clock: nodes that are cut off for longer than their
//! leases live, hosts that stand still, restores, and third parties that end what others have; and every check holds.
//!
//! `GLOBE_SEEDS=1000` makes it more, `GLOBE_SEED=7` replays one: each test lives through its share of the seeds.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod world;

use fastrand::Rng;
use globe_oracle::{
    CLAIM_KEYSPACES, ClaimDid, ClaimStep, Claimants, Claiming, Effect, History, Standing, judge,
};
use tokio::time::{Duration, advance, sleep, timeout};

use world::{BOUND, NODES, World, on_paused_time, seeds};

/// Seeds in the ordinary run. Each weather has its share of them.
const SEEDS: u64 = 48;

/// What happens in one of these runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Calm,
    /// One node is cut off.
    Cuts,
    /// The log is away from all.
    Outages,
    /// All stand still, and find that time has passed.
    Pauses,
    Restores,
    /// Third parties end claims and leases.
    Meddlers,
    /// What is allowed to a log goes wrong on the way to it.
    Faults,
    /// Of everything but pauses something, one after the other.
    All,
}

/// How many of them there are.
const WEATHERS: u64 = 8;

impl Weather {
    /// What comes now, and is over some time later.
    fn next(self, rng: &mut Rng) -> Weather {
        use Weather::{All, Cuts, Meddlers, Outages, Restores};
        match self {
            All => [Cuts, Cuts, Outages, Restores, Meddlers][rng.usize(..5)],
            weather => weather,
        }
    }

    fn has_faults(self) -> bool {
        matches!(self, Weather::Faults | Weather::All)
    }
}

/// One thing goes wrong, and is over.
async fn trouble(world: &World, weather: Weather, claimants: &Claimants, rng: &mut Rng) {
    let lasts = world.ttl.mul_f64(rng.f64() * 3.0);
    match weather.next(rng) {
        Weather::Cuts => {
            let node = rng.usize(..NODES);
            world.cut(node..node + 1, lasts).await;
        }
        Weather::Outages => world.cut(0..NODES, lasts).await,
        Weather::Pauses => {
            world.told.fault("the host stands still", Effect::Disturbs);
            claimants.look();
            advance(lasts).await;
            claimants.look();
        }
        Weather::Restores => world.restore(rng, lasts).await,
        Weather::Meddlers => {
            for _ in 0..rng.u8(1..6) {
                world.told.fault("a third party", Effect::Disturbs);
                claimants.meddle(&world.memory, rng).await.unwrap();
                sleep(lasts / 6).await;
            }
        }
        _ => sleep(lasts).await,
    }
}

fn claiming(seed: u64, ttl: Duration) -> Claiming {
    let mut rng = Rng::with_seed(seed);
    let mut claiming = Claiming {
        ttl,
        // Two sessions of one process share its maps.
        claimants: rng.usize(1..=2),
        names: rng.usize(1..=2),
        ..Claiming::light(seed)
    };
    claiming.limits.min_grants = 5;
    claiming.limits.min_looks = 20;
    claiming.limits.min_effects = 1;
    claiming
}

async fn run(seed: u64, weather: Weather) -> History {
    let world = World::begin(seed, weather.has_faults(), CLAIM_KEYSPACES, 2..5).await;
    let nodes = world.nodes().await;
    let workload = world.workload(weather == Weather::Pauses);
    let mut running = workload.start(&nodes, &world.told);
    let claiming = claiming(seed, world.ttl);
    let claimants = claiming.start(&world.logs, &world.told).await.unwrap();
    world.as_usual();
    let mut rng = Rng::with_seed(seed);
    let storm = async {
        loop {
            sleep(Duration::from_millis(rng.u64(1..3_000))).await;
            trouble(&world, weather, &claimants, &mut rng).await;
        }
    };
    tokio::select! {
        _ = timeout(BOUND, claimants.done()) => {}
        () = storm => {}
    }
    world.mend().await;
    running.done().await;
    claimants.finish(BOUND).await;
    running.finish(BOUND).await;
    assert!(
        world.truth.finish(BOUND).await,
        "the truth was heard to the end"
    );
    world.told.history()
}

fn runs(weather: Weather) {
    let (mut played, mut unsure) = (0, 0);
    for seed in seeds(SEEDS, (weather as u64, WEATHERS)) {
        let history = on_paused_time(run(seed, weather));
        played += 1;
        unsure += history.claim_steps().filter(|step| is_unsure(step)).count();
        judge(&history);
    }
    let is_calm = matches!(weather, Weather::Calm | Weather::Faults);
    assert!(
        is_calm || played < 3 || unsure > 0,
        "no guard was ever anything but held: that says nothing"
    );
}

/// A guard was seen to be suspended or lost.
fn is_unsure(step: &ClaimStep) -> bool {
    matches!(&step.did, ClaimDid::Seen(standing) if *standing != Standing::Live)
}

#[test]
fn every_check_holds_in_calm_weather() {
    runs(Weather::Calm);
}

#[test]
fn every_check_holds_though_nodes_are_cut_off() {
    runs(Weather::Cuts);
}

#[test]
fn every_check_holds_through_outages() {
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
fn every_check_holds_though_third_parties_meddle() {
    runs(Weather::Meddlers);
}

#[test]
fn every_check_holds_on_a_faulty_way() {
    runs(Weather::Faults);
}

#[test]
fn every_check_holds_in_all_weathers() {
    runs(Weather::All);
}
