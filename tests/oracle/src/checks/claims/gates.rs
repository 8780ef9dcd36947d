//! A gate never lets in who held before somebody it has let in, and never goes back to a life of the log that it has left.
//!
//! It judges only gates: who is let in where there is none is advice.

use std::collections::BTreeMap;

use globe::{Epoch, Token};

use super::Book;
use crate::checks::timeline::Timeline;
use crate::history::{History, Share, Verdict};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

/// What a gate has admitted.
#[derive(Default)]
struct Seen {
    lives: Vec<Epoch>,
    alone: u64,
    any: u64,
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut gates: BTreeMap<&str, Seen> = BTreeMap::new();
    let mut wrong = Vec::new();
    for admission in book.history.admissions() {
        let Some(story) = book.claims.get(&admission.claim) else {
            wrong.push(format!("{} let in who has no claim", admission.gate));
            continue;
        };
        if admission.verdict != Verdict::Admitted {
            continue;
        }
        let seen = gates.entry(admission.gate.as_str()).or_default();
        let is_alone = story.asked.share == Share::Alone;
        let why = admit(seen, admission.token, is_alone);
        wrong.extend(why.map(|why| {
            format!(
                "{} let {} in at {} µs, {why}",
                admission.gate,
                story.describe(),
                admission.at.micros
            )
        }));
    }
    wrong
}

fn admit(seen: &mut Seen, token: Token, is_alone: bool) -> Option<String> {
    if seen.lives.last() != Some(&token.epoch) {
        if seen.lives.contains(&token.epoch) {
            return Some("whose life of the log was left".to_owned());
        }
        seen.lives.push(token.epoch);
        (seen.alone, seen.any) = (0, 0);
    }
    let least = if is_alone { seen.any } else { seen.alone };
    let is_late = token.number < least;
    seen.any = seen.any.max(token.number);
    if is_alone {
        seen.alone = seen.alone.max(token.number);
    }
    is_late.then(|| format!("after one with {least}"))
}
