//! Once everything is mended, every node is live again within its bound, and stays so.
//!
//! Without a fault that heals all, it asks nothing.

use std::collections::BTreeMap;

use super::timeline::Timeline;
use crate::history::{Effect, Health, History};

pub(crate) fn check(history: &History, _: &Timeline) -> Vec<String> {
    let healed = history
        .faults()
        .filter(|fault| fault.effect == Effect::HealsAll);
    let Some(healed) = healed.map(|fault| fault.at).max() else {
        return Vec::new();
    };
    let limits = history.run().limits;
    let mut replicas: BTreeMap<(u32, &str), Vec<&Health>> = BTreeMap::new();
    for health in history.healths().filter(|health| health.call > healed) {
        let replica = (health.node, health.keyspace.as_str());
        replicas.entry(replica).or_default().push(health);
    }
    let mut wrong = Vec::new();
    for ((node, keyspace), healths) in &replicas {
        let in_time = healths.iter().any(|health| {
            health.is_live && health.ret.micros <= healed.micros + limits.heal_micros
        });
        if !in_time {
            wrong.push(format!(
                "node {node} in {keyspace} was not live within its bound after all was mended"
            ));
        } else if healths.last().is_some_and(|last| !last.is_live) {
            wrong.push(format!(
                "node {node} in {keyspace} did not stay live after all was mended"
            ));
        }
    }
    if replicas.is_empty() {
        wrong.push("nobody asked how the nodes were after all was mended".to_owned());
    }
    wrong
}
