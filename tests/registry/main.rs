//! Services and their members: who is listed and for how long, who is held back, who is picked, and what becomes of them when
//! things go wrong.
//!
//! Runs on a paused clock. Each process has its own way to the log, which can be cut.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_use;
#[cfg(feature = "tower")]
mod balancing;
mod guard;
mod health;
mod hostile;
mod leaving;
mod listing;
mod outages;
mod picking;
#[path = "../rig/mod.rs"]
mod rig;
mod storm;
mod watching;
mod zones;

use std::collections::BTreeMap;
use std::time::Duration;

use globe::registry::{Member, Picker, Registration};
use globe::{MemoryLog, Registry, Session};
use rig::{Around, until, within};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(10);
const SERVICE: &str = "billing";

/// One process: its way to the log, its session, its registry.
struct Process {
    way: Around,
    session: Session,
    registry: Registry<u16>,
}

impl Process {
    async fn new(log: &MemoryLog, name: &str) -> Process {
        Process::by(Around::new(log), name).await
    }

    async fn by(way: Around, name: &str) -> Process {
        let session = Session::builder(way.clone()).name(name).ttl(TTL).open();
        Process {
            session: session.await.unwrap(),
            registry: registry(&way).await,
            way,
        }
    }

    async fn register(&self, member: Member<u16>) -> Registration<u16> {
        let registering = self.registry.register(&self.session, SERVICE, member);
        within("it is registered", registering).await.unwrap()
    }

    /// Registers members of these ids, and keeps them.
    async fn register_all(&self, ids: &[&str]) -> Vec<Registration<u16>> {
        let mut all = Vec::new();
        for id in ids {
            all.push(self.register(Member::new(*id, 80)).await);
        }
        all
    }

    /// The ids that are listed.
    fn ids(&self) -> Vec<String> {
        ids(&self.registry)
    }

    async fn lists(&self, expected: &[&str]) {
        lists(&self.registry, expected).await;
    }
}

async fn registry(log: &(impl globe::LogClient + Clone)) -> Registry<u16> {
    let opening = Registry::open(log.clone(), "services");
    within("a registry is opened", opening).await.unwrap()
}

fn ids(registry: &Registry<u16>) -> Vec<String> {
    let members = registry.members(SERVICE);
    members.iter().map(|member| member.id.clone()).collect()
}

async fn lists(registry: &Registry<u16>, expected: &[&str]) {
    until(&format!("{expected:?} are listed"), || {
        ids(registry) == expected
    })
    .await;
}

/// Who is held back, by service and id.
fn held_back(registry: &Registry<u16>) -> Vec<(String, String)> {
    let held = registry.status().held_back.into_iter();
    held.map(|held| (held.service, held.id)).collect()
}

/// Two processes on one log.
async fn two() -> (MemoryLog, Process, Process) {
    let log = MemoryLog::new();
    let one = Process::new(&log, "one").await;
    let other = Process::new(&log, "other").await;
    (log, one, other)
}

/// How often each is picked.
fn picks(picker: &Picker<u16>, times: usize) -> BTreeMap<String, usize> {
    let mut picks = BTreeMap::new();
    for _ in 0..times {
        let picked = picker.pick().unwrap();
        *picks.entry(picked.id.clone()).or_default() += 1;
    }
    picks
}
