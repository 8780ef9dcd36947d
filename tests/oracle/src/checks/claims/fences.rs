//! What was written under a claim landed while the claim stood, and what was written under claims of one name landed in the
//! order of their tokens.
//!
//! It goes by the positions of the commits alone, and by no clock: it holds whoever was paused, cut off or meddled with.

use std::collections::BTreeMap;

use super::{Book, Story, created};
use crate::checks::timeline::{Landing, Moment, Timeline};
use crate::history::{History, Share};
use crate::workload::CLAIMS;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut written: BTreeMap<&str, Vec<(Moment, Moment, &Story<'_>)>> = BTreeMap::new();
    for fenced in book.history.fenced() {
        let Some(story) = book.claims.get(&fenced.claim) else {
            wrong.push(format!("{} was written under no claim", fenced.tag));
            continue;
        };
        let Some(token) = story.token() else { continue };
        let mine = book.timeline.moment(created(token));
        for landing in book.timeline.landed(&fenced.tag) {
            wrong.extend(late(&fenced.tag, story, landing, book));
            if story.asked.share == Share::Alone {
                let root = written.entry(story.asked.root.as_str()).or_default();
                root.push((landing.at, mine, story));
            }
        }
    }
    for landed in written.values_mut() {
        landed.sort_by_key(|(at, ..)| *at);
        for pair in landed.windows(2) {
            let ((_, earlier, one), (at, later, other)) = (pair[0], pair[1]);
            if earlier.epoch == later.epoch && later < earlier {
                wrong.push(format!(
                    "what was written under {} landed at {at:?}, after what was written under {}",
                    other.describe(),
                    one.describe()
                ));
            }
        }
    }
    wrong
}

/// A write that landed where its claim did not stand.
fn late(tag: &str, story: &Story<'_>, landing: &Landing, book: &Book<'_>) -> Option<String> {
    let token = story.token()?;
    // Where the truth has a gap it says nothing.
    let before = book.timeline.before(CLAIMS, landing.at)?;
    let life = book.timeline.position(landing.at)?.epoch;
    let stood = before.iter().any(|(key, stored)| {
        stored.created == token.number && key.starts_with(story.asked.root.as_str())
    });
    (life != token.epoch || !stood).then(|| {
        format!(
            "{tag} landed at {:?}, where {} did not stand",
            landing.at,
            story.describe()
        )
    })
}
