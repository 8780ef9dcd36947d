//! A shard of a strict table is never served by two: what was certainly owned by one was not by another, it is handed over only
//! when who had it has stopped, and its token is the term that its row said.
//!
//! Two looks at one tenure prove the time between, for it is asked whether it was owned without a break. When looks were late
//! they prove less, and accuse nobody.

use std::collections::{BTreeMap, BTreeSet};

use globe::shards::Phase;

use super::records::{is_live, row, rows, shard_of};
use super::{Book, Life, TABLES, owned};
use crate::checks::timeline::Timeline;
use crate::history::{At, History, ShardDid, ShardStep};
use crate::workload::STRICT;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, |book| {
        let mut wrong = together(book);
        wrong.extend(handed(book));
        for table in TABLES {
            wrong.extend(strangers(book, table));
        }
        wrong
    })
}

/// For people.
fn describe(step: &ShardStep, life: &Life<'_>) -> String {
    format!(
        "{} (life {}), shard {} with {}",
        life.id, step.life, step.shard, step.token
    )
}

type Span<'a> = (At, At, &'a ShardStep, &'a Life<'a>);

/// Two that owned a shard at the same time.
fn together(book: &Book<'_>) -> Vec<String> {
    let mut shards: BTreeMap<u32, Vec<Span<'_>>> = BTreeMap::new();
    for (step, life) in book.steps(STRICT) {
        if let Some((from, to)) = owned(step, life) {
            let spans = shards.entry(step.shard).or_default();
            spans.push((from, to, step, life));
        }
    }
    let mut wrong = Vec::new();
    for spans in shards.values_mut() {
        spans.sort_by_key(|(from, ..)| *from);
        for (index, one) in spans.iter().enumerate() {
            let later = spans[index + 1..].iter();
            let during = later.take_while(|other| other.0 < one.1);
            let two = during.into_iter().find(|other| exclude(book, one, other));
            wrong.extend(two.map(|other| {
                format!(
                    "{} was owned from {} to {} µs, and {} from {} to {} µs",
                    describe(one.2, one.3),
                    one.0.micros,
                    one.1.micros,
                    describe(other.2, other.3),
                    other.0.micros,
                    other.1.micros
                )
            }));
        }
    }
    wrong
}

/// Whether these two may not own one shard together. Who was not there in the former life of the log knows nothing of it.
fn exclude(book: &Book<'_>, one: &Span<'_>, other: &Span<'_>) -> bool {
    let ((.., one, first), (.., other, second)) = (one, other);
    if one.token == other.token && one.life == other.life {
        return false;
    }
    if one.token.epoch == other.token.epoch {
        return true;
    }
    let epoch = |step: &ShardStep| book.timeline.moment(super::position(step.token)).epoch;
    let (newer, its) = match epoch(one) > epoch(other) {
        true => (epoch(one), first),
        false => (epoch(other), second),
    };
    let began = book.timeline.began(newer);
    let knew = |life: &Life<'_>| life.began.is_some_and(|(call, _)| began > Some(call));
    knew(its)
}

/// What was handed over while who had it had not stopped.
fn handed(book: &Book<'_>) -> Vec<String> {
    let served: Vec<_> = book.steps(STRICT).collect();
    let mut wrong = Vec::new();
    for stretch in book.timeline.stretches(STRICT) {
        let mut before = stretch.first_state();
        for commit in &stretch.commits {
            for key in &commit.keys {
                let was = before.get(key).and_then(|it| row(it));
                let is = commit.after.get(key).and_then(|it| row(it));
                let (Some(shard), Some(was), Some(is)) = (shard_of(key), was, is) else {
                    continue;
                };
                let is_planned = was.phase == Some(Phase::Drain) && is_live(before, &was.owner);
                if was.owner == is.owner || !is_planned {
                    continue;
                }
                let serving = served.iter().find(|(step, life)| {
                    let ShardDid::Served(stopped) = step.did else {
                        return false;
                    };
                    let is_it = (step.shard, step.token.number) == (shard, was.term)
                        && step.token.epoch == stretch.epoch
                        && life.killed.is_none_or(|killed| commit.heard < killed);
                    is_it && step.call < commit.heard && commit.heard < stopped
                });
                wrong.extend(serving.map(|(step, life)| {
                    format!(
                        "{} was handed over at {}, and not stopped until later",
                        describe(step, life),
                        commit.revision
                    )
                }));
            }
            before = &commit.after;
        }
    }
    wrong
}

/// Tokens that no row said of who had them, or that two had.
fn strangers(book: &Book<'_>, table: &str) -> Vec<String> {
    let mut owners: BTreeMap<(usize, u32, u64), BTreeSet<String>> = BTreeMap::new();
    let timeline = book.timeline;
    for stretch in timeline.stretches(table) {
        let epoch = timeline
            .moment(globe::Position::new(stretch.epoch, globe::Revision(0)))
            .epoch;
        let commits = stretch.commits.iter().flat_map(|commit| {
            let touched = commit.keys.iter().filter_map(|key| {
                let row = row(commit.after.get(key)?)?;
                Some((shard_of(key)?, row))
            });
            touched.collect::<Vec<_>>()
        });
        for (shard, row) in rows(stretch.first_state()).chain(commits) {
            let owned = owners.entry((epoch, shard, row.term)).or_default();
            owned.insert(row.owner.to_string());
        }
    }
    let two = owners.iter().filter(|(_, owners)| owners.len() > 1);
    let two = two.map(|((_, shard, term), owners)| {
        format!("{table}: shard {shard} had {owners:?} in one term, {term}")
    });
    let mut wrong: Vec<_> = two.collect();
    let mut had: BTreeMap<(usize, u32, u64), u32> = BTreeMap::new();
    for (step, life) in book.steps(table) {
        let epoch = timeline.moment(super::position(step.token)).epoch;
        let token = (epoch, step.shard, step.token.number);
        let first = *had.entry(token).or_insert(step.life);
        if first != step.life {
            wrong.push(format!("{} was life {first}'s", describe(step, life)));
        }
        let is_his = match owners.get(&token) {
            Some(owners) => owners
                .iter()
                .any(|owner| owner.rsplit_once('@').is_some_and(|(id, _)| id == life.id)),
            // The truth has gaps where the log forgot.
            None => !timeline.is_complete(table),
        };
        if !is_his {
            wrong.push(format!(
                "{} is not what its row ever said",
                describe(step, life)
            ));
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}
