//! What is held again was held all the while: a guard that was suspended, and is seen held after that, has a claim that stood
//! through it, and nobody whom it excludes had a guard meanwhile.
//!
//! It looks only at guards that came back. Of what a third party has ended nothing is claimed from then on.

use super::{Book, Look, Story};
use crate::checks::timeline::Timeline;
use crate::history::{History, Standing};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for stories in book.by_root().values() {
        for story in stories {
            wrong.extend(revived(story));
            let Some((suspended, held)) = comeback(story) else {
                continue;
            };
            let gone = story.stay.and_then(|stay| stay.gone);
            if gone.is_some_and(|(_, heard)| heard < suspended.call) {
                wrong.push(format!(
                    "{} was suspended at {} µs, its claim gone, and held again at {} µs",
                    story.describe(),
                    suspended.call.micros,
                    held.call.micros
                ));
            }
            let next = stories
                .iter()
                .find(|other| is_let_in(other, story, held, book));
            wrong.extend(next.map(|next| {
                format!(
                    "{} was held again at {} µs, though {} was let in before",
                    story.describe(),
                    held.call.micros,
                    next.describe()
                )
            }));
        }
    }
    wrong
}

/// The last time that it came back: how it was seen suspended, and how it was then seen held.
fn comeback<'a>(story: &'a Story<'_>) -> Option<(&'a Look<'a>, &'a Look<'a>)> {
    let held = story.held().last()?;
    let mut before = story.looks.iter().filter(|look| look.ret < held.call);
    let suspended = before.rfind(|look| *look.standing == Standing::Suspended)?;
    Some((suspended, held))
}

/// What was lost is never held again.
fn revived(story: &Story<'_>) -> Option<String> {
    let is_lost = |look: &&Look<'_>| matches!(look.standing, Standing::Lost(_));
    let lost = story.looks.iter().find(is_lost)?;
    let held = story.held().find(|look| lost.ret < look.call)?;
    Some(format!(
        "{} was lost at {} µs, and held again at {} µs",
        story.describe(),
        lost.call.micros,
        held.call.micros
    ))
}

/// Whether another one, which came later and is excluded, had a guard before this one was seen held again.
fn is_let_in(other: &Story<'_>, story: &Story<'_>, held: &Look<'_>, book: &Book<'_>) -> bool {
    let moment = |story: &Story<'_>| {
        let token = story.token()?;
        Some(book.timeline.moment(super::created(token)))
    };
    let is_later = moment(other) > moment(story);
    let is_had = other.granted.is_some_and(|(_, at)| at < held.call);
    is_later && is_had && !other.agrees_with(story)
}
