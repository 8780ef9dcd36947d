//! A replica is honest about its age: what it shows is never older than it says, and it never calls itself live while it
//! is cut off, or shows what was overtaken long ago.
//!
//! When the log committed something is not known exactly; it is taken as late as it can have been.

use std::collections::HashMap;

use super::timeline::Timeline;
use crate::history::{Effect, Health, History};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let limits = history.run().limits;
    let cuts = cuts(history);
    let mut wrong = Vec::new();
    for health in history.healths() {
        let who = || {
            format!(
                "node {} in {} at {} µs",
                health.node, health.keyspace, health.call.micros
            )
        };
        let age = age(health, timeline);
        if let Some(said) = health.staleness_micros
            && said + limits.slack_micros < age
        {
            wrong.push(format!(
                "{} said it was at most {said} µs old, but {} was overtaken {age} µs before",
                who(),
                health.position
            ));
        }
        if health.is_live && age > limits.detection_micros {
            wrong.push(format!(
                "{} called itself live, overtaken {age} µs before",
                who()
            ));
        }
        let since = cuts.get(&health.node).into_iter().flatten();
        let cut = since
            .filter(|(from, to)| *from < health.call.micros && health.ret.micros < *to)
            .map(|(from, _)| health.call.micros - from);
        if let Some(cut) = cut.max()
            && health.is_live
            && cut > limits.detection_micros
        {
            wrong.push(format!(
                "{} called itself live, cut off for {cut} µs",
                who()
            ));
        }
    }
    wrong
}

/// How long ago, at least, what a node shows was overtaken.
fn age(health: &Health, timeline: &Timeline) -> u64 {
    let overtaken = timeline.overtaken(&health.keyspace, health.position);
    overtaken.map_or(0, |heard| health.call.micros.saturating_sub(heard.micros))
}

/// From when to when each node was cut off.
fn cuts(history: &History) -> HashMap<u32, Vec<(u64, u64)>> {
    let mut cuts: HashMap<u32, Vec<(u64, u64)>> = HashMap::new();
    for fault in history.faults() {
        let now = fault.at.micros;
        match fault.effect {
            Effect::CutsOff(node) => {
                let here = cuts.entry(node).or_default();
                if here.last().is_none_or(|(_, to)| *to != u64::MAX) {
                    here.push((now, u64::MAX));
                }
            }
            Effect::Reconnects(node) => close(cuts.get_mut(&node), now),
            Effect::HealsAll => cuts.values_mut().for_each(|cuts| close(Some(cuts), now)),
            Effect::Disturbs => {}
        }
    }
    cuts
}

fn close(cuts: Option<&mut Vec<(u64, u64)>>, now: u64) {
    if let Some((_, to)) = cuts.and_then(|cuts| cuts.last_mut()) {
        *to = now.min(*to);
    }
}
