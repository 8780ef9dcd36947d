//! Whose a record is, of all registrations of one id that a process has made: the last.
//!
//! Never lets one that is still leaving take a later one with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What the registrations of one key share.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// One write comes after the other.
    pub(crate) lock: tokio::sync::Mutex<()>,
    /// The number of the last one that was registered.
    last: AtomicU64,
}

impl Turn {
    /// Another one was registered: it has the record from now on.
    pub(crate) fn take(&self) -> u64 {
        self.last.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn is_of(&self, number: u64) -> bool {
        self.last.load(Ordering::SeqCst) == number
    }
}

/// The turns of all keys of which there is a registration.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Weak<Turn>>>);

impl Turns {
    pub(crate) fn of(&self, key: &str) -> Arc<Turn> {
        let Turns(turns) = self;
        let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len().is_power_of_two() {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::default());
        turns.insert(key.to_owned(), Arc::downgrade(&turn));
        turn
    }
}
