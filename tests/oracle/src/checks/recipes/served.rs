//! When all is mended and quiet, every shard has an owner that is there and serves it, and none moves.
//!
//! Quiet is when those who play say so: they wait for it as long as the run allows.

use super::records::{is_live, row_in};
use super::{Book, TABLES};
use crate::checks::timeline::{State, Timeline};
use crate::history::{At, History, ShardDid};

/// So long before that it may have been looked at last.
const LOOK_MICROS: u64 = 2_000_000;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let tables = TABLES.into_iter();
    let played = tables.filter(|table| book.lives.values().any(|life| life.keyspace == *table));
    played.flat_map(|table| unserved(book, table)).collect()
}

fn unserved(book: &Book<'_>, table: &str) -> Vec<String> {
    let lives = book.lives.values().filter(|life| life.keyspace == table);
    let Some(over) = lives.filter_map(|life| life.over).min() else {
        return vec![format!("{table}: nobody was there in the end")];
    };
    let Some((state, epoch)) = state_at(book, table, over) else {
        return vec![format!("{table}: no truth of the end is known")];
    };
    let mut wrong = Vec::new();
    for shard in 0..book.run.slots {
        let Some(row) = row_in(state, shard) else {
            wrong.push(format!("{table}: shard {shard} has no row in the end"));
            continue;
        };
        let moves = row.next.is_some() || row.phase.is_some() || row.prev.is_some();
        let serves = book.history.shard_steps().any(|step| {
            let (ShardDid::Served(stopped), Some(life)) = (&step.did, book.lives.get(&step.life))
            else {
                return false;
            };
            let is_his = (life.keyspace, life.id) == (table, row.owner.id())
                && (step.shard, step.token.number) == (shard, row.term)
                && step.token.epoch == epoch;
            is_his && over < *stopped && over.micros <= step.ret.micros + LOOK_MICROS
        });
        if moves || !is_live(state, &row.owner) || !serves {
            let is_live = is_live(state, &row.owner);
            wrong.push(format!(
                "{table}: shard {shard} in the end: {row:?}; its owner is there: {is_live}, and serves it: {serves}"
            ));
        }
    }
    wrong
}

/// What the log held, as far as was heard by a moment, and in which life.
fn state_at<'a>(book: &Book<'a>, table: &str, at: At) -> Option<(&'a State, globe::Epoch)> {
    let stretch = book.timeline.newest(table)?;
    let heard = stretch
        .commits
        .iter()
        .take_while(|commit| commit.heard < at);
    let state = heard
        .last()
        .map_or(stretch.first_state(), |commit| &commit.after);
    Some((state, stretch.epoch))
}
