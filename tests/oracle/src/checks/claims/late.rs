//! A holder learns in time: no guard says that it is held once its claim has ended in the log, which it has at the earliest
//! when the lease could have ended.
//!
//! By the recorder's clock, which all nodes of a run share, and by when the truth heard of the end, which is never before it:
//! what is said after that is said too late. `slack_micros` of the run are allowed. When the log went into another life a
//! guard may trust its lease to its end, which is at most its whole time away. Of what a third party has ended nothing is
//! claimed from then on, and nothing of guards that were let go: nobody looks at them.

use super::{Book, Story};
use crate::checks::timeline::Timeline;
use crate::history::History;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let slack = book.history.run().limits.slack_micros;
    let late = book.claims.values().filter_map(|story| {
        let (end, why) = end(story, book)?;
        let look = story.held().find(|look| look.call.micros > end + slack)?;
        Some(format!(
            "{} said at {} µs that it is held, though {why} at {end} µs",
            story.describe(),
            look.call.micros
        ))
    });
    late.collect()
}

/// From when on it cannot be held, by the recorder's clock, and why.
fn end(story: &Story<'_>, book: &Book<'_>) -> Option<(u64, &'static str)> {
    let stay = story.stay?;
    let gone = stay
        .gone
        .map(|(_, heard)| (heard.micros, "it was gone from the log"));
    let began = book.timeline.began_after(stay.created.epoch);
    let lapsed = began.map(|began| {
        let lapsed = began.micros + book.ttl();
        (lapsed, "its lease of a former life was over")
    });
    gone.into_iter().chain(lapsed).min()
}
