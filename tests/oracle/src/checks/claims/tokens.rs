//! Tokens: no two guards have one; those of who excludes others grow in the order in which they were let in; and each is the
//! commit that created its claim.
//!
//! Who was let in alone, or is seen held, has no one of a smaller token beside or behind it: so once a guard was had, nobody
//! whom it excludes is seen held with a smaller token. That a guard *was had* proves less for the guard itself, for it may be
//! had late, when it is suspended already. Of permits nothing of the order is claimed: they are held together.

use std::collections::BTreeMap;

use super::{Book, Story, created};
use crate::checks::floor::{Look, Raise, below};
use crate::checks::timeline::{Moment, Timeline};
use crate::history::{History, Share};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    wrong.extend(twice(book));
    for story in book.claims.values() {
        wrong.extend(stranger(story, book));
    }
    for stories in book.by_root().values() {
        let alone = |story: &&&Story<'_>| story.asked.share == Share::Alone;
        let reads = |story: &&&Story<'_>| story.asked.share == Share::Reads;
        let (alone, reads): (Vec<_>, Vec<_>) = (
            stories.iter().filter(alone).copied().collect(),
            stories.iter().filter(reads).copied().collect(),
        );
        let all: Vec<_> = alone.iter().chain(&reads).copied().collect();
        wrong.extend(falls(&alone, &all, book));
        wrong.extend(falls(&reads, &alone, book));
    }
    wrong
}

fn twice(book: &Book<'_>) -> Vec<String> {
    let mut seen: BTreeMap<String, &Story<'_>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for story in book.claims.values() {
        let Some(token) = story.token() else { continue };
        if let Some(other) = seen.insert(token.to_string(), story) {
            wrong.push(format!(
                "{} has the token of {}",
                story.describe(),
                other.describe()
            ));
        }
    }
    wrong
}

/// A token that no claim of this session, under this name, was created with.
fn stranger(story: &Story<'_>, book: &Book<'_>) -> Option<String> {
    let token = story.token()?;
    // Where the truth has a gap it says nothing.
    let state = book
        .timeline
        .state(crate::workload::CLAIMS, created(token))?;
    let Some(stay) = story.stay else {
        return Some(format!("{}: its token created nothing", story.describe()));
    };
    let prefix = format!("{}/", story.asked.root);
    let claim: globe::Claim = serde_json::from_str(&stay.tag).ok()?;
    let reads = story.asked.share == Share::Reads;
    let weight = match story.asked.share {
        Share::Permits(weight, _) => weight,
        Share::Alone | Share::Reads => 1,
    };
    let is_it = state.contains_key(&stay.key)
        && stay.key.starts_with(&prefix)
        && claim.by == story.by
        && (claim.mode == globe::Mode::Read) == reads
        && claim.weight == weight;
    (!is_it).then(|| {
        format!(
            "{}: its token created {} with {}",
            story.describe(),
            stay.key,
            stay.tag
        )
    })
}

/// Those that are seen held with a smaller token after one was had that excludes them.
fn falls(had: &[&Story<'_>], seen: &[&Story<'_>], book: &Book<'_>) -> Vec<String> {
    let moment = |story: &Story<'_>| -> Option<Moment> {
        Some(book.timeline.moment(created(story.token()?)))
    };
    let raises = had.iter().filter_map(|story| {
        let (_, at) = story.granted?;
        Some(Raise {
            tick: at.tick,
            moment: moment(story)?,
        })
    });
    let looks = seen.iter().flat_map(|story| {
        story.held().filter_map(|look| {
            Some(Look {
                tick: look.call.tick,
                moment: moment(story)?,
                what: *story,
            })
        })
    });
    let fallen = below(raises.collect(), looks.collect());
    let mut told = BTreeMap::new();
    for (look, floor) in fallen {
        told.entry(look.what.asked.claim).or_insert_with(|| {
            format!(
                "{} is seen held after a guard was had with the token {floor:?}",
                look.what.describe()
            )
        });
    }
    told.into_values().collect()
}
