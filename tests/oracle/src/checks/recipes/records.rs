//! The records of shard tables, as the truth tells them.
//!
//! It judges nothing.

use globe::shards::{Incarnation, Row};

use crate::checks::timeline::State;
use crate::history::Stored;

/// A row, if that is what was stored.
pub(crate) fn row(stored: &Stored) -> Option<Row> {
    serde_json::from_str(&stored.value.tag).ok()
}

/// The number of the shard that a key is of.
pub(crate) fn shard_of(key: &str) -> Option<u32> {
    key.strip_prefix("row/")?.parse().ok()
}

/// The row of a shard.
pub(crate) fn row_in(state: &State, shard: u32) -> Option<Row> {
    state.get(&format!("row/{shard:05}")).and_then(|it| row(it))
}

/// All rows, by their shards.
pub(crate) fn rows(state: &State) -> impl Iterator<Item = (u32, Row)> + '_ {
    let rows = state.range("row/".to_owned().."row0".to_owned());
    rows.filter_map(|(key, stored)| Some((shard_of(key)?, row(stored)?)))
}

/// Whether this life of a member is there.
pub(crate) fn is_live(state: &State, who: &Incarnation) -> bool {
    let member = state.get(&format!("member/{}", who.id()));
    member.is_some_and(|member| member.created == who.created())
}

/// The members that take shards, and since which revision they are there.
pub(crate) fn up(state: &State) -> impl Iterator<Item = (&str, u64)> {
    let members = state.range("member/".to_owned().."member0".to_owned());
    let up = members.filter(|(_, stored)| {
        let record: Option<serde_json::Value> = serde_json::from_str(&stored.value.tag).ok();
        record.is_some_and(|record| record["state"] == "up")
    });
    up.map(|(key, stored)| (key.trim_start_matches("member/"), stored.created))
}
