//! A shard table: which member of a cluster owns what, and how that moves.
//!
//! Never decides by a clock of its own who may own: that is what a member's session says.

pub(crate) mod balance;
pub(crate) mod budget;
pub(crate) mod builder;
pub(crate) mod change;
pub(crate) mod common;
pub(crate) mod damping;
pub(crate) mod deciding;
pub(crate) mod draft;
pub(crate) mod due;
pub(crate) mod duty;
pub(crate) mod fleet;
pub(crate) mod following;
pub(crate) mod handle;
pub(crate) mod incarnation;
pub(crate) mod jobs;
pub(crate) mod membership;
pub(crate) mod operating;
pub(crate) mod owned;
pub(crate) mod pass;
pub(crate) mod planner;
pub(crate) mod planning;
pub(crate) mod post;
pub(crate) mod record;
pub(crate) mod row;
pub(crate) mod running;
pub(crate) mod saying;
pub(crate) mod seat;
pub(crate) mod seats;
pub(crate) mod settings;
pub(crate) mod shard_member;
pub(crate) mod spread;
pub(crate) mod step;
pub(crate) mod steps;
pub(crate) mod survey;
pub(crate) mod table;
pub(crate) mod tenure;
pub(crate) mod worker;

#[cfg(test)]
mod tests;
