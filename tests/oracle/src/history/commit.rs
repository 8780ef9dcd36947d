//! What the log itself says.
//!
//! It judges nothing.

use globe::Position;
use serde::{Deserialize, Serialize};

use super::{At, Value, Version};

/// All of a keyspace at one position: where a stretch of truth begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Who told: the log, or one member of it.
    pub member: String,
    /// The keyspace.
    pub keyspace: String,
    /// Where.
    pub position: Position,
    /// Every key, its value, created, modified.
    pub records: Vec<(String, Stored)>,
    /// When it was heard.
    pub at: At,
}

/// What the log holds at a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The value.
    pub value: Value,
    /// The commit that created the key.
    pub created: u64,
    /// The commit that wrote it.
    pub modified: u64,
}

impl Stored {
    /// What a replica should show of it.
    #[must_use]
    pub fn version(&self) -> Version {
        Version {
            tag: self.value.tag.clone(),
            created: self.created,
            modified: self.modified,
        }
    }
}

/// What one commit did to one keyspace; without changes: nothing else happened up to here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Who told.
    pub member: String,
    /// The keyspace.
    pub keyspace: String,
    /// Which commit.
    pub position: Position,
    /// Each key it touched, and what it left there.
    pub changes: Vec<(String, Option<Stored>)>,
    /// When it was heard.
    pub at: At,
}
