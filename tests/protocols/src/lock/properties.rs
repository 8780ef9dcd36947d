//! What has to hold: always, once nothing goes wrong any more, and sometimes, so that it is known to have been looked at.
//!
//! Never a bound on how long: steps have no length.

use stateright::Property;

use crate::lock::action::{Action, disturbing, going_on};
use crate::lock::client::{Renewal, Request, Session};
use crate::lock::commit::Commit;
use crate::lock::look::Rules;
use crate::lock::scope::{Kind, Mutant, Scope};
use crate::lock::state::{Broken, State, representative};
use crate::search::Protocol;

pub const ONE_AT_A_TIME: &str = "without hidden pauses and operators one holds at a time";
pub const ONE_WHEN_ALL_IS_SEEN: &str = "of those who see everything one holds at a time";
pub const GRANTED_IN_ORDER: &str = "who came first is let in first";
pub const TOKENS_NEVER_FALL: &str = "a resource takes nothing of those who held before";
pub const HOLDERS_ARE_ADMITTED: &str = "a resource refuses nobody who holds";
pub const REQUIRED_NEVER_FALLS: &str = "no transaction lands after that of a later holder";
pub const REQUIRED_IN_ITS_LIFE: &str = "no transaction lands in another life than its claim's";
pub const COMES_TO_REST: &str = "once faults stop nothing is left, and nobody waits in vain";

const TAKEN_OVER: &str = "somebody holds after another lost his lease";
const HELD_AGAIN: &str = "a guard is about to be held again after a pause";
const SWEPT_LATE: &str = "a claim that nobody waits for any more is swept";
const LANDED_TWICE: &str = "a claim that was deleted landed once more";
const HELD_IN_ANOTHER_LIFE: &str = "somebody holds in another life";
const REQUIRED_LATE: &str = "a transaction of one who does not hold any more is under way";
const ONLY_FENCED: &str = "two say that they hold, and only a fence tells them apart";
const HELD_TOGETHER: &str = "two hold together, who share";

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
            Property::always(ONE_AT_A_TIME, |rules: &Rules, state: &State| {
                !rules.is_faithful(state) || !is_shared_by(rules, state, |_| true)
            }),
            Property::always(ONE_WHEN_ALL_IS_SEEN, |rules: &Rules, state: &State| {
                !is_shared_by(rules, state, |client| state.sees_all(client))
            }),
            Property::always(GRANTED_IN_ORDER, |_, state: &State| {
                state.broken != Some(Broken::GrantedOutOfOrder)
            }),
            Property::always(TOKENS_NEVER_FALL, |_, state: &State| {
                state.broken != Some(Broken::TokenFell)
            }),
            Property::always(HOLDERS_ARE_ADMITTED, |_, state: &State| {
                state.broken != Some(Broken::HolderRefused)
            }),
            Property::always(REQUIRED_NEVER_FALLS, |_, state: &State| {
                state.broken != Some(Broken::RequiredFell)
            }),
            Property::always(REQUIRED_IN_ITS_LIFE, |_, state: &State| {
                state.broken != Some(Broken::RequiredElsewhere)
            }),
            Property::always(COMES_TO_REST, |rules: &Rules, state: &State| {
                is_at_rest(state) || state.broken.is_some() || rules.goes_on(state)
            }),
        ];
        properties.extend(rules.sights());
        properties
    }
}

/// Whether some hold who may not do so together.
fn is_shared_by(rules: &Rules, state: &State, which: impl Fn(u8) -> bool) -> bool {
    let (mut holders, mut writers, mut permits) = (0, 0, 0);
    for client in state.ids().filter(|client| which(*client)) {
        if let Request::Held(made) = state.client(client).request
            && state.is_held(client, rules.by_key())
        {
            holders += 1;
            writers += usize::from(!made.reads);
            permits += rules.weight(made.reads);
        }
    }
    match rules.scope.kind {
        Kind::Permits(limit) => permits > limit,
        Kind::Lock | Kind::Shared => holders > 1 && writers > 0,
    }
}

fn is_at_rest(state: &State) -> bool {
    let is_idle =
        |client: &crate::lock::client::Client| client.request == Request::Idle && client.grants();
    state.clients.iter().all(is_idle) && state.log.head().records.is_empty()
}

/// What a search has to come across, if the faults of its scope allow it.
impl Rules {
    fn sights(&self) -> Vec<Property<Rules>> {
        let faults = self.scope.faults;
        let sights: [(bool, Property<Rules>); 8] = [
            (
                faults.suspensions > 0,
                Property::sometimes(TAKEN_OVER, |rules: &Rules, state: &State| {
                    let has_lost = |client: u8| state.client(client).lease > 1;
                    let mut holders = state.ids();
                    holders.any(|at| state.is_held(at, rules.by_key()) && !has_lost(at))
                        && state.ids().any(has_lost)
                }),
            ),
            (
                faults.late_answers > 0,
                Property::sometimes(HELD_AGAIN, |_, state: &State| {
                    let mut clients = state.clients.iter();
                    clients.any(|client| {
                        client.session == Session::Suspended
                            && client.renewal == Renewal::Fresh
                            && matches!(client.request, Request::Held(_))
                    })
                }),
            ),
            (
                faults.cancels > 0,
                Property::sometimes(SWEPT_LATE, |rules: &Rules, state: &State| {
                    let mut actions = Vec::new();
                    going_on(rules, state, &mut actions);
                    let is_sweep = |action: &Action| matches!(action, Action::Sweep { .. });
                    actions.iter().any(is_sweep)
                }),
            ),
            (
                faults.repeats > 0,
                Property::sometimes(LANDED_TWICE, |_, state: &State| {
                    let mut records = state.log.head().records.iter();
                    records.any(|record| {
                        let first = state.granted[usize::from(state.log.head().epoch)];
                        !state.is_wanted(record) && record.created > first && first > 0
                    })
                }),
            ),
            (
                faults.restores > 0,
                Property::sometimes(HELD_IN_ANOTHER_LIFE, |rules: &Rules, state: &State| {
                    let mut ids = state.ids();
                    ids.any(|at| state.is_held(at, rules.by_key()) && state.client(at).epoch > 1)
                }),
            ),
            (
                faults.hidden > 0,
                Property::sometimes(ONLY_FENCED, |rules: &Rules, state: &State| {
                    is_shared_by(rules, state, |_| true)
                }),
            ),
            (
                faults.requires > 0 && faults.cancels + faults.delays > 0,
                Property::sometimes(REQUIRED_LATE, |_, state: &State| {
                    let mut under_way = state.under_way.iter();
                    under_way.any(|commit| match commit {
                        Commit::Required { client, made } => {
                            state.client(*client).wanted() != Some(*made)
                        }
                        _ => false,
                    })
                }),
            ),
            (
                self.scope.kind != Kind::Lock,
                Property::sometimes(HELD_TOGETHER, |rules: &Rules, state: &State| {
                    let holders = state.ids().filter(|at| state.is_held(*at, rules.by_key()));
                    holders.count() > 1
                }),
            ),
        ];
        let due = sights.into_iter().filter(|(is_due, _)| *is_due);
        due.map(|(_, sight)| sight).collect()
    }
}
