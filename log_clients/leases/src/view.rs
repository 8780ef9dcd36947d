//! The leases as a client that sweeps has seen them, and when it has to do something about each.
//!
//! Never does it, and never asks a clock: it is told the time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use globe_log_client::{Batch, Change, LeaseId, Position};
use tokio::time::Instant;

use crate::chance;
use crate::lease_record::{Entry, Place, State, place};

/// Clients end a lease at different times after its own, up to this: as a rule one ends it, and the others see that.
const SPREAD: Duration = Duration::from_millis(200);

/// What has ended is deleted by who ended it. After so long, and up to twice that, another client goes on.
const TAKE_OVER: Duration = Duration::from_secs(2);

/// All leases at one position.
pub(crate) struct View {
    position: Position,
    seen: HashMap<LeaseId, Seen>,
    deadlines: BTreeSet<(Instant, LeaseId)>,
}

struct Seen {
    state: State,
    /// When something is to be done about it; nothing while it is being done.
    deadline: Option<Instant>,
}

impl View {
    /// All leases, each seen for the first time.
    pub(crate) fn of(position: Position, states: BTreeMap<LeaseId, State>, now: Instant) -> View {
        let mut view = View {
            position,
            seen: HashMap::new(),
            deadlines: BTreeSet::new(),
        };
        for (id, state) in states {
            view.put(id, state, now);
        }
        view
    }

    /// All leases anew, by another snapshot. In the same life of the log, what has not changed keeps its time.
    pub(crate) fn again(
        &mut self,
        position: Position,
        states: BTreeMap<LeaseId, State>,
        now: Instant,
    ) {
        if self.position.epoch != position.epoch {
            *self = View::of(position, states, now);
            return;
        }
        let gone: Vec<_> = self.seen.keys().copied().collect();
        for id in gone.into_iter().filter(|id| !states.contains_key(id)) {
            self.remove(id);
        }
        for (id, state) in states {
            self.put(id, state, now);
        }
        self.position = position;
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The leases that live.
    pub(crate) fn alive(&self) -> HashMap<LeaseId, Entry> {
        let alive = |(id, seen): (&LeaseId, &Seen)| match &seen.state {
            State::Alive(entry) => Some((*id, entry.clone())),
            State::Ended(_) => None,
        };
        self.seen.iter().filter_map(alive).collect()
    }

    /// A step of the tail.
    pub(crate) fn follow(&mut self, batch: &Batch, now: Instant) {
        // The end of a lease takes one record and leaves another.
        for change in &batch.changes {
            if let Change::Delete { key, .. } = change {
                self.delete(key);
            }
        }
        for change in &batch.changes {
            if let Change::Put(record) = change
                && let Some((id, state)) = State::of(record)
            {
                self.put(id, state, now);
            }
        }
        self.position.revision = batch.revision;
    }

    fn delete(&mut self, key: &[u8]) {
        let Some(place) = place(key) else {
            return;
        };
        let (Place::Alive(id) | Place::Ended(id)) = place;
        let is_it = self.seen.get(&id).is_some_and(|seen| {
            matches!(
                (&seen.state, place),
                (State::Alive(_), Place::Alive(_)) | (State::Ended(_), Place::Ended(_))
            )
        });
        if is_it {
            self.remove(id);
        }
    }

    fn put(&mut self, id: LeaseId, state: State, now: Instant) {
        let before = self.remove(id);
        let kept = before.filter(|before| is_no_news(&before.state, &state));
        let deadline = match kept {
            Some(before) => before.deadline,
            None => now.checked_add(patience(&state)),
        };
        self.seen.insert(id, Seen { state, deadline });
        self.deadlines
            .extend(deadline.map(|deadline| (deadline, id)));
    }

    fn remove(&mut self, id: LeaseId) -> Option<Seen> {
        let seen = self.seen.remove(&id)?;
        if let Some(deadline) = seen.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(seen)
    }

    /// When something is to be done next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// A lease whose time is up, as it was seen. It is not named again until it changes, or is [put
    /// off](View::put_off).
    pub(crate) fn due(&mut self, now: Instant) -> Option<(LeaseId, State)> {
        let (deadline, id) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.deadlines.remove(&(deadline, id));
        let seen = self.seen.get_mut(&id)?;
        seen.deadline = None;
        Some((id, seen.state.clone()))
    }

    /// A lease about which something has to be done later, if it is there and has not changed meanwhile.
    pub(crate) fn put_off(&mut self, id: LeaseId, until: Instant) {
        if let Some(seen) = self.seen.get_mut(&id)
            && seen.deadline.is_none()
        {
            seen.deadline = Some(until);
            self.deadlines.insert((until, id));
        }
    }
}

/// Nobody has renewed it in between.
fn is_no_news(before: &State, after: &State) -> bool {
    match (before, after) {
        (State::Alive(before), State::Alive(after)) => before.record.n == after.record.n,
        (State::Ended(_), State::Ended(_)) => true,
        _ => false,
    }
}

/// How long it is left alone.
fn patience(state: &State) -> Duration {
    match state {
        State::Alive(entry) => entry.record.ttl.saturating_add(chance::part_of(SPREAD)),
        State::Ended(_) => TAKE_OVER + chance::part_of(TAKE_OVER),
    }
}
