//! Once all is mended, everybody who asks is let in within a bound; and what nobody wants any more is swept.
//!
//! Without a fault that heals all, it asks nothing.

use super::Book;
use crate::checks::timeline::Timeline;
use crate::history::{At, Effect, History};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let healed = book
        .history
        .faults()
        .filter(|fault| fault.effect == Effect::HealsAll);
    let Some(healed) = healed.map(|fault| fault.at).max() else {
        return Vec::new();
    };
    let mut wrong = kept_waiting(book, healed);
    wrong.extend(left_behind(book, healed));
    wrong
}

/// Who asked for as long as it takes, and was not let in in time.
fn kept_waiting(book: &Book<'_>, healed: At) -> Vec<String> {
    let bound = book.run.limits.settle_micros;
    let late = book.claims.values().filter(|story| {
        let is_asked = story.asked.is_patient && story.asked.at > healed;
        let in_time = |at: At| at.micros <= story.asked.at.micros + bound;
        let is_let_in = story.granted.is_some_and(|(_, at)| in_time(at));
        is_asked && !is_let_in
    });
    late.map(|story| {
        format!(
            "{} was not let in within its bound after all was mended",
            story.describe()
        )
    })
    .collect()
}

/// What stands long after everybody has let go of everything.
fn left_behind(book: &Book<'_>, healed: At) -> Vec<String> {
    // Of what nobody has let go something may stand.
    if book.claims.values().any(|story| story.over.is_none()) {
        return Vec::new();
    }
    let over = book.claims.values().filter_map(|story| story.over).max();
    let Some(quiet) = over.map(|over| over.max(healed).micros) else {
        return Vec::new();
    };
    let bound = quiet + book.run.limits.settle_micros;
    let is_note = |key: &str| book.claims.values().any(|story| story.asked.root == key);
    let left = book.stays.iter().filter(|stay| {
        let until = stay.until(book.timeline, book.end).micros;
        until > bound && !is_note(&stay.key)
    });
    left.map(|stay| {
        format!(
            "{} still stands, though nobody has wanted anything since {quiet} µs",
            stay.key
        )
    })
    .collect()
}
