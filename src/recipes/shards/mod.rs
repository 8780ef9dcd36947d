//! A shard table: which member of a cluster owns what, and how that moves.
//!
//! Never decides by a clock of its own who may own: that is what a member's session says.

pub(crate) mod change;
pub(crate) mod draft;
pub(crate) mod incarnation;
pub(crate) mod record;
pub(crate) mod row;
pub(crate) mod shard_member;
pub(crate) mod step;
pub(crate) mod table;
