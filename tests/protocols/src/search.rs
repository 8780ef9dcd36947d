//! What all models have in common, and the search of them: that nothing is wrong anywhere in it, or that what is broken on purpose is found.
//!
//! Never samples: a search ends when there is no state left, or with what it was to find.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model, Property};

/// A protocol, known by its scope: its states, its steps, and what has to hold. All else is the same for each.
pub trait Protocol: Copy + Debug + Send + Sync + 'static {
    type Mutant: Copy + Debug + PartialEq + Send + Sync + 'static;
    type State: Clone + Debug + PartialEq + Hash + Send + Sync + 'static;
    type Action: Clone + Debug + PartialEq + Send + Sync + 'static;

    fn first(&self) -> Self::State;
    /// Whether something is wrong for good, so that nothing has to be looked at beyond it.
    fn is_broken(state: &Self::State) -> bool;
    /// What comes of itself.
    fn going_on(rules: &Rules<Self>, state: &Self::State, actions: &mut Vec<Self::Action>);
    /// What goes wrong, and what somebody wants.
    fn disturbing(rules: &Rules<Self>, state: &Self::State, actions: &mut Vec<Self::Action>);
    fn step(rules: &Rules<Self>, state: &mut Self::State, action: Self::Action);
    /// One state of all that differ only in who is called what.
    fn representative(state: &Self::State) -> Self::State;
    fn properties(rules: &Rules<Self>) -> Vec<Property<Rules<Self>>>;
}

/// The rules that are in force in a model, of a scope and perhaps broken in one point.
#[derive(Clone, Copy, Debug)]
pub struct Rules<P: Protocol> {
    pub scope: P,
    pub mutant: Option<P::Mutant>,
}

impl<P: Protocol> Rules<P> {
    pub(crate) fn is(&self, mutant: P::Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether anything is to come of itself yet: each such step leads closer to where there is none.
    pub(crate) fn goes_on(&self, state: &P::State) -> bool {
        let mut actions = Vec::new();
        P::going_on(self, state, &mut actions);
        !actions.is_empty()
    }
}

impl<P: Protocol> Model for Rules<P> {
    type State = P::State;
    type Action = P::Action;

    fn init_states(&self) -> Vec<P::State> {
        vec![self.scope.first()]
    }

    fn actions(&self, state: &P::State, actions: &mut Vec<P::Action>) {
        if !P::is_broken(state) {
            P::going_on(self, state, actions);
            P::disturbing(self, state, actions);
        }
    }

    fn next_state(&self, state: &P::State, action: P::Action) -> Option<P::State> {
        let mut next = state.clone();
        P::step(self, &mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Rules<P>>> {
        P::properties(self)
    }
}

/// As many as the machines have that this is run on.
const THREADS: usize = 2;

/// Searches all states of a scope, of which there have to be so many: one that has shrunk proves less than it says.
///
/// # Panics
/// If something that always holds does not, something that happens sometimes never does, or there are fewer states.
pub fn holds<P: Protocol>(scope: P, at_least: usize) {
    let mutant = None;
    let checker = Rules { scope, mutant }.checker();
    let search = checker
        .symmetry_fn(P::representative)
        .threads(THREADS)
        .spawn_dfs()
        .join();
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

/// Searches a scope for what a mutant breaks, or anything else, and returns a way there, among the shortest.
///
/// # Panics
/// If that is not found.
pub fn finds<P: Protocol>(
    scope: P,
    mutant: impl Into<Option<P::Mutant>>,
    breaks: &'static str,
) -> String {
    let mutant = mutant.into();
    let checker = Rules { scope, mutant }.checker();
    let until = HasDiscoveries::AllOf(BTreeSet::from([breaks]));
    let search = checker
        .threads(THREADS)
        .finish_when(until)
        .spawn_bfs()
        .join();
    let states = search.unique_state_count();
    let Some(path) = search.discovery(breaks) else {
        panic!("{mutant:?} of {scope:?} is not found in {states} states: {breaks}");
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
