//! Nothing lands after its outcome was settled: not even what was reported as unknown, where the log promises that.
//!
//! When a write landed, is told by others: whoever began after its outcome was reported, and was given an older position,
//! proves that it was not there yet.

use super::timeline::{LAST, Moment, Timeline};
use crate::history::{History, Op, Outcome};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    if !history.run().fenced {
        return Vec::new();
    }
    let evidence = evidence(history, timeline);
    let unknown = history
        .ops()
        .filter(|op| op.outcome == Outcome::Indeterminate);
    let ghosts = unknown.filter_map(|op| {
        let ret = op.ret?;
        let landed = timeline.landed(op.tags.last()?).first()?.at;
        let later = evidence.partition_point(|(tick, _)| *tick <= ret.tick);
        let (_, oldest) = evidence.get(later)?;
        (*oldest < landed).then(|| describe(op, landed, *oldest))
    });
    ghosts.collect()
}

fn describe(op: &Op, landed: Moment, oldest: Moment) -> String {
    format!(
        "client {}'s {:?} was reported as unknown, and landed at {landed:?} after that: the log was seen at {oldest:?} in between",
        op.client, op.action
    )
}

/// For each operation that began at a tick: the oldest position that was given to it or to any later one.
fn evidence(history: &History, timeline: &Timeline) -> Vec<(u64, Moment)> {
    let mut evidence: Vec<(u64, Moment)> = history
        .ops()
        .filter_map(|op| {
            let is_fresh = !matches!(op.action, crate::history::Action::ViewAt(..));
            match &op.outcome {
                Outcome::Done(Some(position)) if is_fresh => {
                    Some((op.call.tick, timeline.moment(*position)))
                }
                _ => None,
            }
        })
        .collect();
    evidence.sort_by_key(|(tick, _)| *tick);
    let mut oldest = LAST;
    for (_, moment) in evidence.iter_mut().rev() {
        oldest = oldest.min(*moment);
        *moment = oldest;
    }
    evidence
}
