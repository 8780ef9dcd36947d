//! One step, from a state to the next.
//!
//! Never asks whether it may be: who lists the steps knows.

use crate::lock::action::{Action, stands_still};
use crate::lock::client::{Answer, Made, Renewal, Request, Session};
use crate::lock::commit::Commit;
use crate::lock::log::Record;
use crate::lock::look::Rules;
use crate::lock::scope::Mutant;
use crate::lock::state::{Broken, State};

impl Rules {
    pub(crate) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Ask { client, reads } => self.ask(state, client, reads),
            Action::Cancel { client } => {
                state.left.cancels -= 1;
                state.client_mut(client).request = Request::Idle;
            }
            Action::Write { client } => {
                state.left.writes -= 1;
                if let Some(made) = state.client(client).wanted() {
                    state.send(Commit::Write { client, made });
                }
            }
            Action::Require { client } => {
                state.left.requires -= 1;
                if let Some(made) = state.client(client).wanted() {
                    state.send(Commit::Required { client, made });
                }
            }
            Action::PassDeadline { client } => {
                state.left.suspensions -= 1;
                state.client_mut(client).session = Session::Suspended;
            }
            Action::AnswerIsLate { client } => state.client_mut(client).renewal = Renewal::Overdue,
            Action::Expire { lease } | Action::EndFormer { lease } | Action::Revoke { lease } => {
                state.log.end_lease(lease);
            }
            Action::ExpireUnseen { lease } => {
                state.left.hidden -= 1;
                state.log.end_lease(lease);
            }
            Action::Lose { commit } => {
                state.left.losses -= 1;
                take(state, commit);
                // Its sender never hears of it, and gives up.
                state.answer(commit, Answer::Refused);
            }
            Action::Repeat { commit } => {
                state.left.repeats -= 1;
                take(state, commit);
                self.arrive(state, commit);
                state.send(commit.again());
            }
            Action::Deliver { commit } => {
                take(state, commit);
                self.arrive(state, commit);
            }
            Action::BackUp => state.log.back_up(),
            Action::Restore => {
                state.left.restores -= 1;
                state.log.restore();
            }
            Action::Enter => state.resource.enter(state.log.head().epoch),
            Action::DeleteByHand { record } => {
                state.left.deletes -= 1;
                state.log.delete(|other| *other == record);
            }
            Action::Release { client } => self.release(state, client),
            Action::Advance { client, to } => {
                state.client_mut(client).view = to;
                self.look(state, client);
            }
            Action::Sweep { record, .. } => state.log.delete(|other| *other == record),
            Action::Renew { client } => {
                state.client_mut(client).session = Session::Live;
                self.look_again(state, client);
            }
            Action::SendRelease { client } => {
                state.left.delays -= 1;
                self.send_release(state, client);
            }
            Action::SendRenewal { client } => {
                state.left.late_answers -= 1;
                state.client_mut(client).renewal = Renewal::Fresh;
            }
            Action::HearAnswer { client } => self.hear(state, client),
            Action::ChangeLease { client } => self.change_lease(state, client),
            Action::EndGrace { client } => {
                state.client_mut(client).in_grace = false;
                self.look_again(state, client);
            }
        }
        self.settle(state);
    }

    /// Who waits is looked at because of its session, and not of a change of claims.
    fn look_again(&self, state: &mut State, client: u8) {
        if !self.is(Mutant::WokenByClaimsAlone) {
            self.look(state, client);
        }
    }

    fn ask(&self, state: &mut State, client: u8, reads: bool) {
        let it = state.client_mut(client);
        it.tried += 1;
        let attempt = it.tried;
        let number = match self.is(Mutant::KeyUsedTwice) {
            true => 1,
            false => attempt,
        };
        it.request = Request::Sending {
            attempt,
            number,
            reads,
            answer: Answer::None,
        };
        let (lease, epoch) = (it.lease, it.epoch);
        state.send(Commit::Create {
            client,
            attempt,
            number,
            reads,
            lease,
            epoch,
            is_copy: false,
        });
    }

    /// The claim of a request is committed and seen, or refused.
    pub(crate) fn learn(&self, state: &mut State, client: u8) {
        let (view, last) = (state.view(client).epoch, state.view(client).last);
        let it = state.client_mut(client);
        let Request::Sending {
            number,
            reads,
            answer,
            ..
        } = it.request
        else {
            return;
        };
        let (created, epoch, lease) = match answer {
            Answer::None => return,
            Answer::Refused => {
                it.request = Request::Idle;
                return;
            }
            Answer::Created {
                created,
                epoch,
                lease,
            } => (created, epoch, lease),
        };
        if (view, last) < (epoch, created) {
            return;
        }
        it.request = Request::Idle;
        // In another life, or under a lease that was lost meanwhile, it is swept and not waited for.
        if view == epoch && it.lease == lease {
            it.request = Request::Waiting(Made {
                number,
                reads,
                created,
                epoch,
                lease,
            });
            self.look(state, client);
        }
    }

    /// Sends a release, and waits for it.
    fn release(&self, state: &mut State, client: u8) {
        if let Some(delete) = self.send_release(state, client) {
            take(state, delete);
            self.arrive(state, delete);
        }
    }

    fn send_release(&self, state: &mut State, client: u8) -> Option<Commit> {
        let made = state.client(client).wanted()?;
        if !self.is(Mutant::ReleasedBeforeItStops) {
            state.client_mut(client).request = Request::Idle;
        }
        let delete = Commit::Delete {
            client,
            number: made.number,
            created: made.created,
            epoch: made.epoch,
        };
        state.send(delete);
        Some(delete)
    }

    fn hear(&self, state: &mut State, client: u8) {
        let it = state.client_mut(client);
        let answer = std::mem::replace(&mut it.renewal, Renewal::None);
        let counts = answer == Renewal::Fresh || self.is(Mutant::AnswerCountsFromItsArrival);
        if counts && it.session == Session::Suspended {
            it.session = Session::Live;
            self.look_again(state, client);
        }
    }

    pub(crate) fn change_lease(&self, state: &mut State, client: u8) {
        self.lose_lease(state, client);
        self.take_lease(state, client);
    }

    fn lose_lease(&self, state: &mut State, client: u8) {
        let it = state.client_mut(client);
        it.renewal = Renewal::None;
        let is_kept = self.is(Mutant::PutBack) && matches!(it.request, Request::Held(_));
        if it.wanted().is_some() && !is_kept {
            it.request = Request::Idle;
        }
    }

    fn take_lease(&self, state: &mut State, client: u8) {
        let epoch = state.log.head().epoch;
        let it = state.client_mut(client);
        it.lease += 1;
        it.session = Session::Live;
        let is_new = std::mem::replace(&mut it.epoch, epoch) != epoch;
        it.in_grace |= is_new && !self.is(Mutant::NoGrace) && !self.scope.newcomers;
        let (lease, wanted, attempt) = (it.lease, it.wanted(), it.tried);
        state.log.leases.push((client, lease));
        state.log.leases.sort_unstable();
        // Of the mutant that puts claims back.
        if let Some(made) = wanted {
            state.send(Commit::Create {
                client,
                attempt,
                number: made.number,
                reads: made.reads,
                lease,
                epoch,
                is_copy: true,
            });
        }
    }
}

