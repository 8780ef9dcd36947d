//! What was done with the recipes that have several nouns: shard tables, a registry, settings.
//!
//! It judges nothing.

use globe::{Position, Token};
use serde::{Deserialize, Serialize};

use super::{At, Outcome};

/// Recipes were played: how, and by which bounds they are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeRun {
    /// How long the lease of every process lives, once it is not renewed.
    pub ttl_micros: u64,
    /// How many shards each table has.
    pub slots: u32,
    /// Nobody is killed or cut off by himself, and leases outlive every outage: who is a member stays one until he ends.
    pub is_steady: bool,
    /// The bounds.
    pub limits: RecipeLimits,
}

/// The bounds that recipes are judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeLimits {
    /// What ends with a lease is gone so long after the lease could have ended, at the latest.
    pub outlive_micros: u64,
    /// The fewest times that a shard was served.
    pub min_served: usize,
    /// The fewest writes that landed under a shard.
    pub min_writes: usize,
    /// The fewest looks at the registry.
    pub min_listed: usize,
    /// The fewest values that were published.
    pub min_published: usize,
}

impl Default for RecipeLimits {
    fn default() -> RecipeLimits {
        RecipeLimits {
            outlive_micros: 2_000_000,
            min_served: 1,
            min_writes: 1,
            min_listed: 1,
            min_published: 1,
        }
    }
}

/// Something about one life of a member: of a shard table, or of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeStep {
    /// Which: no two have one number.
    pub life: u32,
    /// On which node.
    pub node: u32,
    /// Where its record stands.
    pub keyspace: String,
    /// Under which id; that of a service has the name of its service before it, as its key has.
    pub id: String,
    /// What.
    pub did: LifeDid,
    /// When it began.
    pub call: At,
    /// When it had ended.
    pub ret: At,
}

/// What became of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LifeDid {
    /// It is one, by what it was told. Of a service: whether it said that it is registered, and was listed, at once.
    Began {
        /// It said that it is registered.
        is_sure: bool,
        /// It was listed.
        is_listed: bool,
    },
    /// It gave up to become one: perhaps it was one for a moment.
    NotBegun,
    /// Its process reaches nobody, by itself.
    CutOff,
    /// It does again.
    Back,
    /// It begins to leave.
    Leaves,
    /// It left, or gave up to wait for that; whether it was said that it has, and its session stood all the while.
    Left(bool),
    /// It let go of its membership without a word, or closed its session.
    Ended,
    /// Its process was killed.
    Killed,
    /// All was mended and quiet; from here on all members leave.
    Over,
}

/// Something about a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStep {
    /// By which life of a member; its keyspace says of which table.
    pub life: u32,
    /// Which shard.
    pub shard: u32,
    /// In which term.
    pub token: Token,
    /// What.
    pub did: ShardDid,
    /// When it began.
    pub call: At,
    /// When it had ended.
    pub ret: At,
}

/// What a member did about a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShardDid {
    /// It owned it without a break from `call` to `ret`, by what it was told at both, and had not stopped serving it before
    /// this.
    Served(At),
    /// A piece of work was let in at `call`, and had been so without a break when it was asked at `ret`.
    Worked,
    /// A write was attempted that may only land while it owns it. It is an operation as well, with this tag.
    Writes(String),
}

/// A look at the members of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// On which node.
    pub node: u32,
    /// Which service.
    pub service: String,
    /// Where it is true.
    pub position: Position,
    /// Of each member its id, and what it says: its state and its data.
    pub members: Vec<(String, String)>,
    /// The ids of those that are gone, and held back.
    pub held_back: Vec<String>,
    /// It is the last look, when all was mended and quiet.
    pub is_last: bool,
    /// When it began.
    pub call: At,
    /// When it had ended.
    pub ret: At,
}

/// Something about the setting that all nodes have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingStep {
    /// On which node.
    pub node: u32,
    /// What.
    pub did: SettingDid,
    /// When it began.
    pub call: At,
    /// When it had ended.
    pub ret: At,
}

/// What was done with a setting, or seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SettingDid {
    /// Its layers on this node, from the widest to the most specific, and the name it publishes under.
    Opened(Vec<String>, String),
    /// It showed this.
    Shown(u64),
    /// It showed this at last, when all was mended and quiet, and the newest of the history of each layer.
    Last(u64),
    /// A value was published, and this was shown when that had returned.
    Published {
        /// At which layer.
        layer: String,
        /// Which value: no two attempts of a run have the same.
        value: u64,
        /// What was returned.
        outcome: Outcome,
        /// What was shown then.
        shown: u64,
    },
}
