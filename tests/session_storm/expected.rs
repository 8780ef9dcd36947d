//! What may stand at a key, as its only writer was told: after each answer less is possible, after none more.
//!
//! Never looks at a map or a log.

use std::collections::BTreeSet;

/// What stands at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Absent,
    /// With its session.
    Ephemeral(u64),
    Permanent(u64),
}

/// How a write ended, as far as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Done,
    Refused,
    Unknown,
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    Ephemeral(u64),
    /// Keeps it with its session, if it is with one.
    Put(u64),
    Detached(u64),
    Delete,
}

/// All that may stand at a key.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    may_be: BTreeSet<State>,
    /// Permanent values of unknown writes: they may land at any time, over nothing.
    late: BTreeSet<u64>,
    /// Some write had no answer: what the session was told meanwhile is its own matter.
    is_vague: bool,
    /// It was permanent once, or may have been: a backup may have it so.
    was_permanent: bool,
    /// Its session has said since that it does not stand by it any more.
    is_given_up: bool,
}

impl Expected {
    pub(crate) fn nothing() -> Expected {
        Expected {
            may_be: BTreeSet::from([State::Absent]),
            late: BTreeSet::new(),
            is_vague: false,
            was_permanent: false,
            is_given_up: false,
        }
    }

    pub(crate) fn told(&mut self, write: Write, told: Told) {
        if told == Told::Refused {
            return;
        }
        let after = self.after(write);
        let is_permanent = |state: &State| matches!(state, State::Permanent(_));
        self.was_permanent |= after.iter().any(is_permanent);
        if told == Told::Done {
            self.may_be = after;
            self.is_given_up = false;
        } else {
            let stood = self.may_be.clone();
            self.unknown(write, &stood);
            self.is_vague = true;
        }
        self.may_be
            .extend(self.late.iter().map(|value| State::Permanent(*value)));
        if !self.late.is_empty() {
            self.may_be.insert(State::Absent);
        }
    }

    /// What a write leaves.
    fn after(&self, write: Write) -> BTreeSet<State> {
        match write {
            Write::Ephemeral(value) => BTreeSet::from([State::Ephemeral(value)]),
            Write::Detached(value) => BTreeSet::from([State::Permanent(value)]),
            Write::Delete => BTreeSet::from([State::Absent]),
            Write::Put(value) => {
                let put = |state: &State| match state {
                    State::Ephemeral(_) => State::Ephemeral(value),
                    State::Absent | State::Permanent(_) => State::Permanent(value),
                };
                let mut after: BTreeSet<State> = self.may_be.iter().map(put).collect();
                if self.is_given_up {
                    // It may have been written where nothing stood.
                    after.insert(State::Permanent(value));
                }
                if self.is_vague {
                    after.extend([State::Ephemeral(value), State::Permanent(value)]);
                }
                after
            }
        }
    }

    fn unknown(&mut self, write: Write, stood: &BTreeSet<State>) {
        let after = self.after(write);
        for state in after {
            match state {
                State::Permanent(value) => {
                    self.late.insert(value);
                    self.may_be.insert(state);
                }
                // What nobody knows of is swept, where nothing stood before.
                State::Ephemeral(_) if !self.is_vague && is_nothing(stood) => {}
                State::Ephemeral(_) => {
                    self.may_be.insert(state);
                    if self.is_vague || stood.iter().any(|it| !matches!(it, State::Ephemeral(_))) {
                        self.may_be.insert(State::Absent);
                    }
                }
                State::Absent => {
                    self.may_be.insert(state);
                }
            }
        }
    }

    /// The session has ended.
    pub(crate) fn session_ended(&mut self) {
        let ended = |state: State| match state {
            State::Ephemeral(_) => State::Absent,
            other => other,
        };
        self.may_be = self.may_be.iter().copied().map(ended).collect();
    }

    /// Somebody else deletes it while it is with a session: it comes back, unless nobody can say what was to stand there.
    pub(crate) fn deleted_by_others(&mut self) {
        if self.may_be.len() > 1 {
            self.may_be.insert(State::Absent);
        }
    }

    /// The session says that something of somebody else's stands there. That is so after a restore alone: the backup may have
    /// the entry under a lease of an earlier session of the same process.
    pub(crate) fn given_up(&mut self) {
        self.is_given_up = true;
    }

    /// Whether it may be that this stands there; after a restore, which takes back what was acknowledged, whether it is at
    /// least neither lost nor left over.
    pub(crate) fn allows(&self, state: State, was_restored: bool) -> bool {
        if !was_restored {
            return self.may_be.contains(&state);
        }
        let is_ephemeral = |state: &State| matches!(state, State::Ephemeral(_));
        match state {
            State::Absent => {
                !self.may_be.iter().all(is_ephemeral)
                    || self.was_permanent
                    || self.is_vague
                    || self.is_given_up
            }
            State::Ephemeral(_) => self.may_be.iter().any(is_ephemeral) || self.is_vague,
            State::Permanent(_) => self.was_permanent,
        }
    }
}

fn is_nothing(stood: &BTreeSet<State>) -> bool {
    stood.iter().all(|state| *state == State::Absent)
}
