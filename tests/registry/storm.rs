//! Storms by a seed: processes that register, change, leave, die and are cut off, on a log that fails as it may.
//!
//! In the end all see who is there, and nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use futures::future::join_all;
use globe::registry::{Member, MemberChange, Pick, Registration, State, Vanish};
use globe::{MemoryLog, Registry, Session};
use globe_faulty::{Fault, Faults, FaultyLog};
use tokio::time::{Instant, sleep, timeout};

use crate::rig::within;
use crate::{SECOND, SERVICE, TTL, ids};

const STORM: Duration = Duration::from_secs(120);

/// What the contract allows, and in every third seed restores.
fn faults(seed: u64) -> Faults {
    let faults = Faults::legal().with(Fault::Compact, 0.0);
    match seed % 3 {
        2 => faults.with(Fault::Backup, 0.02).with(Fault::Restore, 0.005),
        _ => faults,
    }
}

struct Actor {
    log: FaultyLog,
    session: Session,
    registry: Registry<u16>,
    rng: Rng,
    name: String,
    faults: Faults,
    mine: BTreeMap<String, Registration<u16>>,
}

impl Actor {
    async fn new(log: &MemoryLog, seed: u64, number: u64) -> Actor {
        let faulty = FaultyLog::builder(log.clone()).seed(seed * 31 + number);
        let log = faulty.faults(Faults::none()).build();
        let session = Session::builder(log.clone()).ttl(TTL).open();
        let registry = Registry::builder(log.clone(), "services")
            .vanish(Vanish::Follow)
            .deadline(SECOND * 5);
        Actor {
            session: session.await.unwrap(),
            registry: registry.open().await.unwrap(),
            log,
            rng: Rng::with_seed(seed * 97 + number),
            name: format!("p{number}"),
            faults: faults(seed),
            mine: BTreeMap::new(),
        }
    }

    async fn act(&mut self, end: Instant) {
        self.log.set_faults(self.faults.clone());
        let mut watch = self.registry.watch(SERVICE);
        let picker = self.registry.picker(SERVICE, Pick::TwoChoices);
        while Instant::now() < end {
            // Some calls are dropped half-way.
            let bound = Duration::from_millis(self.rng.u64(1..8_000));
            self.step(bound).await;
            for change in watch.try_next().into_iter().flatten() {
                assert!(!matches!(change, MemberChange::Joined(member) if member.id.is_empty()));
            }
            if let Some(picked) = picker.pick_for(&[self.rng.u8(..)]) {
                assert_ne!(picked.state, State::Down);
                if self.rng.bool() {
                    picked.failed();
                }
            }
            sleep(Duration::from_millis(self.rng.u64(..2_000))).await;
        }
    }

    async fn step(&mut self, bound: Duration) {
        let id = format!("{}-{}", self.name, self.rng.u8(..3));
        match (self.mine.remove(&id), self.rng.u8(..4)) {
            (Some(mine), 0) => drop(timeout(bound, mine.deregister()).await),
            (Some(mine), 1) => drop(mine),
            (Some(mine), _) => {
                let data = self.rng.u16(..);
                let _ = timeout(bound, mine.set(|me| me.data = data.into())).await;
                self.mine.insert(id, mine);
            }
            (None, _) => {
                let member = Member::new(id.as_str(), 0);
                let registering = self.registry.register(&self.session, SERVICE, member);
                if let Ok(Ok(mine)) = timeout(bound, registering).await {
                    self.mine.insert(id, mine);
                }
            }
        }
    }
}

async fn storm(seed: u64) -> usize {
    let log = MemoryLog::new();
    let mut actors = Vec::new();
    for number in 0..3 {
        actors.push(Actor::new(&log, seed, number).await);
    }
    let end = Instant::now() + STORM;
    join_all(actors.iter_mut().map(|actor| actor.act(end))).await;
    for actor in &actors {
        actor.log.heal();
    }
    let registered = actors.iter().flat_map(|actor| actor.mine.keys().cloned());
    let mut expected: Vec<String> = registered.collect();
    expected.sort_unstable();
    for actor in &actors {
        within("it is live", actor.session.live()).await.unwrap();
    }
    // What is still under way arrives, and what is unwanted is swept.
    sleep(TTL * 6).await;
    for actor in &actors {
        let settled = async {
            while ids(&actor.registry) != expected {
                sleep(SECOND / 10).await;
            }
        };
        if timeout(TTL * 6, settled).await.is_err() {
            let listed = ids(&actor.registry);
            let status = actor.session.status();
            panic!("seed {seed}: {listed:?} are listed, not {expected:?}: {status:?}");
        }
        let wrong: Vec<&String> = actor
            .mine
            .iter()
            .filter(|(_, mine)| !mine.is_registered())
            .map(|(id, _)| id)
            .collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
        for (id, mine) in &actor.mine {
            let members = actors[0].registry.members(SERVICE);
            assert_eq!(**members.get(id).unwrap(), mine.member(), "seed {seed}");
        }
    }
    expected.len()
}

#[test]
fn after_a_storm_all_see_who_is_there_and_nobody_else() {
    let seeds = match std::env::var("GLOBE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..24).collect(),
    };
    let mut listed = 0;
    for seed in seeds {
        println!("seed {seed}");
        fastrand::seed(seed);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        listed += runtime.block_on(storm(seed));
    }
    assert!(listed > 0, "nobody was left");
}
