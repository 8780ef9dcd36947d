//! What was seen of a map: by watches, by reads, by asking how it is.
//!
//! It judges nothing.

use globe::Position;
use serde::{Deserialize, Serialize};

use super::At;

/// One version of a key, as a replica shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The tag of the value.
    pub tag: String,
    /// The commit that created the key.
    pub created: u64,
    /// The commit that wrote this version.
    pub modified: u64,
}

/// A key and its version.
pub type Shown = (String, Version);

/// What a watch covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// Everything.
    All,
    /// One key.
    Key(String),
    /// The keys that begin so.
    Prefix(String),
}

impl Filter {
    /// Whether it covers a key.
    #[must_use]
    pub fn covers(&self, key: &str) -> bool {
        match self {
            Filter::All => true,
            Filter::Key(mine) => mine == key,
            Filter::Prefix(prefix) => key.starts_with(prefix.as_str()),
        }
    }
}

/// How a watch moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// By the net difference.
    Latest,
    /// Revision by revision, with this many kept for it.
    EveryRevision(usize),
}

/// A watch began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Which.
    pub watch: u32,
    /// On which node.
    pub node: u32,
    /// On which keyspace.
    pub keyspace: String,
    /// What it covers.
    pub filter: Filter,
    /// How it moves.
    pub mode: Mode,
    /// How long its listener rests after each delivery, at most; it is not judged by its pace when that is more than
    /// nothing.
    pub rest_micros: u64,
    /// Where it began.
    pub position: Position,
    /// What it covered there.
    pub shown: Vec<Shown>,
    /// When.
    pub at: At,
}

/// Why a watch moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// One commit.
    Step,
    /// Several.
    Coalesced,
    /// A snapshot: because the epoch changed.
    NewEpoch,
    /// A snapshot, for another reason.
    Resync,
}

/// What one step of a watch says of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The key.
    pub key: String,
    /// What stood there.
    pub old: Option<Version>,
    /// What stands there.
    pub new: Option<Version>,
    /// The revision it names.
    pub revision: u64,
}

/// One step of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Which watch.
    pub watch: u32,
    /// Where it stood.
    pub from: Position,
    /// Where it stands.
    pub to: Position,
    /// Why it moved.
    pub cause: Cause,
    /// What changed.
    pub changes: Vec<Moved>,
    /// When.
    pub at: At,
}

/// A watch was followed to the end of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub watch: u32,
    /// When.
    pub at: At,
}

/// One local read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Who read: one reader reads one thing after the other.
    pub reader: u32,
    /// On which node.
    pub node: u32,
    /// In which keyspace.
    pub keyspace: String,
    /// When it began.
    pub call: At,
    /// When it ended.
    pub ret: At,
    /// What was seen.
    pub read: Read,
}

/// What a local read saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Read {
    /// `get`: the tag found.
    Get(String, Option<String>),
    /// `view`: everything, and where.
    View(Position, Vec<Shown>),
    /// As `View`, at the end of the run, after everything was healed and synchronised.
    Final(Position, Vec<Shown>),
}

/// How a node said it was doing. What it then showed is at least `position`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Which node.
    pub node: u32,
    /// Of which keyspace.
    pub keyspace: String,
    /// Whether it called itself live.
    pub is_live: bool,
    /// How old it said it may be.
    pub staleness_micros: Option<u64>,
    /// Where a view taken right afterwards stood.
    pub position: Position,
    /// Counters of its status: resyncs, violations.
    pub resyncs: u64,
    /// How often the log broke its contract.
    pub violations: u64,
    /// When it was asked.
    pub call: At,
    /// When it had answered.
    pub ret: At,
}
