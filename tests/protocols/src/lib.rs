//! Protocols of Globe as models for [`stateright`], which runs every order of their steps in a small scope.
//!
//! Nothing here talks to a log, and no model decides what a pure table of the map decides: who is let in, what a session does
//! about a key, what a gate admits are the map's own files, compiled once more. The rest is said again, a step an action.

#![allow(
    dead_code,
    reason = "the map uses more of its own than what a model asks"
)]

pub mod double;
#[path = "../../../src/fence.rs"]
mod fence;
pub mod lock;
mod recipes;
pub mod search;
mod session;
pub mod shards;
mod stand_ins;
mod transaction;

pub(crate) use globe_log_client::Revision;
pub(crate) use stand_ins::{Entry, Quarantined, View};
