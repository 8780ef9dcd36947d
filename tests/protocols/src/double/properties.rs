//! What has to hold: always, once nothing goes wrong any more, and sometimes, so that it is known to have been looked at.
//!
//! Never a bound on how long: steps have no length.

use stateright::Property;

use crate::double::action::{Action, disturbing, going_on};
use crate::double::scope::{Mutant, Scope};
use crate::double::state::{Broken, Phase, Rules, State, TOGETHER, representative};
use crate::search::Protocol;

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

impl Protocol for Scope {
    type Mutant = Mutant;
    type State = State;
    type Action = Action;

    fn first(&self) -> State {
        State::first(self)
    }

    fn is_broken(state: &State) -> bool {
        !state.broken.is_empty()
    }

    fn going_on(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
        going_on(rules, state, actions);
    }

    fn disturbing(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
        disturbing(rules, state, actions);
    }

    fn step(rules: &Rules, state: &mut State, action: Action) {
        rules.step(state, action);
    }

    fn representative(state: &State) -> State {
        representative(state)
    }

    fn properties(rules: &Rules) -> Vec<Property<Rules>> {
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
                is_at_rest(state) || !state.broken.is_empty() || rules.goes_on(state)
            }),
        ];
        let faults = rules.scope.faults;
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
        if rules.scope.rounds > 1 {
            properties.push(Property::sometimes(SECOND_ROUND, |_, state: &State| {
                let mut clients = state.clients.iter();
                clients.any(|client| matches!(client.phase, Phase::Inside((_, 2), _)))
            }));
        }
        properties
    }
}

/// Fewer wait than are in together, and nobody does anything else.
fn is_at_rest(state: &State) -> bool {
    let waits = |phase: Phase| matches!(phase, Phase::Waiting(_));
    let mut phases = state.clients.iter().map(|client| client.phase);
    let is_quiet = phases.all(|phase| phase == Phase::Idle || waits(phase));
    is_quiet && state.head().claims.len() < TOGETHER
}
