//! Nothing haunts: what was reported as unknown, or given up by its caller, does not land after a later commit of its node,
//! where the log promises that.
//!
//! It may land before: who reaches nobody but a member that reaches nobody cannot keep what that member holds from being
//! passed on. When a write landed, is told by the positions of the commits.

use std::collections::BTreeMap;

use super::timeline::{LAST, Moment, Timeline};
use crate::history::{History, Op, Outcome};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    if !history.run().fenced {
        return Vec::new();
    }
    let evidence = evidence(history, timeline);
    let none = Vec::new();
    let ghosts = history.ops().filter_map(|op| {
        let over = over(op)?;
        let landed = timeline.landed(op.tags.last()?).first()?.at;
        let evidence = evidence.get(&op.node).unwrap_or(&none);
        let later = evidence.partition_point(|(tick, _)| *tick <= over);
        let (_, oldest) = evidence.get(later)?;
        (*oldest < landed).then(|| describe(op, landed, *oldest))
    });
    ghosts.collect()
}

/// When nobody waited any more for an operation whose fate is unknown.
fn over(op: &Op) -> Option<u64> {
    let over = match op.outcome {
        Outcome::Indeterminate => op.ret,
        Outcome::Never => op.given_up,
        _ => None,
    };
    over.map(|at| at.tick)
}

fn describe(op: &Op, landed: Moment, oldest: Moment) -> String {
    format!(
        "client {}'s {:?} was unknown or given up, and landed at {landed:?}, after its node had committed at {oldest:?}",
        op.client, op.action
    )
}

/// For each commit of a node, by when it began: the oldest position that was given to it or to any later one.
fn evidence(history: &History, timeline: &Timeline) -> BTreeMap<u32, Vec<(u64, Moment)>> {
    let mut evidence: BTreeMap<u32, Vec<(u64, Moment)>> = BTreeMap::new();
    for op in history.ops().filter(|op| !op.tags.is_empty()) {
        if let Outcome::Done(Some(position)) = &op.outcome {
            let commits = evidence.entry(op.node).or_default();
            commits.push((op.call.tick, timeline.moment(*position)));
        }
    }
    for commits in evidence.values_mut() {
        commits.sort_by_key(|(tick, _)| *tick);
        let mut oldest = LAST;
        for (_, moment) in commits.iter_mut().rev() {
            oldest = oldest.min(*moment);
            *moment = oldest;
        }
    }
    evidence
}
