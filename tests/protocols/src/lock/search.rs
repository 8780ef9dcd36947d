//! Searches a scope: that nothing is wrong anywhere in it, or that what is broken on purpose is found.
//!
//! Never samples: a search ends when there is no state left, or with what it was to find.

use std::collections::BTreeSet;
use std::fmt::Write;

use stateright::{Checker, HasDiscoveries, Model};

use crate::lock::look::Rules;
pub use crate::lock::properties::*;
use crate::lock::scope::{Mutant, Scope};
use crate::lock::state::representative;

/// As many as the machines have that this is run on.
const THREADS: usize = 2;

/// Searches all states of a scope, of which there have to be so many: one that has shrunk proves less than it says.
///
/// # Panics
/// If something that always holds does not, something that happens sometimes never does, or there are fewer states.
pub fn holds(scope: Scope, at_least: usize) {
    let rules = Rules {
        scope,
        mutant: None,
    };
    let search = rules.checker().threads(THREADS);
    let search = search.symmetry_fn(representative).spawn_dfs().join();
    let states = search.unique_state_count();
    for property in search.model().properties() {
        let found = search.discovery(property.name);
        let is_failure = property.expectation.discovery_is_failure();
        let trace = found.as_ref().map(|path| told(path.clone().into_actions()));
        assert_eq!(
            found.is_some(),
            !is_failure,
            "{}, in {states} states of {scope:?}: {}",
            property.name,
            trace.unwrap_or_else(|| "never seen".to_owned())
        );
    }
    assert!(
        states >= at_least,
        "{states} states of {scope:?} are fewer than {at_least}"
    );
}

/// Searches a scope for what a mutant breaks, and returns a way there, among the shortest.
///
/// # Panics
/// If that is not found.
pub fn finds(scope: Scope, mutant: impl Into<Option<Mutant>>, breaks: &'static str) -> String {
    let mutant = mutant.into();
    let rules = Rules { scope, mutant };
    let search = rules.checker().threads(THREADS);
    let until = HasDiscoveries::AllOf(BTreeSet::from([breaks]));
    let search = search.finish_when(until).spawn_bfs().join();
    let states = search.unique_state_count();
    let found = search.discovery(breaks);
    let Some(path) = found else {
        panic!("{mutant:?} is not found in {states} states of {scope:?}: {breaks}");
    };
    told(path.into_actions())
}

fn told(actions: Vec<crate::lock::action::Action>) -> String {
    let mut told = String::new();
    for action in actions {
        let _ = write!(told, "\n  {action:?}");
    }
    told
}
