//! What a member makes of what it sees: what it is asked to do, and whether it serves.
//!
//! Never a rule of its own about the row: those are the map's.

use crate::shards::content::{Content, Inc};
use crate::shards::scope::{Mode, Mutant, Scope};
use crate::shards::state::State;
use crate::shards::tables::{self, Next, Role};
use crate::shards::worker::Running;

/// The rules that are in force.
pub type Rules = crate::search::Rules<Scope>;

impl Rules {
    pub(crate) fn is_strict(&self) -> bool {
        self.scope.mode == Mode::Strict
    }

    /// Who a member is, to a view: nobody in one of another life.
    pub(crate) fn me(&self, state: &State, at: u8, view: &Content) -> Option<Inc> {
        let it = state.worker(at);
        let created = it.joined?;
        let is_its = view.epoch == it.epoch;
        let me = Inc {
            worker: at,
            created,
        };
        let row = view.row.map(|(row, _)| row);
        let as_named = row.and_then(|row| {
            [Some(row.owner), row.others()]
                .into_iter()
                .flatten()
                .find(|inc| inc.worker == at)
        });
        match as_named {
            Some(named) if self.is(Mutant::KnownById) => Some(named),
            _ => is_its.then_some(me),
        }
    }

    /// What a view asks of a member.
    pub(crate) fn role(&self, state: &State, at: u8, view: &Content) -> Role {
        let row = view.row.map(|(row, _)| row);
        let me = self.me(state, at, view);
        me.map_or(Role::None, |me| tables::role(self.scope.mode, row, me))
    }

    /// Whether a member may own anything now.
    pub(crate) fn may_own(&self, state: &State, at: u8) -> bool {
        let it = state.worker(at);
        match self.scope.mode {
            Mode::Strict if self.is(Mutant::BlindToTheClock) => it.joined.is_some(),
            Mode::Strict => it.is_live() && !it.in_grace,
            Mode::Available => it.joined.is_some(),
        }
    }

    /// What is next for a member.
    pub(crate) fn next(&self, state: &State, at: u8) -> Next {
        let role = self.role(state, at, state.view(at));
        let running = state.worker(at).running;
        match (running, role) {
            (Running::Draining(_), Role::Drain(_)) if self.is(Mutant::DoneBeforeItStops) => {
                Next::SayDone
            }
            _ => tables::next(self.scope.mode, running, role, self.may_own(state, at)),
        }
    }

    /// Whether a member lets anybody in to what it owns, at this moment.
    pub(crate) fn serves(&self, state: &State, at: u8) -> bool {
        let runs = matches!(
            state.worker(at).running,
            Running::Owned(_) | Running::Draining(_)
        );
        runs && (!self.is_strict() || self.may_own(state, at))
    }

    /// Whether nobody but the planner has made anything happen, and its clocks and the log have gone on.
    pub(crate) fn is_planned(&self, state: &State) -> bool {
        let (left, all) = (state.left, self.scope.faults);
        (left.crashes, left.suspensions, left.restores)
            == (all.crashes, all.suspensions, all.restores)
            && all.drains - left.drains < self.scope.workers
    }

    /// Looks at what a view shows: whether what was joined still stands.
    pub(crate) fn look(&self, state: &mut State, at: u8) {
        let view = *state.view(at);
        let it = state.worker(at);
        let Some(created) = it.joined else { return };
        let is_other = view.epoch > it.epoch;
        let has_grace = self.has_grace();
        let me = Inc {
            worker: at,
            created,
        };
        // Of an older view it knows that it is old: it has seen itself.
        if is_other || !view.stands(me) {
            let it = state.worker_mut(at);
            it.lose();
            it.learn(view.epoch, has_grace);
        }
    }

    pub(crate) fn has_grace(&self) -> bool {
        !self.is(Mutant::NoGrace)
    }
}

/// What a member is told, and runs then.
pub(crate) fn told(next: Next, role: Role, running: Running) -> Option<Running> {
    let term = |term: u64| term as u8;
    match (next, role) {
        (Next::Prepare, _) => Some(Running::Preparing),
        (Next::Own, Role::Own(of)) => Some(Running::Owned(term(of))),
        (Next::Drain, Role::Drain(of)) => Some(Running::Draining(term(of))),
        (Next::Drop, _) => Some(Running::Dropping),
        (Next::Forget, _) => Some(Running::Idle),
        _ => None,
    }
    .filter(|next| *next != running)
}
