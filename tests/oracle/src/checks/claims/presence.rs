//! Who is live has its entries in the log: what a session has written, and did not delete, stands whenever it says that it is
//! live.
//!
//! A session that is seen live twice, and tells of nothing in between, was live all the while. What the truth heard to be gone
//! before that, and heard of again only long after it, was not there meanwhile; anything shorter may be how late the truth
//! hears. Nothing is claimed after a third party has been at the entry or the session, nor for as long as a lease may be trusted
//! after the log went into another life: in that the entry may not stand, and the session cannot know yet.

use std::collections::BTreeMap;

use super::stays::{Stay, stays};
use super::{Book, Tenure};
use crate::checks::timeline::Timeline;
use crate::history::{At, EntryStep, History, Meddled, Meddling, Outcome};
use crate::workload::PRESENT;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let all = stays(book.timeline, PRESENT);
    let mut by_key: BTreeMap<&str, Vec<&Stay>> = BTreeMap::new();
    for stay in &all {
        by_key.entry(stay.key.as_str()).or_default().push(stay);
    }
    let none = Vec::new();
    let mut wrong = Vec::new();
    for put in book.history.entry_steps().filter(|step| step.is_put) {
        let stays = by_key.get(put.place.key.as_str()).unwrap_or(&none);
        wrong.extend(missing(put, book));
        let (Outcome::Done(_), Some(from)) = (&put.outcome, put.ret) else {
            continue;
        };
        let Some(tenure) = book.sessions.get(&put.session) else {
            continue;
        };
        let to = wanted_until(put, tenure, book);
        let absent = absences(stays, from, book)
            .into_iter()
            .find_map(|absence| seen_live_in(absence, from, to, tenure, book));
        wrong.extend(absent.map(|at| {
            format!(
                "{} was live at {} µs, and its entry {} was not there",
                tenure.name, at.micros, put.place.key
            )
        }));
    }
    wrong
}

/// Acknowledged, and not in the log where it said it is.
fn missing(put: &EntryStep, book: &Book<'_>) -> Option<String> {
    let Outcome::Done(Some(position)) = put.outcome else {
        return None;
    };
    let state = book.timeline.state(PRESENT, position)?;
    (!state.contains_key(&put.place.key)).then(|| {
        format!(
            "{} was acknowledged, and is not in the log at {position}",
            put.place.key
        )
    })
}

/// Until when an entry is wanted for certain.
fn wanted_until(put: &EntryStep, tenure: &Tenure<'_>, book: &Book<'_>) -> At {
    let deletes = book.history.entry_steps();
    let deletes = deletes.filter(|step| !step.is_put && step.place == put.place);
    let meddled = book
        .history
        .meddled()
        .filter_map(|Meddled { whose, call, .. }| {
            let is_it = matches!(whose, Meddling::Record(place) if *place == put.place);
            is_it.then_some(*call)
        });
    let ends = deletes
        .map(|step| step.call)
        .chain(meddled)
        .chain(tenure.meddled);
    ends.min().unwrap_or(book.end)
}

/// From when to when a key was not there for certain: it was heard to be gone, and nothing of it was committed yet.
fn absences(stays: &[&Stay], put: At, book: &Book<'_>) -> Vec<(At, u64)> {
    let lag = book.run.limits.lag_micros;
    let gone = stays.iter().filter_map(|stay| {
        let next = book.timeline.began_after(stay.created.epoch);
        stay.gone.map(|(_, heard)| heard).or(next)
    });
    let gone = gone.chain(stays.is_empty().then_some(put));
    let until = |from: At| {
        let again = stays
            .iter()
            .map(|stay| stay.heard)
            .filter(|heard| *heard >= from);
        again.min().unwrap_or(book.end).micros.saturating_sub(lag)
    };
    gone.map(|from| (from, until(from))).collect()
}

/// When the session was live for certain, while the entry was wanted and not there.
fn seen_live_in(
    (gone, again): (At, u64),
    from: At,
    to: At,
    tenure: &Tenure<'_>,
    book: &Book<'_>,
) -> Option<At> {
    let from = from.max(gone);
    let pairs = tenure.looks.windows(2).filter(|pair| {
        let was_live = pair[0].is_live() && pair[1].is_live() && !pair[1].was_away;
        was_live && from < pair[0].call && pair[1].ret < to && pair[1].ret.micros < again
    });
    let of_life = |at: At| {
        let lives = 0..book.timeline.epochs();
        let mut begun = lives.skip(1).filter_map(|life| book.timeline.began(life));
        !begun.any(|began| {
            let trusted = began.micros + book.ttl() + book.run.limits.lag_micros;
            began.micros <= at.micros + book.run.limits.lag_micros && at.micros <= trusted
        })
    };
    let mut looks = pairs.map(|pair| pair[1].ret);
    looks.find(|at| of_life(*at))
}
