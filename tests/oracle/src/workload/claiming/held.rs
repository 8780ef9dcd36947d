//! A guard of any kind, and the claim that it came from, as the history knows it.
//!
//! It never looks at a guard by itself.

use std::ops::Deref;
use std::sync::Arc;

use globe::{
    Hold, Leadership, LockGuard, Permit, ReadGuard, Result, SessionState, Token, WriteGuard,
};

use crate::history::{At, ClaimAsked, ClaimDid, ClaimStep, Event, Share, Standing};
use crate::recorder::Recorder;

/// A guard of any kind.
#[derive(Debug)]
pub(crate) enum Guard {
    Lock(LockGuard),
    Read(ReadGuard),
    Write(WriteGuard),
    Permit(Permit),
    Leader(Leadership),
    /// Of a term that [`lead`](globe::Election::lead) looks after.
    Term(Arc<Leadership>),
}

impl Guard {
    pub(crate) fn hold(&self) -> &Hold {
        match self {
            Guard::Lock(guard) => guard,
            Guard::Read(guard) => guard,
            Guard::Write(guard) => guard,
            Guard::Permit(guard) => guard,
            Guard::Leader(guard) => guard,
            Guard::Term(term) => term.deref().deref(),
        }
    }

    pub(crate) async fn release(self) -> Result<()> {
        match self {
            Guard::Lock(guard) => guard.release().await,
            Guard::Read(guard) => guard.release().await,
            Guard::Write(guard) => guard.release().await,
            Guard::Permit(guard) => guard.release().await,
            Guard::Leader(guard) => guard.resign().await,
            Guard::Term(_) => Ok(()),
        }
    }
}

macro_rules! from {
    ($($guard:ident: $kind:ident),*) => {$(
        impl From<$guard> for Guard {
            fn from(guard: $guard) -> Guard {
                Guard::$kind(guard)
            }
        }
    )*};
}

from!(LockGuard: Lock, ReadGuard: Read, WriteGuard: Write, Permit: Permit, Leadership: Leader);

/// A claim in the history. What nobody says of it is said when it is dropped: that it was abandoned.
pub(crate) struct Traced {
    recorder: Recorder,
    claim: u32,
    call: At,
    is_over: bool,
}

/// What is asked for, of whom.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) session: u32,
    pub(crate) node: u32,
    pub(crate) root: String,
    pub(crate) share: Share,
}

/// A guard that was had.
pub(crate) struct Held {
    pub(crate) traced: Traced,
    pub(crate) guard: Arc<Guard>,
    pub(crate) wish: Wish,
}

impl Traced {
    pub(crate) fn asks(recorder: &Recorder, wish: &Wish, is_patient: bool) -> Traced {
        let (claim, call) = (recorder.number(), recorder.now());
        let Wish {
            session,
            node,
            root,
            share,
        } = wish.clone();
        recorder.record(Event::ClaimAsked(ClaimAsked {
            claim,
            session,
            node,
            root,
            share,
            is_patient,
            at: call,
        }));
        Traced {
            recorder: recorder.clone(),
            claim,
            call,
            is_over: false,
        }
    }

    pub(crate) fn claim(&self) -> u32 {
        self.claim
    }

    /// A guard was had.
    pub(crate) fn granted(&mut self, token: Token) {
        self.did(ClaimDid::Granted(token), self.call);
    }

    /// Something is over that began with a call.
    pub(crate) fn did(&self, did: ClaimDid, call: At) {
        did_of(&self.recorder, self.claim, did, call);
    }

    pub(crate) fn saw(&self, state: SessionState, call: At) {
        self.did(ClaimDid::Seen(Standing::from(state)), call);
    }

    /// It is over.
    pub(crate) fn ends(mut self, did: ClaimDid, call: At) {
        self.is_over = true;
        self.did(did, call);
    }

    pub(crate) fn now(&self) -> At {
        self.recorder.now()
    }

    pub(crate) fn called(&self) -> At {
        self.call
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.is_over {
            self.did(ClaimDid::Abandoned, self.call);
        }
    }
}

/// Records something of a claim that ends now.
pub(crate) fn did_of(recorder: &Recorder, claim: u32, did: ClaimDid, call: At) {
    recorder.record(Event::ClaimStep(ClaimStep {
        claim,
        did,
        call,
        ret: recorder.now(),
    }));
}
