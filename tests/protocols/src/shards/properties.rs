//! What has to hold: always, once nothing goes wrong any more, and sometimes, so that it is known to have been looked at.
//!
//! Never a bound on how long: steps have no length.

use stateright::Property;

use crate::search::Protocol;
use crate::shards::action::{Action, disturbing, going_on};
use crate::shards::content::{Inc, Stage};
use crate::shards::look::Rules;
use crate::shards::scope::{Mutant, Scope};
use crate::shards::state::{Broken, State, representative};
use crate::shards::worker::{Process, Running};

pub const ONE_SERVES: &str = "in strict mode one serves at a time";
pub const TERM_NEVER_FALLS: &str = "in one life of the log no term falls, and each has one owner";
pub const OWNED_IN_A_MOVE: &str = "while nothing fails the owner is there";
pub const SERVED_IN_A_MOVE: &str = "in available mode somebody serves while nothing fails";
pub const STALE_PLANNERS_CHANGE_NOTHING: &str = "a stale planner changes nothing";
pub const COMES_TO_REST: &str = "once faults stop one owns and serves, and the drained hold none";

const OWNER_DIES_SETTLED: &str = "an owner is dead, and nobody is to follow it";
const OWNER_DIES_IN_PREPARE: &str = "an owner is dead while the next one prepares";
const OWNER_DIES_IN_DRAIN: &str = "an owner is dead in its drain";
const OWNER_DIES_IN_LEAVING: &str = "a new owner is dead while the former one leaves";
const NEXT_DIES_IN_PREPARE: &str = "one that prepares is dead";
const NEXT_DIES_IN_DRAIN: &str = "one that is waited for is dead in the drain";
const PREV_DIES_IN_LEAVING: &str = "one that leaves is dead";
const PLANNER_DIES_SETTLED: &str = "the planner is dead, and the row at rest";
const PLANNER_DIES_IN_PREPARE: &str = "the planner is dead while one prepares";
const PLANNER_DIES_IN_DRAIN: &str = "the planner is dead in a drain";
const PLANNER_DIES_IN_LEAVING: &str = "the planner is dead while one leaves";
const MOVED: &str = "a row has moved";
const LEFT: &str = "one has left that owned";
const OWNS_IN_ANOTHER_LIFE: &str = "somebody serves in another life";

impl Protocol for Scope {
    type Mutant = Mutant;
    type State = State;
    type Action = Action;

    fn first(&self) -> State {
        State::first(self)
    }

    fn is_broken(state: &State) -> bool {
        state.broken.is_some()
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
            Property::always(ONE_SERVES, |rules: &Rules, state: &State| {
                let serving = state.ids().filter(|at| rules.serves(state, *at));
                !rules.is_strict() || serving.count() <= 1
            }),
            Property::always(TERM_NEVER_FALLS, |_, state: &State| {
                state.broken != Some(Broken::TermFell)
            }),
            Property::always(OWNED_IN_A_MOVE, |rules: &Rules, state: &State| {
                let head = state.head();
                !rules.is_planned(state) || head.row.is_none_or(|(row, _)| head.stands(row.owner))
            }),
            Property::always(SERVED_IN_A_MOVE, |_, state: &State| {
                state.broken != Some(Broken::Unserved)
            }),
            Property::always(STALE_PLANNERS_CHANGE_NOTHING, |_, state: &State| {
                state.broken != Some(Broken::StalePlanner)
            }),
            Property::always(COMES_TO_REST, |rules: &Rules, state: &State| {
                is_at_rest(rules, state) || state.broken.is_some() || rules.goes_on(state)
            }),
        ];
        properties.extend(rules.sights());
        properties
    }
}

/// One owns and serves, and nobody else runs anything; those that were to leave have left. Where nobody is there to own it, or
/// to plan, the row may stand anyhow.
fn is_at_rest(rules: &Rules, state: &State) -> bool {
    let head = state.head();
    let drains = state.ids().any(|at| head.drains(at));
    if head.up().next().is_none() {
        return !drains && state.ids().all(|at| !rules.serves(state, at));
    }
    if head.planner().is_none() {
        return true;
    }
    let Some((row, _)) = head.row else {
        return false;
    };
    let runs = |at: u8| match at == row.owner.worker {
        true => state.worker(at).running == Running::Owned(row.term) && rules.serves(state, at),
        false => state.worker(at).running == Running::Idle,
    };
    let is_settled = row.stage == Stage::Settled && head.stands(row.owner);
    is_settled && !drains && state.ids().all(runs)
}

/// Which stage the row is in, with who is alive: the owner, and the other.
fn staged(state: &State, is_it: impl Fn(Stage, bool, bool) -> bool) -> bool {
    let head = state.head();
    let stands = |inc: Inc| head.stands(inc);
    head.row.is_some_and(|(row, _)| {
        let other = row.others().is_none_or(stands);
        is_it(row.stage, stands(row.owner), other)
    })
}

