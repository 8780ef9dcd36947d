//! A slow watch harms nobody: what a node shows, its other watches deliver without delay.
//!
//! Watches whose own listener rests are not judged by their pace.

use std::collections::HashMap;

use super::timeline::Timeline;
use crate::history::{At, Cause, Delivered, History, Opened, Read};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let bound = history.run().limits.watch_micros;
    let first_shown = first_shown(history, timeline);
    let mut deliveries: HashMap<u32, Vec<&Delivered>> = HashMap::new();
    for delivered in history.deliveries() {
        deliveries
            .entry(delivered.watch)
            .or_default()
            .push(delivered);
    }
    let mut wrong = Vec::new();
    let brisk = history.watches().filter(|opened| opened.rest_micros == 0);
    for opened in brisk {
        let delivered = deliveries.remove(&opened.watch).unwrap_or_default();
        let shown = first_shown.get(&(opened.node, opened.keyspace.as_str()));
        let shown = shown.map_or(&[][..], Vec::as_slice);
        if let Some(late) = latest(opened, shown, &delivered, timeline)
            && late > bound
        {
            wrong.push(format!(
                "watch {} of node {} on {} delivered {late} µs after its node had shown it",
                opened.watch, opened.node, opened.keyspace
            ));
        }
    }
    wrong
}

type Shown = (super::timeline::Moment, At);

/// For each replica: the positions it showed in views, each with when that was first seen.
fn first_shown<'a>(
    history: &'a History,
    timeline: &Timeline,
) -> HashMap<(u32, &'a str), Vec<Shown>> {
    let mut shown: HashMap<(u32, &str), Vec<Shown>> = HashMap::new();
    for sample in history.samples() {
        if let Read::View(position, _) = &sample.read {
            let views = shown
                .entry((sample.node, sample.keyspace.as_str()))
                .or_default();
            views.push((timeline.moment(*position), sample.ret));
        }
    }
    for views in shown.values_mut() {
        views.sort();
        // Whoever shows more shows this as well: the earliest of what is at least as new.
        let mut earliest = None;
        for (_, at) in views.iter_mut().rev() {
            *at = earliest.map_or(*at, |earliest: At| earliest.min(*at));
            earliest = Some(*at);
        }
    }
    shown
}

/// The longest time between the first view that showed a commit and its delivery.
fn latest(
    opened: &Opened,
    shown: &[Shown],
    delivered: &[&Delivered],
    timeline: &Timeline,
) -> Option<u64> {
    let late = delivered.iter().filter_map(|step| {
        let commits = timeline.between(&opened.keyspace, step.from, step.to)?;
        let covered = |key: &String| opened.filter.covers(key);
        let mut covered = commits
            .iter()
            .filter(|commit| commit.keys.iter().any(covered));
        // The oldest commit in this step is what waited longest; but what a snapshot passed over may have had no net
        // effect on what this watch covers, and then it did not wait at all.
        let oldest = match step.cause {
            Cause::Step | Cause::Coalesced => covered.next()?,
            Cause::NewEpoch | Cause::Resync => covered.next_back()?,
        };
        let moment = super::timeline::Moment {
            revision: oldest.revision,
            ..timeline.moment(step.to)
        };
        let first = shown.partition_point(|(there, _)| *there < moment);
        let (there, at) = shown.get(first)?;
        (there.epoch == moment.epoch && *at > opened.at)
            .then(|| step.at.micros.saturating_sub(at.micros))
    });
    late.max()
}
