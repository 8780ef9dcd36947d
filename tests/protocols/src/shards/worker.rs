//! One member: its process, its session, its view, and what it runs.
//!
//! Never sees the log: it knows what its view shows and what it was answered.

/// What a process is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    Up,
    /// It has ended, and may come again.
    Dead,
    /// It has left for good.
    Gone,
}

/// How a session stands by its clocks of now: no task has to have looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Session {
    Live,
    /// Past the deadline.
    Suspended,
}

/// What a member runs, as the map has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Running {
    Idle,
    Preparing,
    Ready,
    Owned(u8),
    Draining(u8),
    Drained(u8),
    Dropping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Worker {
    /// Whether it plans when it is its turn.
    pub plans: bool,
    pub process: Process,
    /// Where in the history its view is.
    pub view: u8,
    /// The life of the log that it knows.
    pub epoch: u8,
    /// The commit that created its record in that life, while it has one.
    pub joined: Option<u8>,
    pub session: Session,
    /// It has seen another life of the log, and owns nothing yet.
    pub in_grace: bool,
    pub running: Running,
}

impl Worker {
    pub(crate) fn is_live(&self) -> bool {
        self.joined.is_some() && self.session == Session::Live
    }

    /// Its session has ended, and with it whatever it ran.
    pub(crate) fn lose(&mut self) {
        self.joined = None;
        self.session = Session::Live;
        self.running = match self.running {
            Running::Idle | Running::Drained(_) => Running::Idle,
            _ => Running::Dropping,
        };
    }

    /// It has come to know another life of the log.
    pub(crate) fn learn(&mut self, epoch: u8, has_grace: bool) {
        if self.epoch < epoch {
            self.in_grace |= has_grace;
            self.epoch = epoch;
        }
    }
}
