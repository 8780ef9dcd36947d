//! What was written under a shard landed while its row said that owner and that term; so, what lands in one shard lands in the
//! order of its tokens.
//!
//! It goes by the positions of the commits alone, and by no clock: it holds whoever was paused, cut off or meddled with.

use std::collections::BTreeMap;

use globe::Position;

use super::Book;
use super::records::row_in;
use crate::checks::timeline::{Moment, Timeline};
use crate::history::{History, ShardDid};

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut landed: BTreeMap<(&str, u32), Vec<(Moment, u64)>> = BTreeMap::new();
    for step in book.history.shard_steps() {
        let (ShardDid::Writes(tag), Some(life)) = (&step.did, book.lives.get(&step.life)) else {
            continue;
        };
        for landing in book.timeline.landed(tag) {
            let Some(position) = book.timeline.position(landing.at) else {
                continue;
            };
            let what = format!(
                "{}: {tag} of {} with {} landed at {position}",
                life.keyspace, life.id, step.token
            );
            if position.epoch != step.token.epoch {
                // A restored log tells again of what had landed before.
                if !is_old(book, tag, step.token.epoch) {
                    wrong.push(format!("{what}, in another life of the log"));
                }
                continue;
            }
            let written = landed.entry((life.keyspace, step.shard)).or_default();
            written.push((landing.at, step.token.number));
            if let Some(named) = said(book, life.keyspace, step.shard, position) {
                let is_his = named == (life.id.to_owned(), step.token.number);
                wrong.extend((!is_his).then(|| format!("{what}, when its row said {named:?}")));
            }
        }
    }
    for ((table, shard), written) in &mut landed {
        written.sort_unstable();
        let back = written.windows(2).find(|pair| {
            let [(one, first), (other, second)] = [pair[0], pair[1]];
            one.epoch == other.epoch && second < first
        });
        wrong.extend(
            back.map(|pair| {
                format!("{table}: what was written to shard {shard} went back: {pair:?}")
            }),
        );
    }
    wrong
}

/// It landed in the life of the log that it was meant for.
fn is_old(book: &Book<'_>, tag: &str, epoch: globe::Epoch) -> bool {
    let mut landings = book.timeline.landed(tag).iter();
    landings.any(|landing| {
        let position = book.timeline.position(landing.at);
        position.is_some_and(|position| position.epoch == epoch)
    })
}

/// Whom the row of a shard named at a position, and in which term; nothing if that is not known.
fn said(book: &Book<'_>, table: &str, shard: u32, position: Position) -> Option<(String, u64)> {
    let state = book.timeline.state(table, position)?;
    let row = row_in(state, shard);
    Some(row.map_or((String::new(), 0), |row| {
        (row.owner.id().to_owned(), row.term)
    }))
}

/// How many landed.
pub(crate) fn count(book: &Book<'_>) -> usize {
    let writes = book.history.shard_steps().filter(|step| {
        let ShardDid::Writes(tag) = &step.did else {
            return false;
        };
        !book.timeline.landed(tag).is_empty()
    });
    writes.count()
}
