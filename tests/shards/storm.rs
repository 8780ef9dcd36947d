//! Storms by a seed: members come, leave, die, are cut off; operators meddle; the log is away. In between, at any moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use globe::shards::{Mode, Table};
use globe::{Fenced, Gate};
use tokio::time::sleep;

use crate::cluster::{Cluster, Node, is_settled};
use crate::rig::until;

const SLOTS: u32 = 12;
const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// Works on whatever is owned, and shows each piece of work to the gate of its shard.
fn work(
    node: &Node,
    Cluster { mode, journal, .. }: &Cluster,
    gates: &Arc<Mutex<HashMap<u32, Gate>>>,
) -> tokio::task::JoinHandle<()> {
    let (shards, gates) = (node.shards.clone(), Arc::clone(gates));
    let (mode, journal) = (*mode, journal.clone());
    tokio::spawn(async move {
        loop {
            for key in 0..SLOTS * 4 {
                if let Ok(guard) = shards.enter(key.to_string()) {
                    let mut gates = gates.lock().unwrap();
                    let gate = gates.entry(guard.shard()).or_default();
                    let _ = gate.enter(guard.token().epoch);
                    let admitted = gate.admit(guard.token());
                    if mode == Mode::Strict && admitted.is_err() {
                        journal.breach(format!("{guard:?}: {admitted:?}"));
                    }
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
}

async fn storm(seed: u64, mode: Mode) {
    println!("GLOBE_SEED={seed} {mode:?}");
    let mut dice = Rng::with_seed(seed);
    let cluster = Cluster::new(SLOTS, mode);
    let gates = Arc::default();
    let mut nodes: HashMap<&str, (Node, tokio::task::JoinHandle<()>)> = HashMap::new();
    for _ in 0..30 {
        let id = *dice.choice(IDS.iter()).unwrap();
        match (nodes.remove(id), dice.u32(0..6)) {
            (None, _) => {
                let node = cluster.join(id).await;
                let working = work(&node, &cluster, &gates);
                nodes.insert(id, (node, working));
            }
            (Some((mut node, working)), 0) => {
                let leaver = node.leaver.take().unwrap();
                tokio::spawn(async move {
                    let _ = leaver.leave().await;
                    working.abort();
                    sleep(Duration::from_secs(1)).await;
                    drop(node);
                });
            }
            (Some((node, working)), 1) => {
                working.abort();
                node.way.cut(true);
                let session = node.die(&cluster);
                // Its lease ends by itself: it does not say good-bye.
                std::mem::forget(session);
            }
            (Some((node, working)), 2 | 3) => {
                let way = node.way.clone();
                way.cut(true);
                let away = Duration::from_millis(dice.u64(100..8_000));
                tokio::spawn(async move {
                    sleep(away).await;
                    way.cut(false);
                });
                nodes.insert(id, (node, working));
            }
            (Some((node, working)), 4) => {
                let shard = dice.u32(0..SLOTS);
                let pin = node.shards.pin(shard, dice.choice(IDS.iter()).copied());
                // It may be cut off: then nobody knows.
                let _ = tokio::time::timeout(Duration::from_secs(2), pin).await;
                nodes.insert(id, (node, working));
            }
            (Some((node, working)), _) => {
                cluster.log.set_available(false);
                sleep(Duration::from_millis(dice.u64(10..1_500))).await;
                cluster.log.set_available(true);
                nodes.insert(id, (node, working));
            }
        }
        sleep(Duration::from_millis(dice.u64(1..3_000))).await;
    }
    for (node, _) in nodes.values() {
        node.way.cut(false);
    }
    let last = cluster.join("last").await;
    let members = nodes.len() + 1;
    last.wait_for("quiet", |table: &Table| is_settled(table, members))
        .await;
    until("all is served", || {
        cluster.journal.served() == SLOTS as usize
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn strict_never_has_two_owners() {
    for seed in seeds() {
        storm(seed, Mode::Strict).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_when_available_all_is_owned_in_the_end() {
    for seed in seeds() {
        storm(seed, Mode::Available).await;
    }
}

/// One seed by `GLOBE_SEED`, or so many by `GLOBE_SEEDS`.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    match number("GLOBE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GLOBE_SEEDS").unwrap_or(6),
    }
}
