//! Two who exclude each other are never let in at once: two holders of a lock, two leaders, a writer and anybody, more
//! permits than there are.
//!
//! A look proves a moment, two looks at one guard prove the time between: a guard that was seen held, and is seen held later,
//! stood at its place in the queue all the while, whether it was *suspended* in between or not; for what is held again holds
//! only if its claim stood all the while, and as long as that stands, nobody whom it excludes is let in. So whoever was seen
//! held by a look that lies wholly between two such looks was let in beside it. Looks that only overlap prove nothing: each
//! may have been true at another moment of theirs.
//!
//! This holds across lives of the log too: nobody is let in for one time of a lease after the life began, and who held in the
//! life before has renewed its lease before that, so it has learnt by then that it does not hold. (All sessions of a run have
//! leases of one length, and all maps are open from its beginning.) Of what a third party has ended nothing is claimed from
//! then on.

use super::{Book, Look, Story};
use crate::checks::timeline::Timeline;
use crate::history::{History, Share};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for stories in book.by_root().values() {
        let mut spans: Vec<_> = stories
            .iter()
            .filter_map(|it| Some((it.span()?, *it)))
            .collect();
        spans.sort_by_key(|((from, _), _)| *from);
        for story in stories {
            // One is enough: the others are of the same.
            wrong.extend(story.held().find_map(|look| beside(story, look, &spans)));
        }
    }
    wrong
}

type Spans<'a, 'b> = [((crate::history::At, crate::history::At), &'a Story<'b>)];

/// Who was let in when this look saw another one hold, though they exclude each other.
fn beside(story: &Story<'_>, look: &Look<'_>, spans: &Spans<'_, '_>) -> Option<String> {
    let begun = spans.partition_point(|((from, _), _)| *from < look.call);
    let others = spans[..begun]
        .iter()
        .filter(|((_, to), other)| look.ret < *to && other.asked.claim != story.asked.claim);
    let others: Vec<&Story<'_>> = others.map(|(_, other)| *other).collect();
    let at = look.call.micros;
    if let Some(other) = others.iter().find(|other| !story.agrees_with(other)) {
        return Some(format!(
            "{} held at {at} µs, while {} was let in",
            story.describe(),
            other.describe()
        ));
    }
    let Share::Permits(mine, limit) = story.asked.share else {
        return None;
    };
    let theirs = others.iter().map(|other| match other.asked.share {
        Share::Permits(weight, _) => weight,
        Share::Alone | Share::Reads => limit,
    });
    let all = mine + theirs.sum::<u32>();
    (all > limit).then(|| {
        format!(
            "{} held at {at} µs, and with {} others {all} permits of {limit}",
            story.describe(),
            others.len()
        )
    })
}
