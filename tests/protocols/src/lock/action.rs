//! What can happen next.
//!
//! Never happens here: it only says what may, and what has to in the end.

use crate::lock::client::{Renewal, Request, Session};
use crate::lock::commit::Commit;
use crate::lock::log::{Lease, Record};
use crate::lock::look::Rules;
use crate::lock::scope::{Kind, Mutant};
use crate::lock::state::State;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    // What a user may do.
    Ask { client: u8, reads: bool },
    Cancel { client: u8 },
    Write { client: u8 },
    Require { client: u8 },
    // What may go wrong.
    SendRelease { client: u8 },
    SendRenewal { client: u8 },
    PassDeadline { client: u8 },
    AnswerIsLate { client: u8 },
    Expire { lease: Lease },
    ExpireUnseen { lease: Lease },
    Lose { commit: Commit },
    Repeat { commit: Commit },
    BackUp,
    Restore,
    Enter,
    DeleteByHand { record: Record },
    // What goes on by itself, once nothing goes wrong any more.
    Release { client: u8 },
    Deliver { commit: Commit },
    Advance { client: u8, to: u8 },
    Sweep { client: u8, record: Record },
    Renew { client: u8 },
    HearAnswer { client: u8 },
    ChangeLease { client: u8 },
    EndGrace { client: u8 },
    Revoke { lease: Lease },
    EndFormer { lease: Lease },
}

/// What goes on by itself.
pub(crate) fn going_on(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    for commit in distinct(&state.under_way) {
        actions.push(Action::Deliver { commit });
    }
    for client in state.ids() {
        request_goes_on(rules, state, client, actions);
        session_goes_on(state, client, actions);
        // What comes together is looked at together.
        let (next, end) = (state.client(client).view + 1, state.log.end());
        actions.extend((next <= end).then_some(Action::Advance { client, to: next }));
        actions.extend((next < end).then_some(Action::Advance { client, to: end }));
        sweeps(rules, state, client, actions);
    }
    for lease in state.log.leases.iter().copied() {
        let owner = state.client(lease.0);
        if !is_current(state, lease) {
            actions.push(Action::EndFormer { lease });
            if owner.session == Session::Live && lease.1 < owner.lease && !rules.scope.newcomers {
                actions.push(Action::Revoke { lease });
            }
        }
    }
}

fn request_goes_on(rules: &Rules, state: &State, client: u8, actions: &mut Vec<Action>) {
    let Request::Held(made) = state.client(client).request else {
        return;
    };
    // The mutant sends it first, and stops when it sees that it is gone.
    let is_sent = || !stands_still(state, (client, made.number), (made.epoch, made.created));
    if !(rules.is(Mutant::ReleasedBeforeItStops) && is_sent()) {
        actions.push(Action::Release { client });
    }
}

fn session_goes_on(state: &State, client: u8, actions: &mut Vec<Action>) {
    let it = state.client(client);
    let epoch = state.log.head().epoch;
    let is_alive = it.epoch == epoch && state.log.leases.contains(&(client, it.lease));
    match it.session {
        _ if !is_alive => actions.push(Action::ChangeLease { client }),
        Session::Suspended if it.renewal == Renewal::None => actions.push(Action::Renew { client }),
        _ => {}
    }
    if it.renewal != Renewal::None {
        actions.push(Action::HearAnswer { client });
    }
    let went_on = |other: &&crate::lock::client::Client| other.epoch < it.epoch;
    let mut before = state.clients.iter().filter(went_on);
    if it.in_grace && !before.any(|other| other.may_go_on()) {
        actions.push(Action::EndGrace { client });
    }
}

/// What nobody wants, while it stands: another try would find nothing.
fn sweeps(rules: &Rules, state: &State, client: u8, actions: &mut Vec<Action>) {
    let (view, it) = (state.view(client), state.client(client));
    if it.session != Session::Live || view.epoch != it.epoch {
        return;
    }
    for record in view.records.iter().filter(|record| record.client == client) {
        let (key, at) = ((client, record.number), (view.epoch, record.created));
        if rules.is_swept(state, client, record) && stands_still(state, key, at) {
            let record = *record;
            actions.push(Action::Sweep { client, record });
        }
    }
}

