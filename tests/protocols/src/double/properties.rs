//! What has to hold: always, once nothing goes wrong any more, and sometimes, so that it is known to have been looked at.
//!
//! Never a bound on how long: steps have no length.

use stateright::{Model, Property};

use crate::double::action::{Action, disturbing, going_on};
use crate::double::state::{Broken, Phase, Rules, State, TOGETHER};

pub const REJECTED_IS_NOT_IN: &str = "who is told that it is not in is in no list";
pub const ALL_STAND: &str = "a round begins with all who are in it";
pub const IN_ONCE: &str = "nobody is in two rounds by one claim";
pub const ONE_AFTER_ANOTHER: &str = "a round begins when the one before has ended";
pub const ALL_LEAVE: &str = "nobody has left before all of its round have";
pub const COMES_TO_REST: &str =
    "once faults stop all are in or know that they are not, and all leave";

const GAVE_UP_IN_VAIN: &str = "one that gave up turns out to be in";
const IN_WITH_THE_DEAD: &str = "one is in with another that has died";
const SECOND_ROUND: &str = "one is in for the second time";

impl Model for Rules {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(&self.scope)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_empty() {
            going_on(self, state, actions);
            disturbing(self, state, actions);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.step(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Rules>> {
        let mut properties = vec![
            Property::always(REJECTED_IS_NOT_IN, |_, state: &State| {
                !state.broken.contains(&Broken::RejectedAndIn)
            }),
            Property::always(ALL_STAND, |_, state: &State| {
                !state.broken.contains(&Broken::InWithoutStanding)
            }),
            Property::always(IN_ONCE, |_, state: &State| {
                !state.broken.contains(&Broken::InTwice)
            }),
            Property::always(ONE_AFTER_ANOTHER, |_, state: &State| {
                !state.broken.contains(&Broken::BegunBeforeTheEnd)
            }),
            Property::always(ALL_LEAVE, |_, state: &State| {
                !state.broken.contains(&Broken::LeftBeforeAnother)
            }),
            Property::always(COMES_TO_REST, |rules: &Rules, state: &State| {
                is_at_rest(state) || !state.broken.is_empty() || goes_on(rules, state)
            }),
        ];
        let faults = self.scope.faults;
        if faults.bounds > 0 {
            properties.push(Property::sometimes(GAVE_UP_IN_VAIN, |_, state: &State| {
                state.clients.iter().any(|client| match client.phase {
                    Phase::GivingUp(key) => state.been_in.contains(&key),
                    _ => false,
                })
            }));
        }
        if faults.deaths > 0 {
            properties.push(Property::sometimes(IN_WITH_THE_DEAD, |_, state: &State| {
                state.clients.iter().any(|client| match client.phase {
                    Phase::Inside(_, round) => round.iter().any(|key| !state.head().stands(*key)),
                    _ => false,
                })
            }));
        }
        if self.scope.rounds > 1 {
            properties.push(Property::sometimes(SECOND_ROUND, |_, state: &State| {
                let mut clients = state.clients.iter();
                clients.any(|client| matches!(client.phase, Phase::Inside((_, 2), _)))
            }));
        }
        properties
    }
}

fn goes_on(rules: &Rules, state: &State) -> bool {
    let mut actions = Vec::new();
    going_on(rules, state, &mut actions);
    !actions.is_empty()
}

/// Fewer wait than are in together, and nobody does anything else.
fn is_at_rest(state: &State) -> bool {
    let waits = |phase: Phase| matches!(phase, Phase::Waiting(_));
    let mut phases = state.clients.iter().map(|client| client.phase);
    let is_quiet = phases.all(|phase| phase == Phase::Idle || waits(phase));
    is_quiet && state.head().claims.len() < TOGETHER
}
