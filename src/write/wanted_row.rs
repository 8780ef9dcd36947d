//! One key that a session wrote, or is writing: what is to stand there, and what each write makes of that.
//!
//! Never looks at a map: what stands there is judged by the session.

use std::sync::Weak;

use globe_log_client::{LeaseId, Position};

use crate::write::draft::Stands;
use crate::write::ending::Ending;
use crate::write::leasing::Leasing;
use crate::write::wanted::{Intent, Wanted};

/// One key that a session wrote, or is writing.
pub(crate) struct Row {
    pub(crate) session: Weak<dyn Leasing>,
    /// Under which it was last sent.
    pub(crate) lease: LeaseId,
    /// What is to stand there; nothing while it is only being written.
    pub(crate) wanted: Option<Wanted>,
    /// Another session, which wrote it as well, and nobody knows whether it did: what it left there is not to be swept.
    pub(crate) heir: Option<Weak<dyn Leasing>>,
    /// How many writes of it have no answer yet. Meanwhile nobody judges it.
    pub(crate) under_way: usize,
    /// The newest write of this process that decided about it.
    pub(crate) decided: Option<Position>,
}

impl Row {
    /// Of a key that nothing is known of yet.
    pub(crate) fn new(session: &Weak<dyn Leasing>, lease: LeaseId) -> Row {
        Row {
            session: Weak::clone(session),
            lease,
            wanted: None,
            heir: None,
            under_way: 0,
            decided: None,
        }
    }

    pub(crate) fn is_of(&self, session: &Weak<dyn Leasing>) -> bool {
        Weak::ptr_eq(&self.session, session)
    }

    pub(crate) fn is_left_to(&self, session: &Weak<dyn Leasing>) -> bool {
        let heir = self.heir.as_ref();
        heir.is_some_and(|heir| Weak::ptr_eq(heir, session))
    }

    /// Its session wants it no more: if another one may have written it, what stands there counts for that one. Returns what
    /// was wanted, to be dropped outside of any lock.
    pub(crate) fn yields(&mut self) -> Option<Wanted> {
        match (self.heir.take(), &mut self.wanted) {
            (Some(heir), Some(wanted)) => {
                self.session = heir;
                wanted.is_sure = false;
                None
            }
            _ => self.wanted.take(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.wanted.is_none() && self.under_way == 0
    }

    /// Whether what decided last came after a position, in the same life.
    pub(crate) fn is_unseen(&self, seen: Position) -> bool {
        let decided = self.decided.filter(|decided| decided.epoch == seen.epoch);
        decided.is_some_and(|decided| !seen.covers(decided))
    }

    /// Whether a write committed there is newer than what decided last.
    fn is_newer(&self, position: Position) -> bool {
        !self.decided.is_some_and(|decided| decided.covers(position))
    }

    /// What is wanted after a write has ended; returns what was wanted before, to be dropped outside of any lock.
    pub(crate) fn end(&mut self, intent: &Intent, over: Stands, ending: Ending) -> Option<Wanted> {
        match (intent, ending) {
            (
                Intent::Want {
                    session,
                    value,
                    is_claim,
                    ..
                },
                Ending::Committed(at),
            ) if self.is_newer(at) => {
                self.decided = Some(at);
                self.session = Weak::clone(session);
                self.heir = None;
                self.wanted.replace(Wanted {
                    value: value.clone(),
                    is_sure: true,
                    life: at.epoch,
                    claim: is_claim.then_some(at.revision),
                    over: None,
                })
            }
            (Intent::Keep { value }, Ending::Committed(at)) if self.is_newer(at) => {
                self.decided = Some(at);
                let wanted = self.wanted.as_ref()?;
                let (claim, is_sure) = (wanted.claim, wanted.over.is_none());
                self.wanted.replace(Wanted {
                    value: value.clone(),
                    is_sure,
                    life: at.epoch,
                    claim,
                    over: None,
                })
            }
            (Intent::Leave, Ending::Committed(at)) if self.is_newer(at) => {
                self.decided = Some(at);
                self.heir = None;
                self.wanted.take()
            }
            // What a create left behind that nobody knows of is swept, if it is there; what was rewritten is not.
            (
                Intent::Want {
                    session,
                    value,
                    life,
                    ..
                },
                Ending::Unknown,
            ) if over != Stands::Nothing && self.wanted.is_none() => {
                self.session = Weak::clone(session);
                self.wanted.replace(Wanted {
                    value: value.clone(),
                    is_sure: false,
                    life: *life,
                    claim: None,
                    over: over.revision(),
                })
            }
            (Intent::Want { session, .. }, Ending::Unknown)
                if self.wanted.is_some() && !self.is_of(session) =>
            {
                self.heir = Some(Weak::clone(session));
                None
            }
            (Intent::Leave, Ending::Unknown) => {
                if let Some(wanted) = &mut self.wanted {
                    wanted.is_sure = false;
                }
                None
            }
            _ => None,
        }
    }
}