/// What users do, and what goes wrong.
pub(crate) fn disturbing(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    let left = state.left;
    for client in state.ids() {
        let it = state.client(client);
        if it.request == Request::Idle && it.grants() && it.tried < rules.scope.claims {
            actions.push(Action::Ask {
                client,
                reads: false,
            });
            if rules.scope.kind != Kind::Lock {
                actions.push(Action::Ask {
                    client,
                    reads: true,
                });
            }
        }
        if it.request != Request::Idle && left.cancels > 0 {
            actions.push(Action::Cancel { client });
        }
        if state.is_held(client, rules.by_key()) {
            if left.writes > 0 {
                actions.push(Action::Write { client });
            }
            if left.requires > 0 {
                actions.push(Action::Require { client });
            }
        }
        if it.session == Session::Live && left.suspensions > 0 && has_at_stake(state, client) {
            actions.push(Action::PassDeadline { client });
        }
        if matches!(it.request, Request::Held(_)) && left.delays > 0 {
            actions.push(Action::SendRelease { client });
        }
        if it.session == Session::Suspended
            && it.renewal == Renewal::None
            && left.late_answers > 0
            && state.log.leases.contains(&(client, it.lease))
            && state.log.head().epoch == it.epoch
        {
            actions.push(Action::SendRenewal { client });
        }
        if it.session == Session::Suspended && it.renewal == Renewal::Fresh {
            actions.push(Action::AnswerIsLate { client });
        }
    }
    disturbing_the_log(rules, state, actions);
}

/// Whether it makes a difference how the session of a client stands.
pub(crate) fn has_at_stake(state: &State, client: u8) -> bool {
    let mut records = state.log.history.iter().flat_map(|it| &it.records);
    let mut under_way = state.under_way.iter();
    state.client(client).request != Request::Idle
        || records.any(|record| record.client == client)
        || under_way.any(|commit| commit.lease().is_some_and(|lease| lease.0 == client))
}

fn disturbing_the_log(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    let (left, log) = (state.left, &state.log);
    for lease in log.leases.iter().copied() {
        let may_go_on = state.client(lease.0).may_go_on();
        if is_current(state, lease) {
            if !may_go_on || rules.is(Mutant::NegativeMargin) {
                actions.push(Action::Expire { lease });
            } else if left.hidden > 0 {
                actions.push(Action::ExpireUnseen { lease });
            }
        }
    }
    for commit in distinct(&state.under_way) {
        if left.losses > 0 {
            actions.push(Action::Lose { commit });
        }
        if left.repeats > 0 {
            actions.push(Action::Repeat { commit });
        }
    }
    if left.restores > 0 {
        actions.push(Action::Restore);
        if !log.is_backed_up {
            actions.push(Action::BackUp);
        }
    }
    if state.resource.epoch < log.head().epoch && rules.scope.faults.writes > 0 {
        actions.push(Action::Enter);
    }
    if left.deletes > 0 {
        let records = log.head().records.iter();
        actions.extend(records.map(|record| Action::DeleteByHand { record: *record }));
    }
}

/// Whether a lease is the one its owner relies on, in this life of the log.
pub(crate) fn is_current(state: &State, (client, number): Lease) -> bool {
    let owner = state.client(client);
    owner.lease == number && owner.epoch == state.log.head().epoch
}

pub(crate) fn stands_still(
    state: &State,
    (client, number): (u8, u8),
    (epoch, created): (u8, u8),
) -> bool {
    let head = state.log.head();
    let found = head.at(client, number);
    head.epoch == epoch && found.is_some_and(|found| found.created == created)
}

/// They are sorted.
fn distinct(commits: &[Commit]) -> impl Iterator<Item = Commit> {
    let firsts = commits.iter().enumerate();
    firsts
        .filter(|(at, commit)| *at == 0 || commits[at - 1] != **commit)
        .map(|(_, commit)| *commit)
}
