//! A write that returned is visible to its process: every later read of that node shows it, or what came after it.
//!
//! What a `sync` returned counts as a write: it too promised that everything up to there is visible.

use std::collections::{BTreeSet, HashMap};

use super::floor::{Look, Raise, below};
use super::monotonic::{Spans, subject};
use super::timeline::{Moment, Timeline};
use super::visibility::who;
use crate::history::{Action, History, Op, Outcome, Place, Sample};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let spans = Spans::of(timeline);
    let mut raises: HashMap<(u32, String), Vec<Raise>> = HashMap::new();
    for op in history.ops() {
        let Some(ret) = op.ret else { continue };
        for (keyspace, moment) in promised(op, timeline) {
            let tick = ret.tick;
            raises
                .entry((op.node, keyspace))
                .or_default()
                .push(Raise { tick, moment });
        }
    }
    let mut looks: HashMap<(u32, String), Vec<Look<&Sample>>> = HashMap::new();
    for sample in history.samples() {
        let (_, moment) = spans.of_read(sample, timeline);
        let replica = (sample.node, sample.keyspace.clone());
        looks.entry(replica).or_default().push(Look {
            tick: sample.call.tick,
            moment,
            what: sample,
        });
    }
    let mut wrong = Vec::new();
    for (replica, looks) in looks {
        let raises = raises.remove(&replica).unwrap_or_default();
        wrong.extend(below(raises, looks).into_iter().map(|(look, floor)| {
            format!(
                "{} saw {} as of {:?}, after a write or sync of that node had returned at {floor:?}",
                who(look.what),
                subject(look.what),
                look.moment
            )
        }));
    }
    wrong
}

/// Up to where an operation that returned promised that its node shows each keyspace.
fn promised(op: &Op, timeline: &Timeline) -> Vec<(String, Moment)> {
    let Outcome::Done(position) = &op.outcome else {
        return Vec::new();
    };
    if let Some(position) = position {
        let moment = timeline.moment(*position);
        let touched = touched(&op.action).into_iter();
        return touched.map(|keyspace| (keyspace, moment)).collect();
    }
    let tag = op.tags.last().map_or("", String::as_str);
    let landed = timeline.landed(tag).iter();
    landed
        .map(|landing| (Place::clone(&landing.place).keyspace, landing.at))
        .collect()
}

/// The keyspaces that an operation said to stand at its position: of a transaction, those it only read as well.
fn touched(action: &Action) -> BTreeSet<String> {
    let read: &[_] = match action {
        Action::Sync(keyspace) => return BTreeSet::from([keyspace.clone()]),
        Action::Transact { reads, .. } => reads,
        _ => &[],
    };
    let places = read.iter().map(|(place, _)| place).chain(action.places());
    places.map(|place| place.keyspace.clone()).collect()
}
