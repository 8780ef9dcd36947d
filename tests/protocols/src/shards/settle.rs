//! What is done at once, because it makes no difference when: it keeps the number of states small.
//!
//! Never skips what anybody could notice. A view moves on by itself past what its member has no use for; a commit that can
//! have no effect any more is forgotten, and so is what nobody sees.

use crate::shards::content::{Content, Inc, Member, Row, WORKERS};
use crate::shards::look::Rules;
use crate::shards::state::State;
use crate::shards::tables::Role;
use crate::shards::worker::Process;

impl Rules {
    pub(crate) fn settle(&self, state: &mut State) {
        let head = *state.head();
        state
            .under_way
            .retain(|commit| self.may_be_taken(&head, commit));
        if state.left.restores == 0 {
            state.backup = None;
        }
        let end = state.end();
        for at in state.ids() {
            while state.worker(at).view < end && self.is_same_after(state, at) {
                state.worker_mut(at).view += 1;
            }
        }
        let views = state.workers.iter().map(|worker| worker.view);
        let oldest = views.min().unwrap_or_default();
        state.history.drain(..usize::from(oldest));
        state.workers.iter_mut().for_each(|it| it.view -= oldest);
        state.number_anew();
    }

    /// Whether the next view is the same to a member, whatever it does meanwhile.
    fn is_same_after(&self, state: &State, at: u8) -> bool {
        let it = state.worker(at);
        if it.process != Process::Up || it.joined.is_none() {
            return true;
        }
        let here = *state.view(at);
        let next = state.history[usize::from(it.view) + 1];
        here.epoch == next.epoch && self.seen(state, at, &here) == self.seen(state, at, &next)
    }

    /// All that a member could make use of in a view.
    fn seen(&self, state: &State, at: u8, view: &Content) -> Seen {
        let role = self.role(state, at, view);
        let is_said = matches!(role, Role::Prepare { is_asked: true } | Role::Drain(_));
        let own = view.created(at);
        let is_named = |created| {
            let me = Inc {
                worker: at,
                created,
            };
            view.row.is_some_and(|(row, _)| row.names(me))
        };
        let leaves = view.drains(at);
        Seen {
            role,
            row: view.row.map(|(_, written)| written).filter(|_| is_said),
            own,
            leaves: leaves.then(|| own.is_some_and(is_named) && view.up().next().is_some()),
            plans: (view.planner() == Some(at)).then_some((view.row, view.members, view.claims)),
        }
    }
}

type All = (
    Option<(Row, u8)>,
    [Option<Member>; WORKERS],
    [Option<u8>; WORKERS],
);

#[derive(PartialEq)]
struct Seen {
    role: Role,
    row: Option<u8>,
    own: Option<u8>,
    leaves: Option<bool>,
    plans: Option<All>,
}
