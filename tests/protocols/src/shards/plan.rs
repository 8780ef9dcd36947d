//! What a planner and a member commit, by what they see.
//!
//! Never commits: it only says what, and what that is guarded by.

use crate::shards::commit::{By, Change, Commit};
use crate::shards::content::{Content, Inc, Stage, WORKERS};
use crate::shards::look::Rules;
use crate::shards::scope::Mutant;
use crate::shards::state::State;
use crate::shards::tables::{self, Next};
use crate::shards::worker::Process;

impl Rules {
    /// A change as somebody would commit it, of a view; nothing if it may not be made of it.
    fn commit(&self, view: &Content, change: Change, by: By) -> Option<Commit> {
        let mut members = [None; WORKERS];
        let maker = match by {
            By::Planner { .. } => None,
            By::Member(me) => Some(me),
        };
        let row = view.row.map(|(row, _)| row);
        let is_live = |inc: Inc| {
            members[usize::from(inc.worker)] = Some(view.created(inc.worker));
            view.stands(inc)
        };
        let cancelled = row.filter(|row| {
            let drains = matches!(row.stage, Stage::Drain(_));
            drains && change == Change::Cancel && self.is(Mutant::DrainCancelled)
        });
        let row = match cancelled {
            Some(mut row) => {
                row.stage = Stage::Settled;
                row
            }
            None => tables::changed(self.scope.mode, row, change, maker, is_live)?,
        };
        let to = match change {
            Change::Assign(to) | Change::Prepare(to) | Change::Redirect(to) => Some(to),
            _ => None,
        };
        Some(Commit {
            change,
            by,
            epoch: view.epoch,
            at: view.row.map(|(_, written)| written),
            members,
            seen_to_leave: to.is_some_and(|to| view.drains(to.worker)),
            row,
        })
    }

    /// What a process would commit as the planner, if it takes itself for one: what is due, or what it may.
    pub(crate) fn plans(&self, state: &State, at: u8, is_due: bool) -> Vec<Commit> {
        let (view, it) = (state.view(at), state.worker(at));
        let claim = view.claims[usize::from(at)];
        let Some(claim) = claim.filter(|_| view.planner() == Some(at)) else {
            return Vec::new();
        };
        if it.process != Process::Up || it.joined.is_none() || it.epoch != view.epoch {
            return Vec::new();
        }
        let by = By::Planner { worker: at, claim };
        let changes = match is_due {
            true => self.due(view),
            false => self.allowed(state, view),
        };
        let changes = changes.into_iter();
        let commits = changes.filter_map(|change| self.commit(view, change, by));
        commits.collect()
    }

    /// What is wrong as it stands.
    fn due(&self, view: &Content) -> Vec<Change> {
        let Some((row, _)) = view.row else {
            return view.up().map(Change::Assign).collect();
        };
        let is_live = |inc: Inc| view.stands(inc);
        let (lives, leaves) = (is_live(row.owner), view.drains(row.owner.worker));
        let assign = || {
            let back = row
                .others()
                .filter(|_| matches!(row.stage, Stage::Leaving(_)));
            let to = view.up().chain(back);
            to.map(Change::Assign).collect()
        };
        match row.stage {
            _ if !lives && self.is(Mutant::DeadLeftAlone) => Vec::new(),
            Stage::Prepare(next) | Stage::Drain(next) if !lives && is_live(next) => {
                vec![Change::Inherit]
            }
            _ if !lives => assign(),
            Stage::Settled if leaves => view.up().map(Change::Prepare).collect(),
            Stage::Prepare(next) if !is_live(next) => vec![Change::Cancel],
            Stage::Drain(next) if !is_live(next) => view.up().map(Change::Redirect).collect(),
            Stage::Leaving(prev) if !is_live(prev) => vec![Change::Inherit],
            _ => Vec::new(),
        }
    }

    /// What a planner may do besides, for the sake of balance or time.
    fn allowed(&self, state: &State, view: &Content) -> Vec<Change> {
        let Some((row, _)) = view.row.filter(|(row, _)| view.stands(row.owner)) else {
            return Vec::new();
        };
        let left = state.left;
        match row.stage {
            Stage::Settled if left.moves > 0 => view.up().map(Change::Prepare).collect(),
            Stage::Prepare(_) if left.timeouts > 0 => vec![Change::Cancel],
            Stage::Drain(_) if left.timeouts > 0 && self.is(Mutant::DrainCancelled) => {
                vec![Change::Cancel]
            }
            _ => Vec::new(),
        }
    }

    /// What a member is to commit.
    pub(crate) fn says(&self, state: &State, at: u8) -> Option<Commit> {
        let change = match self.next(state, at) {
            Next::SayReady => Change::Ready,
            Next::SayDone => Change::Done,
            _ => return None,
        };
        self.member_commit(state, at, change)
    }

    pub(crate) fn member_commit(&self, state: &State, at: u8, change: Change) -> Option<Commit> {
        let view = state.view(at);
        let me = self.me(state, at, view)?;
        self.commit(view, change, By::Member(me))
    }
}
