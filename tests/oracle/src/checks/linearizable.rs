//! Linearizable reads and writes, by replaying revisions: in the order of the log, nothing comes before what had ended
//! before it began. O(n log n), without a search.
//!
//! It trusts positions; that contents fit them is the business of `visibility` and `exactly once`.

use std::collections::HashMap;

use super::floor::{Look, Raise, below};
use super::timeline::{Moment, Timeline};
use crate::history::{Action, Asked, History, Op, Outcome};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut raises = Vec::new();
    let mut writes = Vec::new();
    let mut reads = Vec::new();
    for op in history.ops() {
        let Some(moment) = moment(op, timeline) else {
            continue;
        };
        let look = Look {
            tick: op.call.tick,
            moment,
            what: op,
        };
        let is_read = is_linearizable_read(&op.action) || may_be_idle(op);
        if is_read { &mut reads } else { &mut writes }.push(look);
        if let Some(ret) = op.ret {
            // A commit is a point of its own: the next one must be later, while a read may see the same.
            raises.push((ret.tick, moment));
        }
    }
    let seen = raises.iter().map(|(tick, moment)| (*tick, *moment));
    let next = |(tick, moment): (u64, Moment)| {
        let revision = moment.revision + 1;
        (tick, Moment { revision, ..moment })
    };
    let past = seen.clone().map(next);
    let returned = "a write or read that had returned before";
    let mut wrong = older(seen, &reads, returned);
    let allowed = "what had returned before it began, which allows";
    wrong.extend(older(past, &writes, allowed));
    wrong.extend(from_the_future(&reads, &writes));
    wrong
}

/// What is older than something that had returned before it began.
fn older(
    floor: impl Iterator<Item = (u64, Moment)>,
    looks: &[Look<&Op>],
    than: &str,
) -> Vec<String> {
    let floor = floor.map(|(tick, moment)| Raise { tick, moment });
    let below = below(floor.collect(), looks.to_vec()).into_iter();
    below
        .map(|(look, floor)| {
            let (op, moment) = (look.what, look.moment);
            format!(
                "client {}'s {:?} at {moment:?} is older than {than} {floor:?}",
                op.client, op.action
            )
        })
        .collect()
}

fn is_linearizable_read(action: &Action) -> bool {
    matches!(
        action,
        Action::Sync(_) | Action::ViewAt(_, Asked::Linearizable)
    )
}

/// Whether it may have made no commit of its own: a transaction that only read, or a delete that may have found nothing
/// and could not say so.
fn may_be_idle(op: &Op) -> bool {
    match &op.action {
        Action::Transact { writes, .. } => writes.is_empty(),
        Action::Delete(_) => matches!(op.outcome, Outcome::Behind(_)),
        _ => false,
    }
}

/// Where in the log an operation took effect, if it did and is known.
fn moment(op: &Op, timeline: &Timeline) -> Option<Moment> {
    if let Action::ViewAt(_, asked) = &op.action
        && *asked != Asked::Linearizable
    {
        return None;
    }
    match &op.outcome {
        Outcome::Done(Some(position)) | Outcome::Behind(position) => {
            // Of several commits, only the newest is told.
            let is_one = !matches!(op.action, Action::PutAll(_));
            is_one.then(|| timeline.moment(*position))
        }
        Outcome::Done(None) => {
            let landed = timeline.landed(op.tags.last()?);
            landed.first().map(|landing| landing.at)
        }
        _ => None,
    }
}

/// Nothing is read before somebody began to write it.
fn from_the_future(reads: &[Look<&Op>], writes: &[Look<&Op>]) -> Vec<String> {
    let begun: HashMap<(usize, u64), u64> = writes
        .iter()
        .map(|look| ((look.moment.epoch, look.moment.revision), look.tick))
        .collect();
    let early = reads.iter().filter(|look| {
        let call = begun.get(&(look.moment.epoch, look.moment.revision));
        let ret = look.what.ret.map_or(u64::MAX, |ret| ret.tick);
        call.is_some_and(|call| *call > ret)
    });
    early
        .map(|look| {
            format!(
                "client {} read {:?} before its writer began",
                look.what.client, look.moment
            )
        })
        .collect()
}
