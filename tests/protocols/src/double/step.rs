//! One step, from a state to the next.
//!
//! Never asks whether it may be: who lists the steps knows.

use crate::double::action::Action;
use crate::double::scope::Mutant;
use crate::double::state::{Broken, Commit, Key, Phase, Round, Rules, State};

impl Rules {
    pub(crate) fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Come { client } => {
                let it = state.client_mut(client);
                it.come += 1;
                let key = (client, it.come);
                it.phase = Phase::Waiting(key);
                state.change(|content| {
                    content.last += 1;
                    content.claims.push((content.last, key));
                });
                // It has come when it sees itself.
                let end = state.end();
                state.client_mut(client).view = end;
                look(state, client);
            }
            Action::PassBound { client } => {
                state.left.bounds -= 1;
                if let Phase::Waiting(key) = state.client(client).phase {
                    state.client_mut(client).phase = Phase::GivingUp(key);
                }
                look(state, client);
            }
            Action::Cancel { client } => {
                state.left.cancels -= 1;
                state.client_mut(client).phase = Phase::Idle;
            }
            Action::Die { client } => {
                state.left.deaths -= 1;
                // Its clocks say so. Who is about to give up does so all the same.
                if !matches!(state.client(client).phase, Phase::GivingUp(_)) {
                    state.client_mut(client).phase = Phase::Idle;
                }
                state.change(|content| content.claims.retain(|(_, key)| key.0 != client));
            }
            Action::Send { commit } => {
                state.left.delays -= 1;
                let at = state.under_way.partition_point(|other| *other <= commit);
                state.under_way.insert(at, commit);
            }
            Action::Unheard { client, commit } => {
                state.left.lost_replies -= 1;
                self.arrive(state, commit);
                if self.is(Mutant::GivesUpUnheard) {
                    self.reject(state, client);
                }
            }
            Action::Advance { client, to } => {
                state.client_mut(client).view = to;
                look(state, client);
            }
            Action::Commit { client, commit } => self.commit(state, client, commit),
            Action::Arrive { commit } => {
                state.under_way.retain(|other| *other != commit);
                self.arrive(state, commit);
            }
            Action::Leave { client } => {
                if let Phase::Inside(key, round) = state.client(client).phase {
                    state.client_mut(client).phase = Phase::Leaving(key, round);
                    remove(state, key);
                    // It has left when it sees that.
                    let end = state.end();
                    state.client_mut(client).view = end;
                    look(state, client);
                }
            }
            Action::Sweep { key } => remove(state, key),
        }
        state.settle();
    }

    /// A client commits something, and hears the answer.
    fn commit(&self, state: &mut State, client: u8, commit: Commit) {
        let stood = match commit {
            Commit::GiveUp { key, .. } => state.head().stands(key),
            _ => true,
        };
        let is_taken = self.arrive(state, commit);
        if is_taken && matches!(commit, Commit::GiveUp { .. }) {
            match stood || self.is(Mutant::RejectsTheLost) {
                true => self.reject(state, client),
                // It may have been in.
                false => state.client_mut(client).phase = Phase::Idle,
            }
        }
    }

    /// A client is told that it is not in.
    fn reject(&self, state: &mut State, client: u8) {
        if let Phase::GivingUp(key) = state.client(client).phase {
            state.client_mut(client).phase = Phase::Idle;
            insert(&mut state.rejected, key);
            if state.been_in.contains(&key) {
                state.breaks(Broken::RejectedAndIn);
            }
        }
    }

    /// Whether the log takes a commit.
    pub(crate) fn takes(&self, state: &State, commit: Commit) -> bool {
        let head = state.head();
        let written = head.round.map(|(written, _)| written);
        match commit {
            Commit::Begin { round } => {
                (written.is_none() || self.is(Mutant::BeginsOverAnother))
                    && (all_stand(state, round) || self.is(Mutant::BeginsUnguarded))
            }
            Commit::End { written: seen } => {
                written == Some(seen) || written.is_some() && self.is(Mutant::EndsWhichever)
            }
            Commit::GiveUp { seen, .. } => written == seen || self.is(Mutant::GivesUpUnguarded),
        }
    }

    /// A commit reaches the log; whether it was taken.
    fn arrive(&self, state: &mut State, commit: Commit) -> bool {
        let is_taken = self.takes(state, commit);
        match commit {
            _ if !is_taken => {}
            Commit::Begin { round } => begin(state, round),
            Commit::End { .. } => state.change(|content| content.round = None),
            Commit::GiveUp { key, .. } => remove(state, key),
        }
        is_taken
    }
}

fn all_stand(state: &State, round: Round) -> bool {
    round.iter().all(|key| state.head().stands(*key))
}

fn begin(state: &mut State, round: Round) {
    let goes_on = |(_, round): (u8, Round)| round.iter().any(|key| state.head().stands(*key));
    if state.head().round.is_some_and(goes_on) {
        state.breaks(Broken::BegunBeforeTheEnd);
    }
    if !all_stand(state, round) {
        state.breaks(Broken::InWithoutStanding);
    }
    for key in round {
        if state.been_in.contains(&key) {
            state.breaks(Broken::InTwice);
        }
        if state.rejected.contains(&key) {
            state.breaks(Broken::RejectedAndIn);
        }
        insert(&mut state.been_in, key);
    }
    state.change(|content| {
        content.last += 1;
        content.round = Some((content.last, round));
    });
}

/// A client looks at what has changed.
fn look(state: &mut State, client: u8) {
    let round = state.view(client).round.map(|(_, round)| round);
    match state.client(client).phase {
        Phase::Waiting(key) | Phase::GivingUp(key) => {
            if let Some(round) = round.filter(|round| round.contains(&key)) {
                // Whose session was lost knows it.
                state.client_mut(client).phase = match state.head().stands(key) {
                    true => Phase::Inside(key, round),
                    false => Phase::Idle,
                };
            }
        }
        Phase::Leaving(key, own) => {
            if round.is_none_or(|round| !round.contains(&key)) {
                state.client_mut(client).phase = Phase::Idle;
                // Who is inside, by its own word.
                let mut others = state.clients.iter();
                let stays = others.any(|other| match other.phase {
                    Phase::Inside(key, _) => own.contains(&key),
                    _ => false,
                });
                if stays || own.iter().any(|key| state.head().stands(*key)) {
                    state.breaks(Broken::LeftBeforeAnother);
                }
            }
        }
        Phase::Idle | Phase::Inside(..) => {}
    }
}

fn remove(state: &mut State, key: Key) {
    state.change(|content| content.claims.retain(|(_, other)| *other != key));
}

fn insert(keys: &mut Vec<Key>, key: Key) {
    if let Err(at) = keys.binary_search(&key) {
        keys.insert(at, key);
    }
}
