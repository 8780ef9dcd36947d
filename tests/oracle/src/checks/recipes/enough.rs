//! A run of recipes that did too little proves nothing.
//!
//! The bounds come with the run.

use super::{Book, written};
use crate::checks::timeline::Timeline;
use crate::history::{History, Outcome, SettingDid, ShardDid};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let (history, limits) = (book.history, &book.run.limits);
    let is_served = |did: &ShardDid| matches!(did, ShardDid::Served(_));
    let served = history.shard_steps().filter(|step| is_served(&step.did));
    let published = history.setting_steps().filter(|step| {
        let SettingDid::Published { outcome, .. } = &step.did else {
            return false;
        };
        matches!(outcome, Outcome::Done(_))
    });
    let counts = [
        (
            "times that a shard was served",
            served.count(),
            limits.min_served,
        ),
        (
            "writes under shards",
            written::count(book),
            limits.min_writes,
        ),
        (
            "looks at services",
            history.listed().count(),
            limits.min_listed,
        ),
        ("published values", published.count(), limits.min_published),
    ];
    let few = counts.into_iter().filter(|(_, count, least)| count < least);
    few.map(|(what, count, least)| format!("only {count} {what}, not {least}"))
        .collect()
}
