//! What was acknowledged is in the log exactly once; what was refused, never; what is unknown, at most once, and whole.
//!
//! Every attempt has a tag of its own, which is searched for in the truth.

use std::collections::{HashMap, HashSet};

use super::timeline::{Landing, Timeline};
use crate::history::{Action, History, Op, Outcome, Place};
use crate::workload::{AVAILABLE, CLAIMS, PRESENT, SERVICES, STRICT, TUNING};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = HashSet::new();
    for op in history.ops() {
        known.extend(op.tags.iter().map(String::as_str));
        let broken = judge(op, timeline).into_iter();
        wrong.extend(broken.map(|why| {
            format!(
                "client {}'s {:?} ({:?}): {why}",
                op.client, op.action, op.outcome
            )
        }));
    }
    let strangers = timeline.landings().iter().filter(|(tag, landings)| {
        let is_leased = |landing: &Landing| is_leased(&landing.place.keyspace);
        !known.contains(tag.as_str()) && !landings.iter().all(is_leased)
    });
    wrong.extend(strangers.map(|(tag, _)| format!("nobody wrote {tag:?}, which is in the log")));
    wrong.extend(deletes(history, timeline));
    wrong
}

/// What stands under leases, and what recipes keep, comes and goes by itself: others judge it.
fn is_leased(keyspace: &str) -> bool {
    [CLAIMS, PRESENT, STRICT, AVAILABLE, SERVICES, TUNING].contains(&keyspace)
}

fn judge(op: &Op, timeline: &Timeline) -> Vec<String> {
    let Some((last, earlier)) = op.tags.split_last() else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    // What landed in a life of the log that was lost with it may be tried again in the next.
    let life = timeline.landed(last).last().map(|landing| landing.at.epoch);
    for tag in earlier {
        let mut landings = timeline.landed(tag).iter();
        if let Some(landing) =
            landings.find(|landing| life.is_none_or(|life| life <= landing.at.epoch))
        {
            wrong.push(format!(
                "the given-up attempt {tag} landed at {:?}",
                landing.at
            ));
        }
    }
    let landed = in_life(timeline.landed(last), life);
    match &op.outcome {
        Outcome::Done(_) | Outcome::Behind(_) => {
            wrong.extend(repeated(op, landed));
            wrong.extend(missing(op, landed, timeline));
        }
        Outcome::Indeterminate | Outcome::Never => {
            wrong.extend(repeated(op, landed));
            wrong.extend(halved(op, landed));
        }
        Outcome::Conflict(..) | Outcome::Refused(_) | Outcome::Nothing => {
            // Of several transactions, others may have been committed.
            let stands = |landing: &&Landing| !is_lost(op, landing, timeline);
            if let (Some(landing), false) = (landed.iter().find(stands), is_several(op)) {
                wrong.push(format!("was not to be, but landed at {:?}", landing.at));
            }
        }
    }
    wrong
}

/// The landings from a life on. They are in the order in which they were heard.
fn in_life(landed: &[Landing], life: Option<usize>) -> &[Landing] {
    let is_in = |landing: &Landing| life.is_none_or(|life| life <= landing.at.epoch);
    let first = landed.iter().position(is_in).unwrap_or(0);
    &landed[first..]
}

/// Whether its life of the log was over before the operation was: then it was tried again in the next, which refused it.
fn is_lost(op: &Op, landing: &Landing, timeline: &Timeline) -> bool {
    let next = timeline.began_after(landing.at.epoch);
    matches!((next, op.ret), (Some(began), Some(ret)) if began < ret)
}

fn is_several(op: &Op) -> bool {
    matches!(op.action, Action::PutAll(_))
}

/// At each place it landed at most once, and only where it was meant to; all at one revision.
fn repeated(op: &Op, landed: &[Landing]) -> Vec<String> {
    let places = op.action.places();
    let mut seen = HashMap::new();
    let mut wrong = Vec::new();
    for landing in landed {
        if !places.contains(&landing.place) {
            wrong.push(format!("landed in a strange place, {:?}", landing.place));
        }
        if let Some(first) = seen.insert(&landing.place, landing.at) {
            wrong.push(format!("landed twice, at {first:?} and {:?}", landing.at));
        }
    }
    let is_torn = landed.iter().any(|landing| landing.at != landed[0].at);
    if is_torn && !is_several(op) {
        wrong.push("landed at several revisions".to_owned());
    }
    wrong
}

fn halved(op: &Op, landed: &[Landing]) -> Option<String> {
    let is_half = !landed.is_empty() && landed.len() < op.action.places().len();
    (is_half && !is_several(op)).then(|| format!("landed in part: {landed:?}"))
}

/// Acknowledged, and not in the log where it said it is.
fn missing(op: &Op, landed: &[Landing], timeline: &Timeline) -> Vec<String> {
    let places = op.action.places();
    let absent: Vec<&Place> = places
        .iter()
        .filter(|place| !landed.iter().any(|landing| landing.place == **place))
        .collect();
    let said = match &op.outcome {
        Outcome::Done(Some(position)) | Outcome::Behind(position) => Some(*position),
        _ => None,
    };
    let mut wrong = Vec::new();
    for place in absent {
        let is_known = match said {
            Some(position) if !is_several(op) => {
                timeline.state(&place.keyspace, position).is_some()
            }
            _ => timeline.is_complete(&place.keyspace),
        };
        if is_known {
            wrong.push(format!("acknowledged, but {place:?} is not in the log"));
        }
    }
    if let (Some(said), Some(newest)) = (said, landed.iter().map(|landing| landing.at).max())
        && newest != timeline.moment(said)
    {
        wrong.push(format!(
            "said to have landed at {said}, but landed at {newest:?}"
        ));
    }
    wrong
}

/// Deletes bear no tag: they are counted by key.
fn deletes(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut counts: HashMap<&Place, (usize, usize)> = HashMap::new();
    for op in history.ops() {
        if let Action::Delete(place) | Action::DeleteIf(place, _) = &op.action {
            let (sure, unsure) = counts.entry(place).or_default();
            match &op.outcome {
                // It may have found nothing to delete: that it cannot say.
                Outcome::Behind(_) if matches!(op.action, Action::Delete(_)) => *unsure += 1,
                Outcome::Done(_) | Outcome::Behind(_) => *sure += 1,
                Outcome::Indeterminate | Outcome::Never => *unsure += 1,
                _ => {}
            }
        }
    }
    let mut wrong = Vec::new();
    for keyspace in timeline
        .keyspaces()
        .filter(|keyspace| timeline.is_complete(keyspace) && !is_leased(keyspace))
    {
        let Some(stretch) = timeline.stretches(keyspace).first() else {
            continue;
        };
        let mut found: HashMap<&String, usize> = HashMap::new();
        for commit in &stretch.commits {
            let gone = commit
                .keys
                .iter()
                .filter(|key| !commit.after.contains_key(*key));
            gone.for_each(|key| *found.entry(key).or_default() += 1);
        }
        let here = counts
            .iter()
            .filter(|(place, _)| place.keyspace == **keyspace);
        for (place, (sure, unsure)) in here {
            let found = found.remove(&place.key).unwrap_or(0);
            if found < *sure || found > sure + unsure {
                wrong.push(format!(
                    "{place:?} was deleted {found} times in the log, by {sure} acknowledged and {unsure} unknown deletes"
                ));
            }
        }
        wrong.extend(
            found
                .keys()
                .map(|key| format!("nobody deleted {keyspace}/{key}, which was deleted")),
        );
    }
    wrong
}
