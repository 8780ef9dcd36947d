//! In which phase of a move who was killed: for a test that wants to have seen them all.
//!
//! It judges nothing.

use std::collections::BTreeSet;

use globe::shards::{Phase, Row};

use super::records::rows;
use super::{Book, TABLES};
use crate::checks::timeline::{State, Timeline};
use crate::history::{At, History};
use crate::workload::STRICT;

/// Every death of a member in a phase of a row that named it, or while it planned: `strict: next, drain`.
pub(crate) fn deaths(history: &History, timeline: &Timeline) -> BTreeSet<String> {
    let found = super::read(history, timeline, |book| {
        TABLES.iter().flat_map(|table| of(book, table)).collect()
    });
    found.into_iter().collect()
}

fn of(book: &Book<'_>, table: &str) -> Vec<String> {
    let mode = if table == STRICT {
        "strict"
    } else {
        "available"
    };
    let mut found = Vec::new();
    for life in book.lives.values().filter(|life| life.keyspace == table) {
        let state = life.killed.and_then(|at| state_at(book, table, at));
        let member = state.and_then(|state| state.get(&format!("member/{}", life.id)));
        let (Some(state), Some(member)) = (state, member) else {
            continue;
        };
        let me = format!("{}@{}", life.id, member.created);
        let plans = plans(state, member.created);
        for (_, row) in rows(state) {
            let phase = phase(&row);
            let named = [
                ("owner", Some(&row.owner)),
                ("next", row.next.as_ref()),
                ("prev", row.prev.as_ref()),
            ];
            let its = named.into_iter();
            let its = its.filter(|(_, who)| who.is_some_and(|who| who.to_string() == me));
            found.extend(its.map(|(role, _)| format!("{mode}: {role}, {phase}")));
            if plans {
                found.push(format!("{mode}: planner, {phase}"));
            }
        }
    }
    found
}

fn phase(row: &Row) -> &'static str {
    match (row.phase, &row.prev) {
        (Some(Phase::Prepare), _) => "prepare",
        (Some(_), _) => "drain",
        (None, Some(_)) => "leaving",
        (None, None) => "settled",
    }
}

/// Whether who joined with this commit stands first of those that plan: it stands for it right after it has joined.
fn plans(state: &State, created: u64) -> bool {
    let candidates = state.range("planner/".to_owned().."planner0".to_owned());
    let first = candidates.map(|(_, stored)| stored.created).min();
    let joined = state.range("member/".to_owned().."member0".to_owned());
    let before = joined.filter(|(_, stored)| first > Some(stored.created));
    before.map(|(_, stored)| stored.created).max() == Some(created)
}

/// What the log held, as far as was heard by a moment.
fn state_at<'a>(book: &Book<'a>, table: &str, at: At) -> Option<&'a State> {
    let stretches = book.timeline.stretches(table).iter();
    let stretch = stretches
        .filter(|stretch| stretch.began < at)
        .max_by_key(|it| it.began)?;
    let heard = stretch
        .commits
        .iter()
        .take_while(|commit| commit.heard < at);
    Some(
        heard
            .last()
            .map_or(stretch.first_state(), |commit| &commit.after),
    )
}
