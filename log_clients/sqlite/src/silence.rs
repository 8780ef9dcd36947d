//! Which leases have fallen silent, as this process has seen it.
//!
//! Never reads a clock that can be set, and compares its own with nobody's. A lease ends when *this* process has seen it without
//! a renewal for its whole time: it was renewed before it was seen, so that is never too early, whatever clocks do, whichever
//! host the file was copied from, and however often the machine was started. It is later by what passes until it is seen: a
//! moment, where a process is there to look; the whole time once more, where none was.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use globe_log_client::LeaseId;

use crate::leases::Kept;

/// How long after it was to be ended one that is still there is to be ended again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a process has seen of leases.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// With when each is to be ended, if nothing is heard of it.
    seen: HashMap<LeaseId, (Kept, Option<Instant>)>,
    /// The newest renewal that was seen.
    pub(crate) renewal: u64,
}

impl Silence {
    /// These were found with a new renewal; `now` is after they were read.
    pub(crate) fn heard(&mut self, kept: impl IntoIterator<Item = Kept>, now: Instant) {
        for kept in kept {
            self.renewal = self.renewal.max(kept.renewal);
            self.seen.insert(kept.id, (kept, now.checked_add(kept.ttl)));
        }
    }

    /// Those that were silent for their whole time.
    pub(crate) fn silent(&mut self, now: Instant) -> Vec<Kept> {
        let mut silent = Vec::new();
        for (kept, end) in self.seen.values_mut() {
            if end.is_some_and(|end| end <= now) {
                *end = now.checked_add(AGAIN);
                silent.push(*kept);
            }
        }
        silent
    }

    /// It has ended, unless something was heard of it since.
    pub(crate) fn ended(&mut self, ended: Kept) {
        if self
            .seen
            .get(&ended.id)
            .is_some_and(|(kept, _)| *kept == ended)
        {
            self.seen.remove(&ended.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::now;

    const SECOND: Duration = Duration::from_secs(1);

    fn kept(id: u64, seconds: u32, renewal: u64) -> Kept {
        let (id, ttl) = (LeaseId::new(id), SECOND * seconds);
        Kept { id, ttl, renewal }
    }

    #[test]
    fn a_lease_is_to_be_ended_when_it_was_silent_for_its_whole_time_and_not_before() {
        let (mut silence, begin) = (Silence::default(), now());
        silence.heard([kept(1, 3, 1), kept(2, 5, 2)], begin);
        silence.heard([kept(1, 3, 3)], begin + 2 * SECOND);
        let just_before = begin + 5 * SECOND - Duration::from_nanos(1);
        assert_eq!(silence.silent(just_before), []);
        assert_eq!(silence.silent(begin + 5 * SECOND).len(), 2);
        assert_eq!(silence.renewal, 3);
    }

    #[test]
    fn one_that_could_not_be_ended_is_to_be_ended_again_and_one_that_was_is_not() {
        let (mut silence, begin) = (Silence::default(), now());
        silence.heard([kept(1, 1, 1), kept(2, 1, 2)], begin);
        assert_eq!(silence.silent(begin + SECOND).len(), 2);
        assert_eq!(silence.silent(begin + SECOND), []);
        silence.ended(kept(2, 1, 2));
        assert_eq!(silence.silent(begin + 2 * SECOND), [kept(1, 1, 1)]);
        // Renewed just before it was ended, and that was seen first.
        silence.heard([kept(1, 1, 5)], begin + 2 * SECOND);
        silence.ended(kept(1, 1, 1));
        assert_eq!(silence.silent(begin + 3 * SECOND), [kept(1, 1, 5)]);
    }
}
