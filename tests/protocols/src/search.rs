//! Searches a model: that nothing is wrong anywhere in it, or that what is broken on purpose is found.
//!
//! Never samples: a search ends when there is no state left, or with what it was to find.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::hash::Hash;

use stateright::{Checker, CheckerBuilder, HasDiscoveries, Model};

/// The rules that are in force in a model, of a scope and perhaps broken in one point.
#[derive(Clone, Copy, Debug)]
pub struct Rules<S, M> {
    pub scope: S,
    pub mutant: Option<M>,
}

impl<S, M: Copy + PartialEq> Rules<S, M> {
    pub(crate) fn is(&self, mutant: M) -> bool {
        self.mutant == Some(mutant)
    }
}

/// As many as the machines have that this is run on.
const THREADS: usize = 2;

/// Searches all states of a scope, of which there have to be so many: one that has shrunk proves less than it says.
///
/// # Panics
/// If something that always holds does not, something that happens sometimes never does, or there are fewer states.
pub(crate) fn holds<M>(checker: CheckerBuilder<M>, scope: &impl Debug, at_least: usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + Hash + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq,
{
    let search = checker.threads(THREADS).spawn_dfs().join();
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

/// Searches for what breaks, and returns a way there, among the shortest.
///
/// # Panics
/// If that is not found.
pub(crate) fn finds<M>(checker: CheckerBuilder<M>, of: &impl Debug, breaks: &'static str) -> String
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + Hash + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq,
{
    let until = HasDiscoveries::AllOf(BTreeSet::from([breaks]));
    let search = checker
        .threads(THREADS)
        .finish_when(until)
        .spawn_bfs()
        .join();
    let states = search.unique_state_count();
    let Some(path) = search.discovery(breaks) else {
        panic!("{of:?} is not found in {states} states: {breaks}");
    };
    told(path.into_actions())
}

fn told(actions: Vec<impl Debug>) -> String {
    let mut told = String::new();
    for action in actions {
        let _ = write!(told, "\n  {action:?}");
    }
    told
}
