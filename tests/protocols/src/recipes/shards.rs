//! What becomes of a row of a shard table, and what that asks of a member, as the map has it.
//!
//! Never a rule of its own: these are the map's tables.

#[path = "../../../../src/recipes/shards/change.rs"]
pub(crate) mod change;
#[path = "../../../../src/recipes/shards/incarnation.rs"]
pub(crate) mod incarnation;
#[path = "../../../../src/recipes/shards/row.rs"]
pub(crate) mod row;
#[path = "../../../../src/recipes/shards/step.rs"]
pub(crate) mod step;
