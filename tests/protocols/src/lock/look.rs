//! What a client makes of what it sees: who is let in, what is lost, what is to be swept.
//!
//! Never a rule of its own: the order of claims and the judgement of keys are the map's.

use crate::lock::client::{Request, stands};
use crate::lock::log::{Content, Record};
use crate::lock::scope::{Kind, Mutant, Scope};
use crate::lock::state::{Broken, State};
use crate::recipes::claim::{Claim, Mode};
use crate::recipes::order::{Before, Rule, queue};
use crate::session::judgement::{Act, Seen, Want, When, judge};
use crate::session::settings::Policy;
use crate::{Entry, View};

/// The rules that are in force.
pub type Rules = crate::search::Rules<Scope>;

impl Rules {
    /// Whether claims are known by their keys alone.
    pub(crate) fn by_key(&self) -> bool {
        self.is(Mutant::KnownByKey) || self.is(Mutant::PutBack)
    }

    /// Whether no clock has lied, and nobody else has laid hands on claims.
    pub(crate) fn is_faithful(&self, state: &State) -> bool {
        let faults = self.scope.faults;
        (state.left.hidden, state.left.deletes) == (faults.hidden, faults.deletes)
    }

    /// What stands at one of its keys, as a client sees it.
    fn seen(&self, state: &State, at: u8, record: Option<&Record>) -> Seen {
        match record {
            None => Seen::Nothing,
            Some(record) if record.lease == state.client(at).lease => Seen::Mine,
            Some(_) if self.scope.newcomers => Seen::Others,
            Some(_) => Seen::Formerly,
        }
    }

    /// What a session does about a record of its client's.
    pub(crate) fn act(&self, state: &State, at: u8, record: &Record) -> Act {
        let client = state.client(at);
        let wanted = client.wanted();
        let want = match wanted.filter(|made| made.number == record.number) {
            _ if client.is_sending(record.number) => Want::Later,
            None => Want::Nothing,
            Some(made) => Want::Claim {
                stands: stands(state.view(at), at, made, self.by_key()),
            },
        };
        let seen = self.seen(state, at, Some(record));
        judge(want, seen, Policy::ReclaimIfUnowned, When::Live)
    }

    /// Whether a session is to sweep a record.
    pub(crate) fn is_swept(&self, state: &State, at: u8, record: &Record) -> bool {
        let is_left = match self.mutant {
            Some(Mutant::NoSweep) => true,
            Some(Mutant::SweepsOnlyWhileWanting) => state.client(at).wanted().is_none(),
            _ => false,
        };
        !is_left && self.act(state, at, record) == Act::Sweep
    }

    /// Looks at what a client has asked for: its wait is over, or its guard lost.
    pub(crate) fn look(&self, state: &mut State, at: u8) {
        let Some(made) = state.client(at).wanted() else {
            return;
        };
        let stands = stands(state.view(at), at, made, self.by_key());
        let record = state.view(at).at(at, made.number);
        let seen = self.seen(state, at, record);
        let want = Want::Claim { stands };
        let is_kept = judge(want, seen, Policy::ReclaimIfUnowned, When::Live) == Act::Follow;
        let is_waiting = matches!(state.client(at).request, Request::Waiting(_));
        let is_lost = !is_kept && (is_waiting || !self.is(Mutant::PutBack));
        if is_lost {
            state.client_mut(at).request = Request::Idle;
        } else if is_waiting
            && state.client(at).grants()
            && self.lets_in(state.view(at), (at, made.number))
        {
            state.client_mut(at).request = Request::Held(made);
            let last = &mut state.granted[usize::from(made.epoch)];
            let is_late = *last > made.created;
            // Who shares may see sooner than another who came before that there is room.
            if !made.reads && !matches!(self.scope.kind, Kind::Permits(_)) {
                *last = made.created;
            }
            if is_late && self.is_faithful(state) {
                state.broken = Some(Broken::GrantedOutOfOrder);
            }
        }
    }
}

const PREFIX: &str = "lock/";

impl Rules {
    /// How many permits a claim takes.
    pub(crate) fn weight(&self, reads: bool) -> u32 {
        match self.scope.kind {
            Kind::Permits(_) if !reads => 2,
            _ => 1,
        }
    }

    /// Whether a claim is let in, by what a view shows.
    fn lets_in(&self, view: &Content, (client, number): (u8, u8)) -> bool {
        let rule = match self.scope.kind {
            Kind::Lock => Rule::Alone,
            Kind::Shared => Rule::Shared,
            Kind::Permits(limit) => Rule::Permits(Some(limit)),
        };
        let key = |client, number| format!("{PREFIX}{client}-{number}");
        let entries = view.records.iter().map(|record| {
            let mode = if record.reads {
                Mode::Read
            } else {
                Mode::Write
            };
            let weight = match self.is(Mutant::WeightsOfOne) {
                true => 1,
                false => self.weight(record.reads),
            };
            let claim = Claim { mode, weight };
            let entry = Entry::new(claim, u64::from(record.created));
            (key(record.client, record.number), entry)
        });
        let own = key(client, number);
        let mut before = Before::default();
        for place in queue(&View::new(entries), PREFIX).iter().flatten() {
            if place.key == own {
                let weight = match self.is(Mutant::OwnWeightForgotten) {
                    true => 1,
                    false => place.weight,
                };
                return before.lets_in(rule, weight, place.reads);
            }
            before.add(place);
        }
        false
    }
}
