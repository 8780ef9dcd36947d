//! What a client did, and what it was told.
//!
//! It judges nothing.

use globe::Position;
use serde::{Deserialize, Serialize};

use super::At;

/// The values a workload writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Value {
    /// Which attempt wrote it: no two attempts of a run share one.
    pub tag: String,
    /// The balance of an account.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub amount: i64,
    /// The tags appended so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<String>,
}

impl Value {
    /// What a log holds. What is no value of a workload keeps its bytes as its tag.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap_or_else(|_| Value {
            tag: String::from_utf8_lossy(bytes).into_owned(),
            ..Value::default()
        })
    }
}

fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

/// One key of one keyspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The keyspace.
    pub keyspace: String,
    /// The key.
    pub key: String,
}

/// One operation of one client, which never has two at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Who.
    pub client: u32,
    /// Through which node.
    pub node: u32,
    /// What.
    pub action: Action,
    /// The tags of its attempts, in order: only the last may ever land.
    pub tags: Vec<String>,
    /// When it began.
    pub call: At,
    /// When it returned; `None` when it was abandoned.
    pub ret: Option<At>,
    /// When its caller gave it up, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<At>,
    /// What it returned.
    pub outcome: Outcome,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `put`.
    Put(Place),
    /// `create`.
    Create(Place),
    /// `put_if` at a revision.
    PutIf(Place, u64),
    /// `delete`.
    Delete(Place),
    /// `delete_if` at a revision.
    DeleteIf(Place, u64),
    /// `update`: what the last call of the closure was handed.
    Update(Place, Option<String>),
    /// `put_all`.
    PutAll(Vec<Place>),
    /// `transact`: what the last call of the closure read and wrote.
    Transact {
        /// Each key read, and the value it held.
        reads: Vec<(Place, Option<Value>)>,
        /// Each key written.
        writes: Vec<Place>,
    },
    /// `sync` of a keyspace.
    Sync(String),
    /// `view_at` of a keyspace.
    ViewAt(String, Asked),
}

impl Action {
    /// The keys it writes.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        match self {
            Action::Put(place)
            | Action::Create(place)
            | Action::PutIf(place, _)
            | Action::Delete(place)
            | Action::DeleteIf(place, _)
            | Action::Update(place, _) => std::slice::from_ref(place),
            Action::PutAll(places) => places,
            Action::Transact { writes, .. } => writes,
            Action::Sync(_) | Action::ViewAt(..) => &[],
        }
    }
}

/// The consistency a view was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// At least this position.
    AtLeast(Position),
    /// Everything committed before the call.
    Linearizable,
    /// No older than this many microseconds.
    Within(u64),
}

/// What a conflict says of what stood in the way: when it was created and written. Of the value it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stood {
    /// The commit that created the key.
    pub created: u64,
    /// The commit that wrote it.
    pub modified: u64,
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done; where, if the call says so.
    Done(Option<Position>),
    /// A delete that found nothing to delete.
    Nothing,
    /// A precondition failed: the log's position, and what was said to stand at each key.
    Conflict(Position, Vec<(Place, Option<Stood>)>),
    /// Unknown.
    Indeterminate,
    /// Committed, but not visible by the deadline.
    Behind(Position),
    /// Definitely not done: the kind of the error.
    Refused(String),
    /// Abandoned by its caller.
    Never,
}
