//! A gap is owned up to: steps that cross into another life of the log say so, no other step claims a resync, and a
//! replica never accuses a log that kept its contract.
//!
//! That the differences themselves are exact is the business of `delivery`.

use std::collections::HashMap;

use super::timeline::Timeline;
use crate::history::{Cause, History};

pub(crate) fn check(history: &History, _: &Timeline) -> Vec<String> {
    let mut wrong = Vec::new();
    let watches: HashMap<u32, (u32, &str)> = history
        .watches()
        .map(|opened| (opened.watch, (opened.node, opened.keyspace.as_str())))
        .collect();
    let mut resyncs: HashMap<(u32, &str), u64> = HashMap::new();
    for health in history.healths() {
        let replica = (health.node, health.keyspace.as_str());
        let known = resyncs.entry(replica).or_default();
        *known = health.resyncs.max(*known);
        if history.run().honest && health.violations > 0 {
            wrong.push(format!(
                "node {} accuses an honest log of {} violations in {}",
                health.node, health.violations, health.keyspace
            ));
        }
    }
    wrong.dedup();
    for delivered in history.deliveries() {
        let Some(replica) = watches.get(&delivered.watch) else {
            wrong.push(format!("watch {} was never opened", delivered.watch));
            continue;
        };
        let (from, to) = (delivered.from, delivered.to);
        let claims = matches!(delivered.cause, Cause::NewEpoch | Cause::Resync);
        if from.epoch != to.epoch && !claims {
            wrong.push(format!(
                "watch {} crossed from {from} to {to} as {:?}",
                delivered.watch, delivered.cause
            ));
        }
        if claims && resyncs.get(replica).is_some_and(|resyncs| *resyncs == 0) {
            wrong.push(format!(
                "watch {} claims a resync from {from} to {to}, but node {} had none in {}",
                delivered.watch, replica.0, replica.1
            ));
        }
    }
    wrong
}
