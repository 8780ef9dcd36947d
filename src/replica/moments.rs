//! States that somebody wants as they were at one position of the log, however fast the map moves on.
//!
//! They are handed over when they are published anyway: nothing is kept for them, and nobody is waited for.

use std::sync::Arc;

use globe_log_client::Position;
use tokio::sync::oneshot;

use crate::entry::key::Key;
use crate::ground::sync::{Mutex, lock};
use crate::replica::state::State;

/// Those that are wanted and were not passed yet.
pub(crate) struct Moments<K, V>(Mutex<Vec<Wanted<K, V>>>);

struct Wanted<K, V> {
    at: Position,
    sender: oneshot::Sender<Arc<State<K, V>>>,
}

/// Which of two states, one published after the other, stood at a position.
#[derive(Debug, PartialEq, Eq)]
enum Stood {
    Before,
    After,
    /// Neither is known to have: it was passed by a snapshot, or its life of the log is over.
    Neither,
}

impl<K: Key, V> Moments<K, V> {
    pub(crate) fn new() -> Moments<K, V> {
        Moments(Mutex::new(Vec::new()))
    }

    /// The state at a position that was not reached yet. An error when it was passed and not seen, or never will be.
    pub(crate) fn at(&self, at: Position) -> oneshot::Receiver<Arc<State<K, V>>> {
        let (sender, receiver) = oneshot::channel();
        let mut wanted = lock(&self.0);
        wanted.retain(|wanted| !wanted.sender.is_closed());
        wanted.push(Wanted { at, sender });
        receiver
    }

    /// Hands over those that are passed with this publication.
    pub(crate) fn published(&self, before: &Arc<State<K, V>>, after: &Arc<State<K, V>>) {
        let passed: Vec<_> = {
            let mut wanted = lock(&self.0);
            wanted
                .extract_if(.., |wanted| stood(wanted.at, before, after).is_some())
                .collect()
        };
        // Outside the lock: this wakes.
        for Wanted { at, sender } in passed {
            match stood(at, before, after) {
                Some(Stood::Before) => drop(sender.send(Arc::clone(before))),
                Some(Stood::After) => drop(sender.send(Arc::clone(after))),
                Some(Stood::Neither) | None => drop(sender),
            }
        }
    }

    /// None of them will be reached any more.
    pub(crate) fn ended(&self) {
        let all = std::mem::take(&mut *lock(&self.0));
        drop(all);
    }
}

/// `None` when the position was not reached yet.
fn stood<K: Key, V>(at: Position, before: &State<K, V>, after: &State<K, V>) -> Option<Stood> {
    if after.stood_at(at) {
        return Some(Stood::After);
    }
    if after.position.epoch == at.epoch && after.position.revision < at.revision {
        return None;
    }
    // What stood before did so until the very commit that came next. What a snapshot brings may have come at any time.
    let is_next = after.resyncs == before.resyncs && after.position.epoch == at.epoch;
    Some(match is_next && before.since <= at.revision {
        true => Stood::Before,
        false => Stood::Neither,
    })
}

#[cfg(test)]
mod tests {
    use globe_log_client::{Epoch, Revision};

    use super::*;

    fn state(epoch: u64, since: u64, until: u64, resyncs: u64) -> State<String, u64> {
        let mut state = State::empty(Arc::new(()));
        state.position = Position::new(Epoch::new(epoch), Revision(until));
        (state.since, state.resyncs) = (Revision(since), resyncs);
        state
    }

    #[test]
    fn what_stood_at_a_position_is_what_no_commit_had_changed_by_then() {
        let before = state(1, 3, 5, 1);
        let at = |revision| Position::new(Epoch::new(1), Revision(revision));
        let cases = [
            (at(9), state(1, 8, 8, 1), None),
            (at(9), state(1, 3, 8, 1), None),
            (at(9), state(1, 3, 9, 1), Some(Stood::After)),
            (at(9), state(1, 9, 9, 1), Some(Stood::After)),
            (at(9), state(1, 8, 12, 1), Some(Stood::After)),
            (at(9), state(1, 10, 10, 1), Some(Stood::Before)),
            (at(9), state(1, 9, 9, 2), Some(Stood::After)),
            (at(9), state(1, 10, 10, 2), Some(Stood::Neither)),
            (at(9), state(2, 3, 20, 2), Some(Stood::Neither)),
        ];
        for (at, after, expected) in cases {
            let (since, position) = (after.since, after.position);
            let seen = stood(at, &before, &after);
            assert_eq!(seen, expected, "{at}, {since} to {position}");
        }
    }

    #[test]
    fn who_wants_a_position_is_handed_the_state_that_stood_there() {
        let moments = Moments::new();
        let before = Arc::new(state(1, 3, 5, 1));
        let after = Arc::new(state(1, 10, 10, 1));
        for (revision, stood) in [(9, &before), (10, &after)] {
            let mut wanted = moments.at(Position::new(Epoch::new(1), Revision(revision)));
            moments.published(&before, &after);
            let handed = wanted.try_recv().unwrap();
            assert!(Arc::ptr_eq(&handed, stood), "at {revision}");
        }
    }
}
