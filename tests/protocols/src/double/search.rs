//! Searches a scope: that nothing is wrong anywhere in it, or that what is broken on purpose is found.
//!
//! Never samples: a search ends when there is no state left, or with what it was to find.

use stateright::Model;

pub use crate::double::properties::*;
use crate::double::scope::{Mutant, Scope};
use crate::double::state::{Rules, representative};
use crate::search;

/// Searches all states of a scope, of which there have to be so many.
///
/// # Panics
/// If something is wrong in it, or there are fewer.
pub fn holds(scope: Scope, at_least: usize) {
    let rules = Rules {
        scope,
        mutant: None,
    };
    search::holds(
        rules.checker().symmetry_fn(representative),
        &scope,
        at_least,
    );
}

/// Searches a scope for what a mutant breaks.
///
/// # Panics
/// If that is not found.
pub fn finds(scope: Scope, mutant: Mutant, breaks: &'static str) -> String {
    let mutant = Some(mutant);
    let checker = Rules { scope, mutant }.checker();
    search::finds(checker, &(mutant, scope), breaks)
}
