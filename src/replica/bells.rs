//! What is rung for those who wait for something else than a change of an entry.
//!
//! It only wakes: whoever was woken looks for himself, and what he waited for may be gone again.

use crate::entry::key::Key;
use crate::ground::sync::Notify;
use crate::replica::state::State;

/// Whoever waits makes the ring's future before he looks: a ring in between wakes him.
pub(crate) struct Bells {
    /// What is kept out of the map has changed.
    pub(crate) quarantine: Notify,
    /// What is shown was proved current.
    pub(crate) proof: Notify,
    /// Nothing more will come.
    pub(crate) end: Notify,
}

impl Bells {
    pub(crate) fn new() -> Bells {
        Bells {
            quarantine: Notify::new(),
            proof: Notify::new(),
            end: Notify::new(),
        }
    }

    pub(crate) fn published<K: Key, V>(&self, before: &State<K, V>, after: &State<K, V>) {
        if is_moved(before, after) {
            self.quarantine.notify_waiters();
        }
    }

    pub(crate) fn proved(&self) {
        self.proof.notify_waiters();
    }

    pub(crate) fn ended(&self) {
        self.end.notify_waiters();
        self.quarantine.notify_waiters();
    }
}

/// Whether what is kept out may have changed. A snapshot's list shares nothing with the one before: it is compared by who
/// wants to know, in turns.
fn is_moved<K: Key, V>(before: &State<K, V>, after: &State<K, V>) -> bool {
    if before.quarantine.is_empty() && after.quarantine.is_empty() {
        return false;
    }
    before.resyncs != after.resyncs || before.quarantine != after.quarantine
}
