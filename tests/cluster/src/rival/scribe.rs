//! Writes down what a rival tells, in the words of the history that all others write.
//!
//! What it says of when is true, and no more exact than it can be: a rival has no share in the ticks of this process. Whatever
//! it tells began after the last moment of this process that is known to have been before, and had ended when it was heard.

use std::collections::BTreeMap;

use globe_oracle::{
    Action, At, ClaimAsked, ClaimDid, ClaimStep, Event, Fenced, Op, Outcome, Place, Recorder,
    SessionDid, SessionStep, Share,
};

use super::root;
use super::told::{Kind, Told, What, micros};
use crate::site::GUARDED;

/// The one who writes for one rival.
#[derive(Debug)]
pub(super) struct Scribe {
    recorder: Recorder,
    node: u32,
    session: u32,
    /// Of each kind, who does it, and the claim it is about.
    clients: BTreeMap<Kind, (u32, u32)>,
    /// What is being written.
    underway: BTreeMap<Kind, Op>,
    /// Moments of this process, and the clock of all of them just after.
    moments: Vec<(u64, At)>,
}

impl Scribe {
    /// For a rival whose session will have this name, on a node of its own.
    pub(super) fn new(recorder: &Recorder, name: &str) -> Scribe {
        let session = recorder.number();
        let mut scribe = Scribe {
            recorder: recorder.clone(),
            // No other node has a number of a client.
            node: 1_000_000 + session,
            session,
            clients: BTreeMap::new(),
            underway: BTreeMap::new(),
            moments: Vec::new(),
        };
        let call = scribe.hears();
        scribe.session_did(SessionDid::Opened(name.to_owned()), call);
        scribe
    }

    /// Now. What begins later than this is known to.
    fn hears(&mut self) -> At {
        let now = self.recorder.now();
        self.moments.push((micros(), now));
        now
    }

    /// The last moment that was certainly before.
    fn before(&self, call: u64) -> At {
        let later = self.moments.partition_point(|(micros, _)| *micros <= call);
        self.moments[later.saturating_sub(1)].1
    }

    pub(super) fn writes(&mut self, told: &Told) {
        let call = self.before(told.call);
        self.hears();
        match &told.what {
            What::Asks => self.asks(told.kind, call),
            What::Granted(token) => self.did(told.kind, ClaimDid::Granted(*token), call),
            What::Saw(standing) => self.did(told.kind, ClaimDid::Seen(standing.clone()), call),
            What::Writes(tag) => self.begins(told.kind, tag, call),
            What::Wrote(_, position) => self.ends(told.kind, Outcome::Done(Some(*position))),
            What::Refused(_) => self.ends(told.kind, Outcome::Refused("not held".to_owned())),
            What::Doubts(_) => self.ends(told.kind, Outcome::Indeterminate),
            What::Lost(_) => self.did(told.kind, ClaimDid::LetGo, call),
        }
    }

    /// It is dead.
    pub(super) fn closes(&mut self) {
        let call = self.hears();
        for (_, op) in std::mem::take(&mut self.underway) {
            self.recorder.record(Event::Op(op));
        }
        for kind in self.clients.keys().copied().collect::<Vec<_>>() {
            self.did(kind, ClaimDid::LetGo, call);
        }
        self.session_did(SessionDid::Dropped, call);
    }

    fn session_did(&self, did: SessionDid, call: At) {
        self.recorder.record(Event::SessionStep(SessionStep {
            session: self.session,
            node: self.node,
            did,
            call,
            ret: self.recorder.now(),
        }));
    }

    fn asks(&mut self, kind: Kind, at: At) {
        let numbers = (self.recorder.number(), self.recorder.number());
        self.clients.insert(kind, numbers);
        self.recorder.record(Event::ClaimAsked(ClaimAsked {
            claim: numbers.1,
            session: self.session,
            node: self.node,
            root: root(kind),
            share: Share::Alone,
            is_patient: false,
            at,
        }));
    }

    fn did(&self, kind: Kind, did: ClaimDid, call: At) {
        let Some((_, claim)) = self.clients.get(&kind) else {
            return;
        };
        self.recorder.record(Event::ClaimStep(ClaimStep {
            claim: *claim,
            did,
            call,
            ret: self.recorder.now(),
        }));
    }

    fn begins(&mut self, kind: Kind, tag: &str, call: At) {
        let Some((client, claim)) = self.clients.get(&kind).copied() else {
            return;
        };
        self.recorder.record(Event::Fenced(Fenced {
            claim,
            tag: tag.to_owned(),
            at: call,
        }));
        let place = Place {
            keyspace: GUARDED.to_owned(),
            key: root(kind),
        };
        let op = Op {
            client,
            node: self.node,
            action: Action::Transact {
                reads: Vec::new(),
                writes: vec![place],
            },
            tags: vec![tag.to_owned()],
            call,
            ret: None,
            given_up: None,
            outcome: Outcome::Never,
        };
        self.underway.insert(kind, op);
    }

    fn ends(&mut self, kind: Kind, outcome: Outcome) {
        let Some(mut op) = self.underway.remove(&kind) else {
            return;
        };
        op.ret = Some(self.recorder.now());
        op.outcome = outcome;
        self.recorder.record(Event::Op(op));
    }
}
