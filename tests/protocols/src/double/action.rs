//! What can happen next.
//!
//! Never happens here: it only says what may, and what has to in the end.

use crate::double::scope::Mutant;
use crate::double::state::{Commit, Key, Phase, Rules, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    // What a user may do, and what may go wrong.
    Come {
        client: u8,
    },
    PassBound {
        client: u8,
    },
    Cancel {
        client: u8,
    },
    Die {
        client: u8,
    },
    /// It is sent, and its sender goes on before it arrives.
    Send {
        commit: Commit,
    },
    /// It arrives, and its sender does not hear the answer.
    Unheard {
        client: u8,
        commit: Commit,
    },
    // What goes on by itself, once nothing goes wrong any more.
    Advance {
        client: u8,
        to: u8,
    },
    Commit {
        client: u8,
        commit: Commit,
    },
    Arrive {
        commit: Commit,
    },
    Leave {
        client: u8,
    },
    Sweep {
        key: Key,
    },
}

/// What goes on by itself.
pub(crate) fn going_on(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    let commits = state.under_way.iter();
    actions.extend(commits.map(|commit| Action::Arrive { commit: *commit }));
    for client in state.ids() {
        let (next, end) = (state.client(client).view + 1, state.end());
        actions.extend((next <= end).then_some(Action::Advance { client, to: next }));
        actions.extend((next < end).then_some(Action::Advance { client, to: end }));
        // What is refused is tried again by a newer view.
        if let Some(commit) = due(rules, state, client).filter(|commit| rules.takes(state, *commit))
        {
            actions.push(Action::Commit { client, commit });
        }
        if matches!(state.client(client).phase, Phase::Inside(..)) {
            actions.push(Action::Leave { client });
        }
    }
    for (_, key) in &state.head().claims {
        if !state.is_wanted(*key) {
            actions.push(Action::Sweep { key: *key });
        }
    }
}

/// What users do, and what goes wrong.
pub(crate) fn disturbing(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    let left = state.left;
    for client in state.ids() {
        let it = state.client(client);
        if it.phase == Phase::Idle {
            if it.come < rules.scope.rounds {
                actions.push(Action::Come { client });
            }
            continue;
        }
        if matches!(it.phase, Phase::Waiting(_)) && left.bounds > 0 {
            actions.push(Action::PassBound { client });
        }
        if left.cancels > 0 {
            actions.push(Action::Cancel { client });
        }
        if left.deaths > 0 {
            actions.push(Action::Die { client });
        }
        if let Some(commit) = due(rules, state, client) {
            if left.delays > 0 && !state.under_way.contains(&commit) {
                actions.push(Action::Send { commit });
            }
            if left.lost_replies > 0 {
                actions.push(Action::Unheard { client, commit });
            }
        }
    }
}

/// What a client is to commit, by its view.
fn due(rules: &Rules, state: &State, client: u8) -> Option<Commit> {
    let view = state.view(client);
    let ends = |(written, round): (u8, [Key; 2])| {
        let mut keys = round.iter();
        let is_over = match rules.is(Mutant::EndsWithTheFirst) {
            true => keys.any(|key| !view.stands(*key)),
            false => keys.all(|key| !view.stands(*key)),
        };
        let is_over = is_over && !rules.is(Mutant::NeverEnds);
        is_over.then_some(Commit::End { written })
    };
    match state.client(client).phase {
        Phase::Idle | Phase::Inside(..) => None,
        Phase::GivingUp(key) => Some(Commit::GiveUp {
            key,
            seen: view.round.map(|(written, _)| written),
        }),
        Phase::Leaving(..) => view.round.and_then(ends),
        Phase::Waiting(_) => match view.round {
            Some(round) if !rules.is(Mutant::BeginsOverAnother) => ends(round),
            _ => view.first().map(|round| Commit::Begin { round }),
        },
    }
}
