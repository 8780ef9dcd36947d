//! Whoever looks at a service sees the members that the log held at that revision, as they were, and beside them only such as
//! are said to be held back.
//!
//! How late a look is it does not ask.

use std::collections::BTreeMap;

use super::Book;
use crate::checks::timeline::{State, Timeline};
use crate::history::{History, Listed};
use crate::workload::SERVICES;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, |book| {
        let listed = book.history.listed();
        listed.filter_map(|listed| invented(book, listed)).collect()
    })
}

fn invented(book: &Book<'_>, listed: &Listed) -> Option<String> {
    let state = book.timeline.state(SERVICES, listed.position)?;
    let there = members(state, &listed.service);
    let is_held = |id: &String| listed.held_back.contains(id);
    let shown = listed.members.iter().filter(|(id, _)| !is_held(id));
    let shown: BTreeMap<_, _> = shown.cloned().collect();
    let is_back = listed.held_back.iter().find(|id| there.contains_key(*id));
    let who = format!(
        "node {} at {} in {}",
        listed.node, listed.position, listed.service
    );
    match is_back {
        Some(id) => Some(format!("{who} holds {id} back, which is there")),
        None if shown != there => Some(format!("{who} listed {shown:?}, and there were {there:?}")),
        None => None,
    }
}

/// The members of a service, and what they say, as the log holds them.
fn members(state: &State, service: &str) -> BTreeMap<String, String> {
    let before = format!("{}/", service.replace('/', "%2F"));
    let theirs = state.iter().filter_map(|(key, stored)| {
        let id = key.strip_prefix(&before)?.replace("%2F", "/");
        let record: serde_json::Value = serde_json::from_str(&stored.value.tag).ok()?;
        let said = record["state"].as_str().unwrap_or("up");
        Some((id, format!("{said} {}", record["data"])))
    });
    theirs.collect()
}
