//! The second opinion: each key by itself is a linearizable register, found by a search that knows no revisions.
//!
//! Only the beginning of a long history is searched, and a search that takes too long claims nothing.

use std::collections::HashMap;

use super::timeline::Timeline;
use crate::history::{Action, Asked, History, Op, Outcome, Place, Read, Sample};
use crate::wgl::{Call, Model, Verdict, search};

/// How many operations of one key are searched.
const OPS: usize = 120;

/// How many configurations a search may look at.
const BOUND: usize = 30_000;

/// What an operation did to one key, and what it returned.
#[derive(Clone, Debug)]
enum Register {
    Read(Option<String>),
    Write(String),
    /// Deletes it; whether there was anything.
    Delete(bool),
    /// Writes it, or deletes it, if it holds what is expected; whether it did.
    Guarded {
        expected: Option<String>,
        write: Option<String>,
        held: bool,
    },
}

impl Model for Register {
    type State = Option<String>;

    fn step(&self, before: &Option<String>) -> Option<Option<String>> {
        match self {
            Register::Read(value) => (value == before).then(|| before.clone()),
            Register::Write(value) => Some(Some(value.clone())),
            Register::Delete(found) => (before.is_some() == *found).then_some(None),
            Register::Guarded {
                expected,
                write,
                held,
            } => {
                let after = if *held { write } else { before };
                ((expected == before) == *held).then(|| after.clone())
            }
        }
    }
}

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    if timeline.epochs() != 1 {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (place, calls) in calls(history, timeline) {
        let Some(stretch) = timeline.stretches(&place.keyspace).first() else {
            continue;
        };
        let initial = stretch.first_state().get(&place.key);
        let initial = initial.map(|stored| stored.value.tag.clone());
        if search(initial, beginning(calls), BOUND) == Verdict::Impossible {
            wrong.push(format!(
                "no order explains what was written to and read of {place:?}"
            ));
        }
    }
    wrong
}

/// The first operations; what had not returned when the last of them began, counts as if it never did.
fn beginning(mut calls: Vec<Call<Register>>) -> Vec<Call<Register>> {
    calls.sort_by_key(|call| call.call);
    let Some(cut) = calls.get(OPS).map(|call| call.call) else {
        return calls;
    };
    calls.truncate(OPS);
    for call in &mut calls {
        call.ret = call.ret.filter(|ret| *ret < cut);
    }
    // A read whose answer is not yet known says nothing.
    calls.retain(|call| call.ret.is_some() || !matches!(call.op, Register::Read(_)));
    calls
}

fn calls(history: &History, timeline: &Timeline) -> HashMap<Place, Vec<Call<Register>>> {
    let mut calls: HashMap<Place, Vec<Call<Register>>> = HashMap::new();
    for op in history.ops() {
        for place in op.action.places() {
            if let Some(done) = write(op, place, timeline) {
                calls.entry(place.clone()).or_default().push(done);
            }
        }
    }
    let mut samples: HashMap<u32, Vec<&Sample>> = HashMap::new();
    for sample in history.samples() {
        samples.entry(sample.reader).or_default().push(sample);
    }
    for op in history.ops() {
        let Some((sample, seen)) = linearizable_read(op, &samples) else {
            continue;
        };
        for (place, calls) in &mut calls {
            if place.keyspace == sample.keyspace {
                let found = seen.iter().find(|(key, _)| *key == place.key);
                calls.push(Call {
                    op: Register::Read(found.map(|(_, version)| version.tag.clone())),
                    call: op.call.tick,
                    ret: Some(sample.ret.tick),
                });
            }
        }
    }
    calls.retain(|place, _| place.key.starts_with('k'));
    calls
}

/// The view that a linearizable `view_at` returned.
fn linearizable_read<'a>(
    op: &Op,
    samples: &HashMap<u32, Vec<&'a Sample>>,
) -> Option<(&'a Sample, &'a [crate::history::Shown])> {
    let is_read = matches!(op.action, Action::ViewAt(_, Asked::Linearizable));
    let (Outcome::Done(_), true, Some(ret)) = (&op.outcome, is_read, op.ret) else {
        return None;
    };
    let mine = samples.get(&op.client)?;
    let next = mine.partition_point(|sample| sample.ret < ret);
    let sample = mine.get(next)?;
    match &sample.read {
        Read::View(_, seen) => Some((sample, seen)),
        _ => None,
    }
}

/// What a write did to one key; `None` when it did nothing, or only others know what.
fn write(op: &Op, place: &Place, timeline: &Timeline) -> Option<Call<Register>> {
    let tag = op.tags.last().cloned();
    let held = match &op.outcome {
        Outcome::Done(_) | Outcome::Behind(_) | Outcome::Indeterminate | Outcome::Never => true,
        Outcome::Conflict(..) | Outcome::Nothing => false,
        Outcome::Refused(_) => return None,
    };
    let guarded = |expected| Register::Guarded {
        expected,
        write: tag.clone(),
        held,
    };
    let register = match &op.action {
        Action::Put(_) | Action::PutAll(_) if held => Register::Write(tag?),
        Action::Create(_) => guarded(None),
        Action::PutIf(_, revision) | Action::DeleteIf(_, revision) => {
            guarded(Some(tag_at(place, *revision, timeline)?))
        }
        // It lost every race it had time for: there was something, and it deleted nothing.
        Action::Delete(_) if matches!(op.outcome, Outcome::Conflict(..)) => return None,
        Action::Delete(_) => Register::Delete(held),
        Action::Update(_, read) if held => guarded(read.clone()),
        _ => return None,
    };
    let is_known = match op.outcome {
        Outcome::Indeterminate | Outcome::Never => false,
        // It may have found nothing to delete: that it cannot say.
        Outcome::Behind(_) => !matches!(op.action, Action::Delete(_)),
        _ => true,
    };
    Some(Call {
        op: register,
        call: op.call.tick,
        ret: op.ret.filter(|_| is_known).map(|ret| ret.tick),
    })
}

/// The tag a key was given by a commit.
fn tag_at(place: &Place, revision: u64, timeline: &Timeline) -> Option<String> {
    let mut landings = timeline.landings().iter();
    let found = landings.find(|(_, landings)| {
        let mut landings = landings.iter();
        landings.any(|landing| landing.place == *place && landing.at.revision == revision)
    });
    found.map(|(tag, _)| tag.clone())
}
