//! A session of a claimant's: that it is opened, closed or dropped is recorded.
//!
//! How it stands it never asks: others look at it.

use globe::Session;

use super::lookout::Lookout;
use crate::history::{At, Event, SessionDid, SessionStep};

/// A session that is open. Dropping it drops its last handle, and says so.
pub(crate) struct Presence {
    pub(crate) number: u32,
    pub(crate) session: Session,
    lookout: Lookout,
    node: u32,
    /// The keys that were written under it, and not deleted.
    pub(crate) keys: Vec<String>,
    /// How many there ever were.
    pub(crate) count: usize,
    is_over: bool,
}

impl Presence {
    /// A session that was opened by a call that began then, and is looked at from now on.
    pub(crate) fn of(
        session: Session,
        (number, node): (u32, u32),
        lookout: &Lookout,
        call: At,
    ) -> Presence {
        let presence = Presence {
            number,
            session,
            lookout: lookout.clone(),
            node,
            keys: Vec::new(),
            count: 0,
            is_over: false,
        };
        let name = presence.session.name().to_owned();
        presence.did(SessionDid::Opened(name), call);
        lookout.watch(number, node, &presence.session);
        presence
    }

    fn did(&self, did: SessionDid, call: At) {
        self.lookout
            .recorder
            .record(Event::SessionStep(SessionStep {
                session: self.number,
                node: self.node,
                did,
                call,
                ret: self.lookout.recorder.now(),
            }));
    }

    /// Closes it.
    pub(crate) async fn close(mut self) {
        let call = self.lookout.recorder.now();
        let is_revoked = self.session.close().await.is_ok();
        self.is_over = true;
        self.did(SessionDid::Closed(is_revoked), call);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.lookout.forget_session(self.number);
        if !self.is_over {
            self.did(SessionDid::Dropped, self.lookout.recorder.now());
        }
    }
}
