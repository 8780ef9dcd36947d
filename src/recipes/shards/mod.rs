//! A shard table: which member of a cluster owns what, and how that moves.
//!
//! Never decides by a clock of its own who may own: that is what a member's session says.

pub(crate) mod balance;
pub(crate) mod change;
pub(crate) mod damping;
pub(crate) mod draft;
pub(crate) mod due;
pub(crate) mod fleet;
pub(crate) mod incarnation;
pub(crate) mod planner;
pub(crate) mod record;
pub(crate) mod row;
pub(crate) mod shard_member;
pub(crate) mod spread;
pub(crate) mod step;
pub(crate) mod survey;
pub(crate) mod table;

#[cfg(test)]
mod tests;
