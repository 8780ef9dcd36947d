//! What is done at once, because it makes no difference when: it keeps the number of states small.
//!
//! Never skips what anybody could notice. A view moves on by itself past what its client has no use for; a commit that can
//! have no effect any more is forgotten, and so is a lease that nothing is, or can come, under.

use crate::lock::action::{has_at_stake, is_current, stands_still};
use crate::lock::client::{Answer, Request};
use crate::lock::commit::Commit;
use crate::lock::log::{Content, Record};
use crate::lock::look::Rules;
use crate::lock::scope::Mutant;
use crate::lock::state::State;

impl Rules {
    pub(crate) fn settle(&self, state: &mut State) {
        self.forget_commits(state);
        let epoch = state.log.head().epoch;
        for client in state.ids() {
            self.move_on(state, client);
            if state.client(client).epoch != epoch && !has_at_stake(state, client) {
                self.change_lease(state, client);
            }
        }
        self.forget_past(state);
        let leases = std::mem::take(&mut state.log.leases);
        let kept = leases.iter().copied().filter(|lease| {
            let mut records = state.log.head().records.iter();
            is_current(state, *lease)
                || records.any(|record| (record.client, record.lease) == *lease)
                || state
                    .under_way
                    .iter()
                    .any(|commit| commit.lease() == Some(*lease))
        });
        let kept = kept.collect();
        state.log.leases = kept;
        state.forget();
    }

    /// Moves a view on to where something is that its client does not know yet; and learns what it waits for.
    fn move_on(&self, state: &mut State, client: u8) {
        loop {
            self.learn(state, client);
            if state.sees_all(client) {
                return;
            }
            let at = usize::from(state.client(client).view);
            let (here, next) = (&state.log.history[at], &state.log.history[at + 1]);
            if !is_same(state, client, here, next) {
                return;
            }
            state.client_mut(client).view += 1;
        }
    }

    /// Forgets what was in lives of the log that nobody asks about any more, and a backup that is not needed again.
    fn forget_past(&self, state: &mut State) {
        let epoch = state.log.head().epoch;
        if state.left.restores == 0 {
            state.log.forget_backup();
        }
        let is_of = |at: u8| {
            let asks = state.clients.iter().any(|client| match client.request {
                Request::Idle => false,
                Request::Sending { answer, .. } => {
                    matches!(answer, Answer::Created { epoch, .. } if epoch == at)
                }
                Request::Waiting(made) | Request::Held(made) => made.epoch == at,
            });
            let mut commits = state.under_way.iter();
            asks || commits
                .any(|commit| matches!(commit, Commit::Required { made, .. } if made.epoch == at))
        };
        let gone: Vec<u8> = (1..epoch).filter(|at| !is_of(*at)).collect();
        for at in gone {
            state.granted[usize::from(at)] = 0;
            state.required[usize::from(at)] = 0;
        }
    }

    fn forget_commits(&self, state: &mut State) {
        let head = state.log.head();
        let is_alive = |commit: &Commit| match *commit {
            Commit::Create {
                client,
                lease,
                epoch,
                ..
            } => head.epoch == epoch && state.log.leases.contains(&(client, lease)),
            Commit::Delete {
                client,
                number,
                created,
                epoch,
            } => stands_still(state, (client, number), (epoch, created)),
            Commit::Required { client, made } => {
                let (key, at) = ((client, made.number), (made.epoch, made.created));
                self.is(Mutant::RequiredInAnyLife) || stands_still(state, key, at)
            }
            Commit::Write { .. } => true,
        };
        if state.under_way.iter().all(is_alive) {
            return;
        }
        let (alive, dead): (Vec<Commit>, Vec<Commit>) =
            state.under_way.iter().copied().partition(is_alive);
        state.under_way = alive;
        // Whoever waits for one of them is told that it was refused.
        for commit in dead {
            state.answer(commit, Answer::Refused);
        }
    }
}

/// Whether two views are the same to a client, as it is now.
fn is_same(state: &State, client: u8, one: &Content, other: &Content) -> bool {
    let request = state.client(client).request;
    let waits = match request {
        Request::Waiting(made) => made.created,
        _ => 0,
    };
    let matters = |record: &&Record| record.client == client || record.created < waits;
    let all = |content: &Content| {
        let records: Vec<Record> = content.records.iter().filter(matters).copied().collect();
        records
    };
    let (one_all, other_all) = (all(one), all(other));
    let has_claim = !matches!(
        request,
        Request::Idle
            | Request::Sending {
                answer: Answer::None,
                ..
            }
    );
    one_all == other_all && (one.epoch == other.epoch || one_all.is_empty() && !has_claim)
}
