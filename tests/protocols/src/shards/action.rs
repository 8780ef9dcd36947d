//! What can happen next.
//!
//! Never happens here: it only says what may, and what has to in the end.

use crate::shards::commit::{Change, Commit};
use crate::shards::content::Inc;
use crate::shards::look::{Rules, told};
use crate::shards::scope::Mutant;
use crate::shards::state::State;
use crate::shards::tables::Next;
use crate::shards::worker::{Process, Running, Session};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    // What users and planners may do, and what may go wrong.
    Plan { commit: Commit },
    Refuse { worker: u8 },
    DropDrain { worker: u8 },
    GoOn { worker: u8 },
    AskToLeave { worker: u8 },
    Crash { worker: u8 },
    Restart { worker: u8 },
    PassDeadline { worker: u8 },
    Expire { worker: u8 },
    Send { commit: Commit },
    Repeat { commit: Commit },
    BackUp,
    Restore,
    // What goes on by itself, once nothing goes wrong any more.
    Arrive { commit: Commit },
    Advance { worker: u8, to: u8 },
    Tell { worker: u8 },
    Finish { worker: u8 },
    Say { commit: Commit },
    Mend { commit: Commit },
    Renew { worker: u8 },
    Lose { worker: u8 },
    Join { worker: u8 },
    EndFormer { worker: u8 },
    EndGrace { worker: u8 },
    Leave { worker: u8 },
}

/// What goes on by itself.
pub(crate) fn going_on(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    let mut last = None;
    for commit in state.under_way.iter().copied() {
        if last.replace(commit) != Some(commit) {
            actions.push(Action::Arrive { commit });
        }
    }
    for worker in state.ids() {
        let (next, end) = (state.worker(worker).view + 1, state.end());
        // What comes together is looked at together.
        actions.extend((next <= end).then_some(Action::Advance { worker, to: next }));
        actions.extend((next < end).then_some(Action::Advance { worker, to: end }));
        member_goes_on(rules, state, worker, actions);
        session_goes_on(state, worker, actions);
        let commits = rules.plans(state, worker, true).into_iter();
        // What is refused is tried again by a newer view.
        let commits = commits.filter(|commit| rules.takes(state.head(), commit));
        actions.extend(commits.map(|commit| Action::Mend { commit }));
    }
}

fn member_goes_on(rules: &Rules, state: &State, worker: u8, actions: &mut Vec<Action>) {
    let it = state.worker(worker);
    if it.process != Process::Up {
        return;
    }
    let role = rules.role(state, worker, state.view(worker));
    if told(rules.next(state, worker), role, it.running).is_some() {
        actions.push(Action::Tell { worker });
    }
    match it.running {
        // It was dropped, and is not given again.
        Running::Draining(_) if rules.is(Mutant::LostDrain) && state.left.dropped_drains == 0 => {}
        Running::Preparing | Running::Draining(_) | Running::Dropping => {
            actions.push(Action::Finish { worker });
        }
        _ => {}
    }
    if let Some(commit) = rules.says(state, worker)
        && rules.takes(state.head(), &commit)
    {
        actions.push(Action::Say { commit });
    }
    if may_leave(rules, state, worker) {
        actions.push(Action::Leave { worker });
    }
}

/// Whether one that is to leave sees that it may: no row names it, or there is nobody who could have it.
fn may_leave(rules: &Rules, state: &State, worker: u8) -> bool {
    let (it, view) = (state.worker(worker), state.view(worker));
    let Some(created) = it.joined else {
        return false;
    };
    let me = Inc { worker, created };
    let is_named = view.row.is_some_and(|(row, _)| row.names(me));
    let is_free = !is_named || view.up().next().is_none() || rules.is(Mutant::LeavesAtOnce);
    state.is_current(worker) && view.drains(worker) && is_free
}

fn session_goes_on(state: &State, worker: u8, actions: &mut Vec<Action>) {
    let (it, head) = (state.worker(worker), state.head());
    let is_current = state.is_current(worker);
    if it.process == Process::Up {
        match it.joined {
            Some(_) if !is_current => actions.push(Action::Lose { worker }),
            Some(_) if it.session == Session::Suspended => actions.push(Action::Renew { worker }),
            None if head.created(worker).is_none() => actions.push(Action::Join { worker }),
            _ => {}
        }
    }
    if head.created(worker).is_some() && !is_current {
        actions.push(Action::EndFormer { worker });
    }
    let went_on = |at: u8| state.worker(at).epoch < it.epoch && state.worker(at).is_live();
    if it.in_grace && it.epoch == head.epoch && !state.ids().any(went_on) {
        actions.push(Action::EndGrace { worker });
    }
}

/// What users do, and what goes wrong.
pub(crate) fn disturbing(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    let left = state.left;
    for worker in state.ids() {
        for commit in rules.plans(state, worker, false) {
            if rules.takes(state.head(), &commit) {
                actions.push(Action::Plan { commit });
            }
        }
        let it = state.worker(worker);
        match it.process {
            Process::Gone => continue,
            Process::Dead => {
                actions.push(Action::Restart { worker });
                continue;
            }
            Process::Up => {}
        }
        match it.running {
            Running::Preparing if left.refusals > 0 => actions.push(Action::Refuse { worker }),
            Running::Draining(_) if left.dropped_drains > 0 => {
                actions.push(Action::DropDrain { worker });
            }
            Running::Drained(_)
                if rules.is(Mutant::OwnedAgainInDrain)
                    && rules.next(state, worker) == Next::SayDone =>
            {
                actions.push(Action::GoOn { worker });
            }
            _ => {}
        }
        if left.crashes > 0 {
            actions.push(Action::Crash { worker });
        }
        if state.is_current(worker) && left.drains > 0 && !state.head().drains(worker) {
            actions.push(Action::AskToLeave { worker });
        }
        if it.is_live() && left.suspensions > 0 {
            actions.push(Action::PassDeadline { worker });
        }
        let may_end = !it.is_live() || rules.is(Mutant::NegativeMargin);
        if state.is_current(worker) && may_end {
            actions.push(Action::Expire { worker });
        }
    }
    disturbing_the_log(rules, state, actions);
}

fn disturbing_the_log(rules: &Rules, state: &State, actions: &mut Vec<Action>) {
    let left = state.left;
    if left.delays > 0 {
        let sent = state.ids().flat_map(|worker| {
            let says = rules.says(state, worker);
            let plans = [true, false].map(|is_due| rules.plans(state, worker, is_due));
            says.into_iter().chain(plans.into_iter().flatten())
        });
        let useful = sent.filter(|commit| rules.may_be_taken(state.head(), commit));
        actions.extend(useful.map(|commit| Action::Send { commit }));
    }
    if left.repeats > 0 {
        let mut last = None;
        for commit in state.under_way.iter().copied() {
            if last.replace(commit) != Some(commit) {
                actions.push(Action::Repeat { commit });
            }
        }
    }
    if left.restores > 0 {
        actions.push(Action::Restore);
        if state.backup.is_some_and(|backup| backup != *state.head()) {
            actions.push(Action::BackUp);
        }
    }
}

/// Which budget a planner's change is at, if any: what is due costs nothing.
pub(crate) fn spend(state: &mut State, commit: &Commit) {
    match commit.change {
        Change::Prepare(_) => state.left.moves -= 1,
        _ => state.left.timeouts -= 1,
    }
}
