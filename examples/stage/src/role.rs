//! What a member of a cluster does.
//!
//! Never says where: that is its place.

use std::pin::Pin;

use crate::place::Place;
use crate::story::Outcome;

/// What runs, until it is told to stop.
pub type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What a member does: `cargo run -p … -- NAME ID` runs it in a process of its own.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// As it is called on the command line.
    pub name: &'static str,
    /// What it does.
    pub run: fn(Place) -> Running,
}
