//! A guarded write succeeds exactly when its guard holds: what it compared with stood there just before it, and what a
//! conflict says stood there, did.
//!
//! It replays every guarded write against the truth before it.

use super::timeline::{Moment, State, Timeline};
use crate::history::{Action, History, Op, Outcome, Place, Stood, Version};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut wrong = Vec::new();
    for op in history.ops() {
        let broken = match &op.outcome {
            Outcome::Conflict(position, found) => conflict(op, timeline, *position, found),
            Outcome::Done(_) | Outcome::Behind(_) | Outcome::Indeterminate | Outcome::Never => {
                success(op, timeline)
            }
            _ => None,
        };
        wrong.extend(broken.map(|why| format!("client {}'s {:?}: {why}", op.client, op.action)));
    }
    wrong
}

fn stood(state: &State, place: &Place) -> Option<Version> {
    state.get(&place.key).map(|stored| stored.version())
}

fn conflict(
    op: &Op,
    timeline: &Timeline,
    position: globe::Position,
    found: &[(Place, Option<Stood>)],
) -> Option<String> {
    if found.is_empty() {
        return Some("a conflict that names no key".to_owned());
    }
    for (place, said) in found {
        let Some(state) = timeline.state(&place.keyspace, position) else {
            continue;
        };
        let truth = stood(state, place);
        let stands = truth.as_ref().map(|version| Stood {
            created: version.created,
            modified: version.modified,
        });
        if stands != *said {
            return Some(format!(
                "the conflict says {said:?} stood at {position}, but {truth:?} did"
            ));
        }
        let holds = match &op.action {
            Action::Create(_) => truth.is_none(),
            Action::PutIf(_, at) | Action::DeleteIf(_, at) => {
                truth.is_some_and(|version| version.modified == *at)
            }
            _ => false,
        };
        if holds {
            return Some(format!("refused at {position}, though its guard held"));
        }
    }
    None
}

/// Where it landed, what it was guarded by stood there.
fn success(op: &Op, timeline: &Timeline) -> Option<String> {
    let at = landed(op, timeline)?;
    let stands = |place: &Place| Some(stood(timeline.before(&place.keyspace, at)?, place));
    match &op.action {
        Action::Create(place) => {
            let before = stands(place)??;
            Some(format!("created at {at:?} over {before:?}"))
        }
        Action::PutIf(place, revision) | Action::DeleteIf(place, revision) => {
            let before = stands(place)?;
            let is_right = before.as_ref().is_some_and(|v| v.modified == *revision);
            (!is_right).then(|| format!("written at {at:?} over {before:?}"))
        }
        Action::Update(place, read) => {
            let before = stands(place)?.map(|version| version.tag);
            (before != *read).then(|| format!("made at {at:?} of {read:?}, over {before:?}"))
        }
        Action::Transact { reads, .. } => reads.iter().find_map(|(place, read)| {
            let before = timeline.before(&place.keyspace, at)?.get(&place.key);
            let before = before.map(|stored| &stored.value);
            (before != read.as_ref()).then(|| {
                format!("committed at {at:?} after reading {read:?} of {place:?}, over {before:?}")
            })
        }),
        _ => None,
    }
}

fn landed(op: &Op, timeline: &Timeline) -> Option<Moment> {
    if let (Action::DeleteIf(..), Outcome::Done(Some(position))) = (&op.action, &op.outcome) {
        return Some(timeline.moment(*position));
    }
    let landings = timeline.landed(op.tags.last()?);
    landings.first().map(|landing| landing.at)
}
