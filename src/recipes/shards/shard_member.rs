//! A member of a shard table: what it says of itself, and which life of it that is.
//!
//! Never says what it owns: the rows do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::recipes::name::escaped;
use crate::recipes::shards::incarnation::Incarnation;
use crate::{Error, ErrorKind, Result};

/// A weight as it is where nobody says another.
const WEIGHT: u32 = 100;

/// A member of a shard table: its id, and what others should know of it. As it stands in the log, at `member/{id}`:
/// `{"state":"up","weight":100,"zone":"a","data":…}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardMember {
    #[serde(skip)]
    id: String,
    state: MemberState,
    #[serde(default = "weight")]
    weight: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    data: Value,
}

/// Whether a member takes shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MemberState {
    /// It does.
    Up,
    /// It gives away those that it has.
    Draining,
}

fn weight() -> u32 {
    WEIGHT
}

impl ShardMember {
    /// A member, in no zone, with the weight 100. Its id is its name for as long as it comes and goes: the name of a pod or
    /// host, say. A member that comes again gets what its id had, first of all.
    pub fn new(id: impl Into<String>) -> ShardMember {
        ShardMember {
            id: id.into(),
            state: MemberState::Up,
            weight: WEIGHT,
            zone: None,
            data: Value::Null,
        }
    }

    /// Where it is: replicas of one shard are put in different zones, where that is possible.
    #[must_use]
    pub fn zone(self, zone: impl Into<String>) -> ShardMember {
        let zone = Some(zone.into());
        ShardMember { zone, ..self }
    }

    /// How much it takes, beside others: 1 to 1,000,000. (100.)
    #[must_use]
    pub fn weight(self, weight: u32) -> ShardMember {
        ShardMember { weight, ..self }
    }

    /// What others are told of it: its address, say.
    #[must_use]
    pub fn data(self, data: impl Into<Value>) -> ShardMember {
        let data = data.into();
        ShardMember { data, ..self }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Invalid, why));
        let id = &self.id;
        if escaped("member of a shard table", id)? != *id {
            return refuse(format!(
                "the member {id:?} has a /, a % or a control character"
            ));
        }
        match self.weight {
            1..=1_000_000 => Ok(()),
            weight => refuse(format!(
                "the member {id} has the weight {weight}: 1 to 1,000,000 is allowed"
            )),
        }
    }

    /// Whether it takes shards, by what it says itself.
    pub(crate) fn is_up(&self) -> bool {
        self.state == MemberState::Up
    }

    pub(crate) fn with_id(self, id: &str) -> ShardMember {
        let id = id.to_owned();
        ShardMember { id, ..self }
    }

    pub(crate) fn with_state(self, state: MemberState) -> ShardMember {
        ShardMember { state, ..self }
    }
}

/// A member that is there: what it says of itself, and which life of it that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    incarnation: Incarnation,
    member: ShardMember,
    is_drained: bool,
}

impl Peer {
    pub(crate) fn new(incarnation: Incarnation, member: ShardMember) -> Peer {
        Peer {
            incarnation,
            member,
            is_drained: false,
        }
    }

    /// The same, which an operator wants to have nothing, or not.
    pub(crate) fn drained(self, is_drained: bool) -> Peer {
        Peer { is_drained, ..self }
    }

    /// Which life of it that is.
    #[must_use]
    pub fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.member.id
    }

    /// Whether it takes shards: by what it says itself, and by what operators say of it.
    #[must_use]
    pub fn state(&self) -> MemberState {
        match self.is_drained {
            true => MemberState::Draining,
            false => self.member.state,
        }
    }

    /// How much it takes, beside others.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.member.weight
    }

    /// Where it is.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.member.zone.as_deref()
    }

    /// What it tells others.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.member.data
    }

    pub(crate) fn member(&self) -> &ShardMember {
        &self.member
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state() == MemberState::Up
    }
}
