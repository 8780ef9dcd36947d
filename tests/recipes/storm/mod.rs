//! Recipes in storms: processes on faulty ways to one log, which are cut off for longer than their leases live, with restores in
//! every third seed where a recipe promises something across them, on a paused clock.
//!
//! `GLOBE_SEEDS=1000` makes it more, `GLOBE_SEED=7` replays one.

mod counts;
mod doubles;
mod elections;
mod gates;
mod locks;

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use futures::future::join_all;
use globe::{Claims, MemoryLog, Session};
use globe_faulty::{Fault, Faults, FaultyLog};
use tokio::time::sleep;

use crate::rig::{Around, open};
use crate::{SECOND, TTL};

const SEEDS: u64 = 16;
const STORM: Duration = Duration::from_secs(120);

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Lives through the storm of each seed; what came of each.
#[expect(clippy::print_stdout, reason = "a storm that fails says by which seed")]
fn storms<T, F: Future<Output = T>>(storm: impl Fn(u64) -> F) -> Vec<T> {
    let seeds = match setting("GLOBE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("GLOBE_SEEDS").unwrap_or(SEEDS),
    };
    let live = |seed| {
        println!("seed {seed}");
        // Sessions and logs draw their numbers as well.
        fastrand::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(storm(seed))
    };
    seeds.map(live).collect()
}

/// What the contract allows, but for compactions, and in every third seed restores.
fn faults(seed: u64) -> Faults {
    match seed % 3 {
        2 => without_restores()
            .with(Fault::Backup, 0.02)
            .with(Fault::Restore, 0.005),
        _ => without_restores(),
    }
}

fn without_restores() -> Faults {
    Faults::legal().with(Fault::Compact, 0.0)
}

/// One process on a way of its own, on which nothing goes wrong yet.
struct Process {
    way: Around,
    log: FaultyLog,
    session: Session,
    claims: Claims,
    rng: Rng,
}

impl Process {
    async fn new(log: &MemoryLog, seed: u64, number: u64) -> Process {
        let way = Around::new(log);
        let faulty = FaultyLog::builder(way.clone())
            .seed(seed * 100 + number)
            .operator(log.clone())
            .faults(Faults::none())
            .build();
        let session = Session::builder(faulty.clone())
            .name(format!("{number}"))
            .ttl(TTL);
        Process {
            session: session.open().await.unwrap(),
            claims: open(&faulty, "claims").await,
            way,
            log: faulty,
            rng: Rng::with_seed(seed * 1000 + number),
        }
    }

    /// Some time, of up to so many milliseconds.
    fn time(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.rng.u64(1..most))
    }

    /// For a time that its lease may or may not outlive.
    async fn cut_off(&mut self) {
        self.way.cut(true);
        sleep(self.time(25_000)).await;
        self.way.cut(false);
    }
}

/// They live, and all is looked at every hundredth of a second meanwhile.
async fn watched<L: Future>(lives: impl IntoIterator<Item = L>, look: impl Fn()) {
    let looking = async {
        loop {
            look();
            sleep(SECOND / 100).await;
        }
    };
    tokio::select! {
        _ = join_all(lives) => {}
        () = looking => {}
    }
}

/// As many as the seed says.
async fn processes(log: &MemoryLog, seed: u64, count: RangeInclusive<u64>) -> Vec<Process> {
    let mut processes = Vec::new();
    for number in 0..Rng::with_seed(seed).u64(count) {
        processes.push(Process::new(log, seed, number).await);
    }
    processes
}

/// Nothing goes wrong any more.
fn heal<'a>(processes: impl IntoIterator<Item = &'a Process>) {
    for process in processes {
        process.log.heal();
        process.way.cut(false);
    }
}
