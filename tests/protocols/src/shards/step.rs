//! One step, from a state to the next.
//!
//! Never asks whether it may be: who lists the steps knows.

use crate::shards::action::{Action, spend};
use crate::shards::commit::{By, Change, Commit};
use crate::shards::content::{Content, Member};
use crate::shards::look::{Rules, told};
use crate::shards::scope::Mutant;
use crate::shards::state::{Broken, State};
use crate::shards::tables;
use crate::shards::worker::{Process, Running, Session};

impl Rules {
    pub(crate) fn step(&self, state: &mut State, action: Action) {
        let is_served = self.is_served(state);
        self.act(state, action);
        if is_served && !self.is_served(state) && self.is_planned(state) {
            state.broken.get_or_insert(Broken::Unserved);
        }
        self.settle(state);
    }

    /// Whether somebody serves, where that counts.
    fn is_served(&self, state: &State) -> bool {
        let mut workers = state.ids();
        self.scope.counts_gaps && workers.any(|at| self.serves(state, at))
    }

    fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Plan { commit } => {
                spend(state, &commit);
                self.arrive(state, commit);
            }
            Action::Say { commit } | Action::Mend { commit } => self.arrive(state, commit),
            Action::Refuse { worker } => {
                state.left.refusals -= 1;
                let commit = self.member_commit(state, worker, Change::Refuse);
                state.worker_mut(worker).running = Running::Idle;
                if let Some(commit) = commit {
                    self.arrive(state, commit);
                }
            }
            Action::DropDrain { worker } => self.drop_drain(state, worker),
            Action::GoOn { worker } => {
                if let Running::Drained(term) = state.worker(worker).running {
                    state.worker_mut(worker).running = Running::Owned(term);
                }
            }
            Action::AskToLeave { worker } => {
                state.left.drains -= 1;
                state.change(|content| {
                    let at = usize::from(worker);
                    content.claims[at] = None;
                    content.members[at]
                        .iter_mut()
                        .for_each(|it| it.drains = true);
                });
            }
            Action::Crash { worker } => {
                state.left.crashes -= 1;
                let it = state.worker_mut(worker);
                it.lose();
                it.running = Running::Idle;
                it.process = Process::Dead;
            }
            Action::Restart { worker } => {
                let epoch = state.head().epoch;
                let has_grace = self.has_grace() && !self.scope.newcomers;
                let it = state.worker_mut(worker);
                it.process = Process::Up;
                it.learn(epoch, has_grace);
            }
            Action::PassDeadline { worker } => {
                state.left.suspensions -= 1;
                state.worker_mut(worker).session = Session::Suspended;
            }
            Action::Expire { worker } | Action::EndFormer { worker } => {
                state.change(|content| content.end(worker));
            }
            Action::Send { commit } => {
                state.left.delays -= 1;
                state.send(commit);
            }
            Action::Repeat { commit } => {
                state.left.repeats -= 1;
                self.arrive(state, commit);
            }
            Action::BackUp => state.backup = Some(*state.head()),
            Action::Restore => self.restore(state),
            Action::Arrive { commit } => {
                if let Ok(at) = state.under_way.binary_search(&commit) {
                    state.under_way.remove(at);
                }
                self.arrive(state, commit);
            }
            Action::Advance { worker, to } => {
                state.worker_mut(worker).view = to;
                self.look(state, worker);
            }
            Action::Tell { worker } => {
                let role = self.role(state, worker, state.view(worker));
                let running = state.worker(worker).running;
                if let Some(running) = told(self.next(state, worker), role, running) {
                    state.worker_mut(worker).running = running;
                }
            }
            Action::Finish { worker } => {
                let it = state.worker_mut(worker);
                it.running = match it.running {
                    Running::Preparing => Running::Ready,
                    Running::Draining(term) => Running::Drained(term),
                    _ => Running::Idle,
                };
            }
            Action::Renew { worker } => state.worker_mut(worker).session = Session::Live,
            Action::Lose { worker } => {
                let (epoch, has_grace) = (state.head().epoch, self.has_grace());
                let it = state.worker_mut(worker);
                it.lose();
                it.learn(epoch, has_grace);
            }
            Action::Join { worker } => self.join(state, worker),
            Action::EndGrace { worker } => state.worker_mut(worker).in_grace = false,
            Action::Leave { worker } => {
                let it = state.worker_mut(worker);
                it.lose();
                it.running = Running::Idle;
                it.process = Process::Gone;
                state.change(|content| content.end(worker));
            }
        }
    }

    fn drop_drain(&self, state: &mut State, worker: u8) {
        state.left.dropped_drains -= 1;
        let it = state.worker_mut(worker);
        if let Running::Draining(term) = it.running
            && !self.is(Mutant::LostDrain)
        {
            // It is told again.
            it.running = Running::Owned(term);
        }
    }

    fn restore(&self, state: &mut State) {
        state.left.restores -= 1;
        let epoch = state.head().epoch + 1;
        if let Some(backup) = state.backup {
            state.history.push(Content { epoch, ..backup });
        }
    }

    /// A new session, and a record of it; it has come when it sees itself.
    fn join(&self, state: &mut State, worker: u8) {
        state.change(|content| {
            content.members[usize::from(worker)] = Some(Member {
                created: content.last,
                drains: false,
            });
        });
        if state.worker(worker).plans {
            state.change(|content| content.claims[usize::from(worker)] = Some(content.last));
        }
        let (epoch, created) = (state.head().epoch, state.head().created(worker));
        let (end, has_grace) = (state.end(), self.has_grace());
        let it = state.worker_mut(worker);
        it.learn(epoch, has_grace);
        it.joined = created;
        it.view = end;
    }

    /// A commit reaches the log.
    fn arrive(&self, state: &mut State, commit: Commit) {
        let head = *state.head();
        if !self.takes(&head, &commit) {
            return;
        }
        let before = head.row.map(|(row, _)| row);
        let (row, broken) = (commit.row, &mut state.broken);
        if let By::Planner { worker, .. } = commit.by {
            let of_now = |change| {
                let is_live = |inc| head.stands(inc);
                tables::changed(self.scope.mode, before, change, None, is_live)
            };
            if head.planner() != Some(worker) || of_now(commit.change) != Some(row) {
                broken.get_or_insert(Broken::StalePlanner);
            }
        }
        if let Some(before) = before {
            let is_handed = before.owner != row.owner;
            if row.term < before.term || is_handed && row.term == before.term {
                *broken = Some(Broken::TermFell);
            }
        }
        state.change(|content| content.row = Some((row, content.last)));
    }
}
