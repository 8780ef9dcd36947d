//! The log itself: its revisions grow, its members agree, and what transactions keep is kept in it.
//!
//! It looks at no replica.

use std::collections::HashMap;

use super::timeline::{State, Timeline};
use crate::history::{Base, History, Stored, Truth};
use crate::workload::BALANCE;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    let mut wrong = grows(history);
    wrong.extend(agrees(history));
    for keyspace in timeline.keyspaces() {
        for stretch in timeline.stretches(keyspace) {
            for commit in &stretch.commits {
                let broken = broken_invariant(&commit.after);
                wrong.extend(
                    broken.map(|why| format!("{keyspace} at revision {}: {why}", commit.revision)),
                );
            }
        }
    }
    wrong
}

fn grows(history: &History) -> Vec<String> {
    let mut last = HashMap::new();
    let mut wrong = Vec::new();
    for truth in history.truths() {
        let ear = (&truth.member, &truth.keyspace, truth.position.epoch);
        let before = last.insert(ear, truth.position.revision);
        let grew = match before {
            Some(before) if truth.changes.is_empty() => before <= truth.position.revision,
            Some(before) => before < truth.position.revision,
            None => true,
        };
        if !grew {
            let Truth {
                member, keyspace, ..
            } = truth;
            wrong.push(format!(
                "{member} went back to {} in {keyspace}",
                truth.position
            ));
        }
        let strangers = truth.changes.iter().filter(|(_, stored)| {
            stored
                .as_ref()
                .is_some_and(|stored| stored.modified != truth.position.revision.0)
        });
        wrong.extend(strangers.map(|(key, _)| {
            format!(
                "{key} in the commit at {} says another revision",
                truth.position
            )
        }));
    }
    wrong
}

type Told<'a> = Vec<(String, Option<Stored>)>;

/// Each commit that several members could hear, all of them told, and told the same.
fn agrees(history: &History) -> Vec<String> {
    let mut ranges: HashMap<(&str, &str), Vec<(&Base, u64)>> = HashMap::new();
    let mut commits: HashMap<_, Vec<(&str, Told<'_>)>> = HashMap::new();
    for event in &history.events {
        match event {
            crate::history::Event::Base(base) => {
                let ear = (base.keyspace.as_str(), base.member.as_str());
                let begun = (base, base.position.revision.0);
                ranges.entry(ear).or_default().push(begun);
            }
            crate::history::Event::Truth(truth) => {
                let ear = (truth.keyspace.as_str(), truth.member.as_str());
                if let Some((_, to)) = ranges.get_mut(&ear).and_then(|ranges| ranges.last_mut()) {
                    *to = truth.position.revision.0;
                }
                if !truth.changes.is_empty() {
                    let mut told = truth.changes.clone();
                    told.sort_by(|a, b| a.0.cmp(&b.0));
                    let commit = (truth.keyspace.as_str(), truth.position);
                    let tellers = commits.entry(commit).or_default();
                    tellers.push((truth.member.as_str(), told));
                }
            }
            _ => {}
        }
    }
    let mut wrong = Vec::new();
    for ((keyspace, position), tellers) in commits {
        let (first, told) = &tellers[0];
        for (member, other) in &tellers[1..] {
            if other != told {
                wrong.push(format!(
                    "{first} and {member} tell {keyspace} at {position} differently"
                ));
            }
        }
        for ((there, member), ranges) in &ranges {
            let could = ranges.iter().any(|(base, to)| {
                base.position.epoch == position.epoch
                    && base.position.revision < position.revision
                    && position.revision.0 <= *to
            });
            if *there == keyspace && could && !tellers.iter().any(|(teller, _)| teller == member) {
                wrong.push(format!(
                    "{member} never told of {keyspace} at {position}, {first} did"
                ));
            }
        }
    }
    wrong
}

/// What every transaction keeps: twins are the same, and no money comes or goes.
pub(crate) fn broken_invariant(state: &State) -> Option<String> {
    let tag = |key: &str| state.get(key).map(|stored| stored.value.tag.as_str());
    if tag("twin-a") != tag("twin-b") {
        return Some(format!(
            "the twins differ: {:?} and {:?}",
            tag("twin-a"),
            tag("twin-b")
        ));
    }
    let accounts = state.iter().filter(|(key, _)| key.starts_with("account-"));
    let (count, sum) = accounts.fold((0, 0), |(count, sum), (_, stored)| {
        (count + 1, sum + stored.value.amount)
    });
    (sum != count * BALANCE).then(|| format!("{count} accounts hold {sum} in all"))
}
