//! What stands in the keyspace of a shard table: its shape, its members, its planners, its rows.
//!
//! Never says at which key: that is decided by what is made of one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::recipes::shards::row::{Mode, Row};
use crate::recipes::shards::shard_member::ShardMember;

/// One record, told from others by what it must have: `term`, `mode`, `state`, `by`, `drained_by` or `rebalanced_by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Record {
    Row(Row),
    Shape(Shape),
    Member(ShardMember),
    Candidate {
        by: String,
    },
    /// An operator wants a member to have nothing.
    Drained {
        drained_by: String,
    },
    /// An operator wants the shards to be spread evenly now.
    Rebalance {
        rebalanced_by: String,
    },
}

/// What a table is: decided once, by who opens it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// How many shards there are; none where they are ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slots: Option<u32>,
    pub(crate) mode: Mode,
    /// How many members own each.
    pub(crate) replicas: u32,
}

impl Shape {
    /// Where a row is among the rows.
    #[inline]
    pub(crate) fn at(self, row: RowId) -> usize {
        row.shard as usize * self.replicas as usize + row.replica as usize
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape {
            slots,
            mode,
            replicas,
        } = self;
        match slots {
            Some(slots) => write!(f, "{slots} slots")?,
            None => write!(f, "ranges")?,
        }
        write!(f, " in mode {mode:?} with {replicas} owners each")
    }
}

/// What a key of the keyspace is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Shape,
    Member(&'a str),
    Candidate,
    Drained(&'a str),
    Rebalance,
    Row(RowId),
}

/// Which row: of which shard, and the how-manieth of its owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RowId {
    pub(crate) shard: u32,
    pub(crate) replica: u32,
}

/// Where the shape of the table stands.
pub(crate) const SHAPE: &str = "table";
/// Where an operator asks that the shards are spread evenly.
pub(crate) const REBALANCE: &str = "rebalance";
/// What the keys of those begin with who want to plan.
pub(crate) const CANDIDATES: &str = "planner/";

pub(crate) fn member_key(id: &str) -> String {
    format!("member/{id}")
}

pub(crate) fn drained_key(id: &str) -> String {
    format!("drained/{id}")
}

pub(crate) fn row_key(row: RowId) -> String {
    let RowId { shard, replica } = row;
    match replica {
        0 => format!("row/{shard:05}"),
        replica => format!("row/{shard:05}/{replica}"),
    }
}

/// What a key is for; nothing if it is nobody's.
pub(crate) fn place(key: &str) -> Option<Place<'_>> {
    match key.split_once('/') {
        None if key == SHAPE => Some(Place::Shape),
        None if key == REBALANCE => Some(Place::Rebalance),
        Some(("member", id)) if !id.is_empty() && !id.contains('/') => Some(Place::Member(id)),
        Some(("drained", id)) if !id.is_empty() && !id.contains('/') => Some(Place::Drained(id)),
        Some(("planner", _)) => Some(Place::Candidate),
        Some(("row", rest)) => {
            let (shard, replica) = rest.split_once('/').unwrap_or((rest, "0"));
            let row = RowId {
                shard: shard.parse().ok()?,
                replica: replica.parse().ok()?,
            };
            // What is written in any other way is nobody's: two keys are never one row.
            (row_key(row) == key).then_some(Place::Row(row))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_what_it_says_and_no_two_are_for_one_row() {
        let row = |shard, replica| Some(Place::Row(RowId { shard, replica }));
        let table = [
            ("table", Some(Place::Shape)),
            ("member/w7", Some(Place::Member("w7"))),
            ("planner/0-1", Some(Place::Candidate)),
            ("drained/w7", Some(Place::Drained("w7"))),
            ("rebalance", Some(Place::Rebalance)),
            ("row/00042", row(42, 0)),
            ("row/00042/2", row(42, 2)),
            ("row/123456", row(123_456, 0)),
            ("row/42", None),
            ("row/00042/0", None),
            ("row/00042/02", None),
            ("row/x", None),
            ("member/", None),
            ("member/a/b", None),
            ("other", None),
        ];
        for (key, meant) in table {
            assert_eq!(place(key), meant, "{key}");
        }
    }

    #[test]
    fn a_record_is_told_by_what_it_must_have() {
        let table = [
            r#"{"owner":"w7@81","term":5}"#,
            r#"{"slots":10000,"mode":"strict","replicas":1}"#,
            r#"{"state":"up","weight":100,"zone":"a"}"#,
            r#"{"by":"web-7/41"}"#,
            r#"{"drained_by":"anna"}"#,
            r#"{"rebalanced_by":"anna"}"#,
        ];
        for text in table {
            let record: Record = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&record).unwrap(), text);
        }
        assert!(serde_json::from_str::<Record>("{}").is_err());
        assert!(serde_json::from_str::<Record>("7").is_err());
    }
}