/// Whether the planner has ended, while others take it for one, and neither owns nor is to own the row.
fn is_planless(state: &State, is_it: impl Fn(Stage) -> bool) -> bool {
    let head = state.head();
    let is_dead = |at: u8| state.worker(at).process == Process::Dead;
    let planner = head.planner().filter(|at| is_dead(*at));
    planner.is_some_and(|planner| {
        head.row.is_some_and(|(row, _)| {
            let others = row.others();
            let is_apart = |inc: Inc| inc.worker != planner;
            is_it(row.stage) && is_apart(row.owner) && others.is_none_or(is_apart)
        })
    })
}

macro_rules! sometimes {
    ($name:expr, $seen:expr) => {
        Property::sometimes($name, $seen)
    };
}

/// What a search has to come across, if its scope allows it.
impl Rules {
    fn sights(&self) -> Vec<Property<Rules>> {
        let (faults, is_strict) = (self.scope.faults, self.is_strict());
        let dies = faults.crashes > 0 || faults.suspensions > 0;
        let moves = faults.moves > 0 || faults.drains > 0;
        let (dies_moving, apart) = (dies && moves, self.scope.workers > 2 && faults.crashes > 0);
        let sights: [(bool, Property<Rules>); 14] = [
            (
                dies,
                sometimes!(OWNER_DIES_SETTLED, |_, state: &State| {
                    staged(state, |stage, owner, _| stage == Stage::Settled && !owner)
                }),
            ),
            (
                dies_moving,
                sometimes!(OWNER_DIES_IN_PREPARE, |_, state: &State| {
                    staged(state, |stage, owner, other| {
                        matches!(stage, Stage::Prepare(_)) && !owner && other
                    })
                }),
            ),
            (
                dies_moving && is_strict,
                sometimes!(OWNER_DIES_IN_DRAIN, |_, state: &State| {
                    staged(state, |stage, owner, other| {
                        matches!(stage, Stage::Drain(_)) && !owner && other
                    })
                }),
            ),
            (
                dies_moving && !is_strict,
                sometimes!(OWNER_DIES_IN_LEAVING, |_, state: &State| {
                    staged(state, |stage, owner, other| {
                        matches!(stage, Stage::Leaving(_)) && !owner && other
                    })
                }),
            ),
            (
                dies_moving,
                sometimes!(NEXT_DIES_IN_PREPARE, |_, state: &State| {
                    staged(state, |stage, owner, other| {
                        matches!(stage, Stage::Prepare(_)) && owner && !other
                    })
                }),
            ),
            (
                dies_moving && is_strict,
                sometimes!(NEXT_DIES_IN_DRAIN, |_, state: &State| {
                    staged(state, |stage, owner, other| {
                        matches!(stage, Stage::Drain(_)) && owner && !other
                    })
                }),
            ),
            (
                dies_moving && !is_strict,
                sometimes!(PREV_DIES_IN_LEAVING, |_, state: &State| {
                    staged(state, |stage, owner, other| {
                        matches!(stage, Stage::Leaving(_)) && owner && !other
                    })
                }),
            ),
            (
                apart,
                sometimes!(PLANNER_DIES_SETTLED, |_, state: &State| {
                    is_planless(state, |stage| stage == Stage::Settled)
                }),
            ),
            (
                apart && moves,
                sometimes!(PLANNER_DIES_IN_PREPARE, |_, state: &State| {
                    is_planless(state, |stage| matches!(stage, Stage::Prepare(_)))
                }),
            ),
            (
                apart && moves && is_strict,
                sometimes!(PLANNER_DIES_IN_DRAIN, |_, state: &State| {
                    is_planless(state, |stage| matches!(stage, Stage::Drain(_)))
                }),
            ),
            (
                apart && moves && !is_strict,
                sometimes!(PLANNER_DIES_IN_LEAVING, |_, state: &State| {
                    is_planless(state, |stage| matches!(stage, Stage::Leaving(_)))
                }),
            ),
            (
                moves,
                sometimes!(MOVED, |rules: &Rules, state: &State| {
                    let is_second = |at: u8| state.worker(at).running == Running::Owned(2);
                    rules.is_planned(state) && state.ids().any(is_second)
                }),
            ),
            (
                faults.drains > 0,
                sometimes!(LEFT, |rules: &Rules, state: &State| {
                    let has_left = |at: u8| state.worker(at).process == Process::Gone;
                    let serves = |at: u8| rules.serves(state, at);
                    let term = state.head().row.map(|(row, _)| row.term);
                    rules.is_planned(state)
                        && state.ids().any(has_left)
                        && state.ids().any(serves)
                        && term >= Some(2)
                }),
            ),
            (
                faults.restores > 0,
                sometimes!(OWNS_IN_ANOTHER_LIFE, |rules: &Rules, state: &State| {
                    let serves = |at: u8| rules.serves(state, at) && state.worker(at).epoch > 1;
                    state.ids().any(serves)
                }),
            ),
        ];
        let seen = sights.into_iter().filter(|(is_due, _)| *is_due);
        seen.map(|(_, property)| property).collect()
    }
}
