//! A registry of services: who offers what, how it is, and whom to ask.
//!
//! Never asks a member whether it answers: it lists what their sessions say.

pub(crate) mod alias;
pub(crate) mod book;
pub(crate) mod buckets;
pub(crate) mod builder;
#[cfg(feature = "tower")]
pub(crate) mod discover;
pub(crate) mod follower;
pub(crate) mod handle;
pub(crate) mod health;
pub(crate) mod hub;
pub(crate) mod key;
pub(crate) mod listing;
pub(crate) mod member;
pub(crate) mod members;
pub(crate) mod penalty;
pub(crate) mod pick;
pub(crate) mod picker;
pub(crate) mod place;
pub(crate) mod pool;
pub(crate) mod record;
pub(crate) mod registration;
pub(crate) mod ring;
pub(crate) mod roster;
pub(crate) mod slot;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod turn;
pub(crate) mod vanish;
pub(crate) mod watch;
pub(crate) mod zone;
