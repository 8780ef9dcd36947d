//! No bad value is shown anywhere, or published; what was published stands with its history, and is shown where it was, unless
//! something newer or more specific is; and in the end all show what the records say.
//!
//! When a change arrives it does not ask.

use std::collections::BTreeMap;

use globe::Position;

use super::Book;
use super::values::{newest, resolved, standing};
use crate::checks::timeline::Timeline;
use crate::history::{History, Outcome, SettingDid, SettingStep};
use crate::workload::{TUNING, is_good};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

/// The layers of each node, and the name it publishes under.
type Nodes<'a> = BTreeMap<u32, (&'a [String], &'a str)>;

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut nodes = Nodes::new();
    for step in book.history.setting_steps() {
        if let SettingDid::Opened(layers, name) = &step.did {
            nodes.insert(step.node, (layers, name));
        }
    }
    let mut wrong = Vec::new();
    for step in book.history.setting_steps() {
        let Some((layers, name)) = nodes.get(&step.node) else {
            continue;
        };
        let broken = match &step.did {
            SettingDid::Opened(..) => Ok(()),
            SettingDid::Shown(value) => good(*value),
            SettingDid::Last(value) => good(*value).and_then(|()| last(book, layers, *value)),
            SettingDid::Published {
                layer,
                value,
                outcome,
                shown,
            } => good(*shown).and_then(|()| match outcome {
                Outcome::Done(Some(position)) => {
                    stands(book, (layer, *value, name), *position)?;
                    own(book, layers, *position, *shown)
                }
                _ => refused(book, *value),
            }),
        };
        wrong.extend(broken.err().map(|why| describe(step, &why)));
    }
    let is_last = |step: &SettingStep| matches!(step.did, SettingDid::Last(_));
    let last = book.history.setting_steps().filter(|step| is_last(step));
    let last = last.count();
    if last < nodes.len() {
        wrong.push(format!(
            "{last} of {} nodes showed it in the end",
            nodes.len()
        ));
    }
    wrong
}

fn describe(step: &SettingStep, why: &str) -> String {
    let (node, at) = (step.node, step.ret.micros);
    format!("node {node} at {at} µs: {:?}: {why}", step.did)
}

type Verdict = Result<(), String>;

fn good(value: u64) -> Verdict {
    match is_good(value) {
        true => Ok(()),
        false => Err(format!("{value} is no good value, and was shown")),
    }
}

/// A bad value is never in the log, if it was not put there by hand.
fn refused(book: &Book<'_>, value: u64) -> Verdict {
    let landed = book.timeline.landed(&value.to_string());
    match is_good(value) || landed.is_empty() {
        true => Ok(()),
        false => Err(format!("the bad value {value} was published")),
    }
}

/// In one commit the value, and in the history who published it.
fn stands(book: &Book<'_>, (layer, value, name): (&str, u64, &str), at: Position) -> Verdict {
    let Some(state) = book.timeline.state(TUNING, at) else {
        return Ok(());
    };
    if !is_good(value) {
        return Err("it is no good value, and was published".to_owned());
    }
    if standing(state, layer) != Some(value.to_string().as_str()) {
        return Err(format!("it does not stand there at {at}"));
    }
    match newest(state, layer) {
        Some((Some(past), Some(by))) if past == value && by == name => Ok(()),
        other => Err(format!("the history has {other:?} at {at}")),
    }
}

/// What was shown when publishing had returned is what the records say at some revision from then on.
fn own(book: &Book<'_>, layers: &[String], at: Position, shown: u64) -> Verdict {
    let stretches = book.timeline.stretches(TUNING).iter();
    let Some(stretch) = stretches.clone().find(|stretch| {
        let from = stretch.base..=stretch.known_to;
        stretch.epoch == at.epoch && from.contains(&at.revision.0)
    }) else {
        return Ok(());
    };
    // In another life of the log it may be gone again.
    if book.timeline.epochs() > 1 {
        return Ok(());
    }
    let first = book.timeline.state(TUNING, at);
    let later = stretch
        .commits
        .iter()
        .filter(|it| it.revision > at.revision.0);
    let states = first.into_iter().chain(later.map(|commit| &commit.after));
    let mut said = states.map(|state| resolved(state, layers));
    match said.any(|(value, is_sure)| value == shown || !is_sure) {
        true => Ok(()),
        false => Err(format!("no revision from {at} on says what was shown then")),
    }
}

fn last(book: &Book<'_>, layers: &[String], shown: u64) -> Verdict {
    let Some(stretch) = book.timeline.newest(TUNING) else {
        return Ok(());
    };
    match resolved(stretch.last_state(), layers) {
        (value, _) if value == shown => Ok(()),
        (value, _) => Err(format!("the records say {value} in the end")),
    }
}
