//! Who is a member stays one: where nobody is killed or cut off by himself, and leases outlive every outage, a record goes only
//! when its member ends. And of who was killed it goes in time.
//!
//! It asks nothing of members that were meddled with.

use super::{Book, Life, TABLES, record_of};
use crate::checks::claims::stays::{Stay, stays};
use crate::checks::timeline::Timeline;
use crate::history::{At, History};
use crate::workload::SERVICES;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let end = end(book.history);
    for keyspace in TABLES.into_iter().chain([SERVICES]) {
        let lives = book.lives.values();
        let lives: Vec<_> = lives.filter(|life| life.keyspace == keyspace).collect();
        for stay in stays(book.timeline, keyspace) {
            let is_of = |life: &&&Life<'_>| record_of(life) == stay.key;
            let its: Vec<_> = lives.iter().filter(is_of).copied().collect();
            if its.is_empty() || its.iter().any(|life| life.meddled.is_some()) {
                continue;
            }
            if book.run.is_steady {
                wrong.extend(for_nothing(&stay, &its, keyspace));
            }
            wrong.extend(outlived(book, &stay, &its, end).map(|late| {
                format!(
                    "{keyspace}: {} stood {late} ms after who was killed could last have renewed it",
                    stay.key
                )
            }));
        }
    }
    wrong
}

/// A record that went though none of those it is of had begun to end.
fn for_nothing(stay: &Stay, its: &[&Life<'_>], keyspace: &str) -> Option<String> {
    let (_, heard) = stay.gone?;
    let ended = |life: &&Life<'_>| life.ends.is_some_and(|ends| ends < heard);
    let is_due = its.iter().any(ended);
    (!is_due).then(|| {
        format!(
            "{keyspace}: {} was gone at {} µs, though it had not ended",
            stay.key, heard.micros
        )
    })
}

/// How much too long it stood of somebody who was killed, and whom nobody followed under its key.
fn outlived(book: &Book<'_>, stay: &Stay, its: &[&Life<'_>], end: At) -> Option<u64> {
    let last = its
        .iter()
        .max_by_key(|life| life.began.map(|(_, ret)| ret))?;
    let killed = last.killed.filter(|killed| stay.heard < *killed)?;
    let limits = &book.run.limits;
    // What a restore brought back lives for one time of its lease.
    let began = book.timeline.began(stay.created.epoch);
    let from = began.map_or(killed, |began| began.max(killed));
    let due = from.micros + book.run.ttl_micros + limits.outlive_micros;
    let until = stay.until(book.timeline, end).micros;
    (due < until).then(|| (until - from.micros) / 1_000)
}

fn end(history: &History) -> At {
    let heard = history.truths().map(|truth| truth.at);
    heard.max().unwrap_or_default()
}
