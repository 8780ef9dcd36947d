//! Nothing outlives its session: what stood under its leases is gone when they are revoked, and otherwise when they have ended
//! by themselves.
//!
//! A restored log may bring back what stood in its backup, with its lease, for one more time of it: also under one that its
//! session had given back before, and has no reason to revoke again when it is closed. When the truth heard that
//! something had gone it is later than that by an unknown time, which the bounds have to allow for.

use std::collections::BTreeMap;

use super::stays::{Stay, stays};
use super::{Book, Tenure};
use crate::checks::timeline::Timeline;
use crate::history::History;
use crate::workload::PRESENT;

pub(crate) fn check(history: &History, timeline: &Timeline) -> Vec<String> {
    super::read(history, timeline, judge).unwrap_or_default()
}

fn judge(book: &Book<'_>) -> Vec<String> {
    let by_name: BTreeMap<&str, &Tenure<'_>> = book
        .sessions
        .values()
        .map(|tenure| (tenure.name, tenure))
        .collect();
    let entries = stays(book.timeline, PRESENT);
    let mut wrong = Vec::new();
    for stay in entries.iter().chain(book.stays) {
        // What a recipe only remembers is permanent.
        let is_note = book
            .claims
            .values()
            .any(|story| story.asked.root == stay.key);
        let Some(tenure) = owner(stay).and_then(|name| by_name.get(name.as_str())) else {
            continue;
        };
        let until = stay.until(book.timeline, book.end).micros;
        if let Some(bound) = bound(stay, tenure, book)
            && until > bound
            && !is_note
        {
            wrong.push(format!(
                "{} of {} stood until {until} µs, though it was to be gone by {bound} µs",
                stay.key, tenure.name
            ));
        }
    }
    wrong
}

/// The name of the session that an entry or a claim is of.
fn owner(stay: &Stay) -> Option<String> {
    if let Ok(claim) = serde_json::from_str::<globe::Claim>(&stay.tag) {
        return Some(claim.by);
    }
    let (name, _) = stay.key.rsplit_once('-')?;
    Some(name.to_owned())
}

/// By when it had to be gone, if its session has ended.
fn bound(stay: &Stay, tenure: &Tenure<'_>, book: &Book<'_>) -> Option<u64> {
    let (ended, is_revoked) = tenure.ended?;
    let limits = &book.run.limits;
    let lapse = |from: u64| from + book.ttl() + limits.outlive_micros;
    let is_first = stay.created.epoch == 0;
    let began = book.timeline.began(stay.created.epoch);
    let revived = began.filter(|_| !is_first).map(|began| lapse(began.micros));
    let ended = match is_revoked {
        true => ended.micros + limits.lag_micros,
        false => lapse(ended.micros),
    };
    Some(revived.map_or(ended, |revived| revived.max(ended)))
}
