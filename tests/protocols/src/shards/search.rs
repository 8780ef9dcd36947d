//! Searches a scope: that nothing is wrong anywhere in it, or that what is broken on purpose is found.
//!
//! Never samples: a search ends when there is no state left, or with what it was to find.

use stateright::Model;

use crate::search;
use crate::shards::look::Rules;
pub use crate::shards::properties::*;
use crate::shards::scope::{Mutant, Scope};
use crate::shards::state::representative;

/// Searches all states of a scope, of which there have to be so many.
///
/// # Panics
/// If something is wrong in it, or there are fewer.
pub fn holds(scope: Scope, at_least: usize) {
    let rules = Rules {
        scope,
        mutant: None,
    };
    let checker = rules.checker().symmetry_fn(representative);
    search::holds(checker, &scope, at_least);
}

/// Searches a scope for what a mutant breaks, and returns a way there, among the shortest.
///
/// # Panics
/// If that is not found.
pub fn finds(scope: Scope, mutant: impl Into<Option<Mutant>>, breaks: &'static str) -> String {
    let mutant = mutant.into();
    let checker = Rules { scope, mutant }.checker();
    search::finds(checker, &(mutant, scope), breaks)
}