/// What arrives.
impl Rules {
    fn arrive(&self, state: &mut State, commit: Commit) {
        match commit {
            Commit::Create { .. } => self.create(state, commit),
            Commit::Delete {
                client,
                number,
                created,
                epoch,
                ..
            } => {
                if stands_still(state, (client, number), (epoch, created)) {
                    let key = (client, number);
                    state.log.delete(|it| (it.client, it.number) == key);
                }
            }
            Commit::Required { client, made } => self.require(state, client, made),
            Commit::Write { client, made } => self.write(state, client, made),
        }
    }

    fn create(&self, state: &mut State, commit: Commit) {
        let Commit::Create {
            client,
            number,
            reads,
            lease,
            epoch,
            ..
        } = commit
        else {
            return;
        };
        let record = Record {
            created: 0,
            client,
            number,
            lease,
            reads,
        };
        let reply = match state.log.create(record, epoch) {
            Ok(created) => Answer::Created {
                created,
                epoch,
                lease,
            },
            Err(Some(found)) if self.is(Mutant::KeyUsedTwice) => Answer::Created {
                created: found.created,
                epoch,
                lease: found.lease,
            },
            Err(_) => Answer::Refused,
        };
        state.answer(commit, reply);
    }

    fn require(&self, state: &mut State, client: u8, made: Made) {
        let epoch = state.log.head().epoch;
        let life = match self.is(Mutant::RequiredInAnyLife) {
            true => epoch,
            false => made.epoch,
        };
        if !stands_still(state, (client, made.number), (life, made.created)) {
            return;
        }
        let last = &mut state.required[usize::from(made.epoch)];
        if *last > made.created {
            state.broken = Some(Broken::RequiredFell);
        } else if epoch != made.epoch {
            state.broken = Some(Broken::RequiredElsewhere);
        }
        if !made.reads {
            *last = made.created;
        }
    }

    fn write(&self, state: &mut State, client: u8, made: Made) {
        let before = state.resource;
        let is_admitted = state.resource.admit(made);
        let (epoch, least) = before.exclusive();
        let is_behind = made.epoch < epoch || made.epoch == epoch && made.created < least;
        if is_admitted && is_behind {
            state.broken = Some(Broken::TokenFell);
        }
        let is_its = state.client(client).wanted() == Some(made);
        let holds = is_its && state.is_held(client, self.by_key());
        let is_of_life = epoch == 0 || epoch == made.epoch;
        if !is_admitted && holds && is_of_life && self.is_faithful(state) {
            state.broken = Some(Broken::HolderRefused);
        }
    }
}

fn take(state: &mut State, commit: Commit) {
    if let Ok(at) = state.under_way.binary_search(&commit) {
        state.under_way.remove(at);
    }
}
