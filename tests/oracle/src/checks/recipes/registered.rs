//! Who has registered is listed in its own process when it is told so; and in the end all list who is registered, and nobody
//! else: none that has left, and none that was killed, after its lease and a moment.
//!
//! Looks in between it leaves to others.

use std::collections::BTreeSet;

use super::Book;
use crate::checks::timeline::Timeline;
use crate::history::{At, History, LifeDid, Listed};
use crate::workload::SERVICES;

/// For so long members may be held back, at most.
const HELD_MICROS: u64 = 5_000_000;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge)
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let unlisted = LifeDid::Began {
        is_sure: true,
        is_listed: false,
    };
    let steps = book.history.life_steps();
    let own = steps.filter(|step| step.did == unlisted);
    let own = own.map(|step| format!("{} was registered, and not listed", step.id));
    let last = book.history.listed().filter(|listed| listed.is_last);
    let mut wrong: Vec<_> = own
        .chain(last.flat_map(|listed| amiss(book, listed)))
        .collect();
    let is_played = book.lives.values().any(|life| life.keyspace == SERVICES);
    if is_played && !book.history.listed().any(|listed| listed.is_last) {
        wrong.push("nobody looked at the services in the end".to_owned());
    }
    wrong
}

fn amiss(book: &Book<'_>, listed: &Listed) -> Vec<String> {
    let grace = book.run.ttl_micros + book.run.limits.outlive_micros + HELD_MICROS;
    let is_late = |at: At| at.micros + grace < listed.call.micros;
    let (mut there, mut fresh) = (BTreeSet::new(), BTreeSet::new());
    for life in book.lives.values().filter(|life| life.keyspace == SERVICES) {
        let Some((service, id)) = life.id.split_once(' ') else {
            continue;
        };
        if service != listed.service {
            continue;
        }
        match life.ends.filter(|ends| *ends < listed.call) {
            None if life.began.is_some_and(|(_, ret)| ret < listed.call) => {
                there.insert(id);
            }
            Some(ends) if is_late(ends) => {}
            // It may be there, or not.
            _ => {
                fresh.insert(id);
            }
        }
    }
    let shown: BTreeSet<_> = listed.members.iter().map(|(id, _)| id.as_str()).collect();
    let who = format!("node {} in {} in the end", listed.node, listed.service);
    let missing = there.difference(&shown);
    let missing = missing.map(|id| format!("{who}: {id} is registered, and not listed"));
    let known = there.union(&fresh).copied().collect();
    let gone = shown.difference(&known);
    let gone = gone.map(|id| format!("{who}: {id} has ended, and is listed"));
    missing.chain(gone).collect()
}
