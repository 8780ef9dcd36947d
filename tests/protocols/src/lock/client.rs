//! One client: its session, its view, and what it asks for.
//!
//! Never sees the log: it knows what its view shows and what it was answered.

use crate::lock::log::Content;

/// How a session stands by its clocks of now: no task has to have looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Session {
    Live,
    /// Past the deadline.
    Suspended,
}

/// A renewal that the log has answered, and whose answer is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Renewal {
    None,
    /// What it proves is not over yet.
    Fresh,
    /// The deadline, counted from when it was asked for, has passed.
    Overdue,
}

/// A claim that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Made {
    pub number: u8,
    /// As what it was asked for.
    pub reads: bool,
    pub created: u8,
    pub epoch: u8,
    pub lease: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    None,
    Created { created: u8, epoch: u8, lease: u8 },
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    Idle,
    Sending {
        attempt: u8,
        number: u8,
        reads: bool,
        answer: Answer,
    },
    Waiting(Made),
    Held(Made),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client {
    /// Where in the history its view is.
    pub view: u8,
    pub session: Session,
    pub renewal: Renewal,
    /// Its newest lease, and the life of the log that is of.
    pub lease: u8,
    pub epoch: u8,
    /// It has seen another life of the log, and grants nothing yet.
    pub in_grace: bool,
    /// How many claims it has tried to make.
    pub tried: u8,
    pub request: Request,
}

impl Client {
    pub(crate) fn new() -> Client {
        Client {
            view: 0,
            session: Session::Live,
            renewal: Renewal::None,
            lease: 1,
            epoch: 1,
            in_grace: false,
            tried: 0,
            request: Request::Idle,
        }
    }

    pub(crate) fn grants(&self) -> bool {
        self.session == Session::Live && !self.in_grace
    }

    /// Whether its lease may be trusted by somebody's clocks: by its own, or once an answer comes that is under way.
    pub(crate) fn may_go_on(&self) -> bool {
        match self.session {
            Session::Live => true,
            Session::Suspended => self.renewal == Renewal::Fresh,
        }
    }

    /// The claim it wants to stand.
    pub(crate) fn wanted(&self) -> Option<Made> {
        match self.request {
            Request::Waiting(made) | Request::Held(made) => Some(made),
            _ => None,
        }
    }

    pub(crate) fn is_sending(&self, at: u8) -> bool {
        matches!(self.request, Request::Sending { number, .. } if number == at)
    }
}

/// Whether a claim stands in a view: the very one that was made.
pub(crate) fn stands(view: &Content, client: u8, made: Made, by_key: bool) -> bool {
    let found = view.at(client, made.number);
    let is_it = |created| view.epoch == made.epoch && created == made.created;
    found.is_some_and(|record| by_key || is_it(record.created))
}
