//! The log its clients share: the store behind a lock, and what an operator does to it.
//!
//! Never waits: what has to wait listens to `changed`. Never wakes anybody under its lock: a waker may call the log.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use globe_log_client::{
    Capabilities, Epoch, Error, ErrorKind, LeaseId, LogId, Position, Result, Revision,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::store::Store;

/// What all clones of a [`MemoryLog`](crate::MemoryLog) share.
pub(crate) struct Server {
    pub(crate) id: LogId,
    pub(crate) capabilities: Capabilities,
    pub(crate) page_size: usize,
    /// How many commits it keeps.
    pub(crate) history: usize,
    /// Told after every commit and everything an operator does. Wakes tails in the order in which they came, so that a
    /// run on a paused clock can be repeated.
    pub(crate) changed: Notify,
    state: Mutex<State>,
}

/// The store, and the life and health of the log around it.
pub(crate) struct State {
    pub(crate) epoch: Epoch,
    pub(crate) store: Store,
    pub(crate) is_available: bool,
    pub(crate) holds_tails: bool,
    /// How many tails were opened: the number of the next one. Nobody waits for it to change.
    pub(crate) tails: Cell<u64>,
    /// Tails with a smaller number are broken.
    pub(crate) broken_below: u64,
    /// Tails with a smaller number are silent for ever.
    pub(crate) silent_below: u64,
    /// Why the last call was not answered, if it was not.
    pub(crate) last_failure: Option<Error>,
    /// Never used again, not even after a restore: else one client could renew another's.
    last_lease: u64,
}

impl Server {
    pub(crate) fn new(
        capabilities: Capabilities,
        page_size: usize,
        history: usize,
        is_available: bool,
    ) -> Server {
        let state = State {
            epoch: new_epoch(),
            store: Store::new(history),
            is_available,
            holds_tails: false,
            tails: Cell::new(0),
            broken_below: 0,
            silent_below: 0,
            last_failure: None,
            last_lease: 0,
        };
        Server {
            id: LogId::unique(),
            capabilities,
            page_size,
            history,
            changed: Notify::new(),
            state: Mutex::new(state),
        }
    }

    /// Looks at the log as it is now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.turn(|state| look(state), |_| false)
    }

    /// Looks at the log as a client finds it.
    pub(crate) fn reach<T>(&self, look: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        let admitted = |state: &mut State| {
            state.admit()?;
            look(state)
        };
        self.turn(admitted, |_| false)
    }

    /// Changes the log for a client, and wakes who listens unless that was refused.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let admitted = |state: &mut State| {
            state.admit()?;
            write(state)
        };
        self.turn(admitted, Result::is_ok)
    }

    /// Changes the log, and wakes who listens.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.turn(change, |_| true)
    }

    /// The only place where the lock is taken. Leases whose time is up are ended first, so that nobody ever sees one that
    /// outlived it. What `work` leaves behind it returns, to be dropped outside; and outside is woken who listens, because
    /// a waker may do anything at once: drop a tail, commit, look.
    fn turn<T>(&self, work: impl FnOnce(&mut State) -> T, is_news: impl FnOnce(&T) -> bool) -> T {
        let (outcome, has_expired) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let before = state.store.revision;
            state.store.expire(Instant::now());
            let has_expired = state.store.revision > before;
            (work(&mut state), has_expired)
        };
        if has_expired || is_news(&outcome) {
            self.changed.notify_waiters();
        }
        outcome
    }
}

impl State {
    pub(crate) fn position(&self) -> Position {
        Position::new(self.epoch, self.store.revision)
    }

    pub(crate) fn check_available(&self) -> Result<()> {
        if self.is_available {
            return Ok(());
        }
        let context = "the memory log was made unavailable";
        Err(Error::new(ErrorKind::Unavailable, context))
    }

    /// Answers a call, if the log is available, and remembers which of the two it was.
    fn admit(&mut self) -> Result<()> {
        let admitted = self.check_available();
        self.last_failure = admitted.clone().err();
        admitted
    }

    /// A position can be followed, and looked at: it is of this life, and nothing after it is forgotten.
    pub(crate) fn check_followable(&self, position: Position) -> Result<()> {
        self.check_epoch(position)?;
        let compacted = self.store.compacted();
        if position.revision < compacted {
            return Err(forgotten(position.revision, compacted));
        }
        Ok(())
    }

    fn check_epoch(&self, position: Position) -> Result<()> {
        let head = self.position();
        if head.covers(position) {
            return Ok(());
        }
        let context = format!("position {position} is of another life: the log stands at {head}");
        Err(Error::new(ErrorKind::EpochChanged, context))
    }

    /// The life a transaction speaks of, if of any, is this one.
    pub(crate) fn check_life(&self, epoch: Option<Epoch>) -> Result<()> {
        if epoch.is_none_or(|epoch| epoch == self.epoch) {
            return Ok(());
        }
        let context = "the transaction speaks of another life of the log: nothing was written";
        Err(Error::new(ErrorKind::EpochChanged, context))
    }

    pub(crate) fn next_lease(&mut self) -> LeaseId {
        self.last_lease += 1;
        LeaseId::new(self.last_lease)
    }

    /// Goes on from `store`, in a new life, and returns what it held.
    pub(crate) fn begin_again(&mut self, mut store: Store) -> Store {
        store.leases.renew_all(Instant::now());
        self.epoch = new_epoch();
        std::mem::replace(&mut self.store, store)
    }
}

fn forgotten(revision: Revision, compacted: Revision) -> Error {
    let context =
        format!("revision {revision} is forgotten: the history is compacted up to {compacted}");
    Error::new(ErrorKind::Compacted, context)
}

fn new_epoch() -> Epoch {
    Epoch::new(RandomState::new().hash_one(()))
}
