//! Which leases are alive, until when, and which keys end with them.
//!
//! Never deletes a record itself and never waits: it is told the time.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use globe_log_client::{Keyspace, LeaseId};
use tokio::time::Instant;

/// A key in its keyspace.
pub(crate) type Place = (Keyspace, Bytes);

/// The leases that are alive.
#[derive(Clone, Default)]
pub(crate) struct Leases {
    held: HashMap<LeaseId, Held>,
    deadlines: BTreeSet<(Instant, LeaseId)>,
}

#[derive(Clone)]
struct Held {
    ttl: Duration,
    deadline: Instant,
    places: BTreeSet<Place>,
}

impl Leases {
    /// Makes a lease live from `now` on; false if that is further than time can be told.
    pub(crate) fn grant(&mut self, id: LeaseId, ttl: Duration, now: Instant) -> bool {
        let Some(deadline) = now.checked_add(ttl) else {
            return false;
        };
        let places = BTreeSet::new();
        let held = Held {
            ttl,
            deadline,
            places,
        };
        self.held.insert(id, held);
        self.deadlines.insert((deadline, id));
        true
    }

    /// Makes a lease live for its full time again, and says how long that is; nothing if it is gone.
    pub(crate) fn renew(&mut self, id: LeaseId, now: Instant) -> Option<Duration> {
        let held = self.held.get_mut(&id)?;
        self.deadlines.remove(&(held.deadline, id));
        held.deadline = now.checked_add(held.ttl).unwrap_or(held.deadline);
        self.deadlines.insert((held.deadline, id));
        Some(held.ttl)
    }

    /// Ends a lease, and says which keys end with it.
    pub(crate) fn end(&mut self, id: LeaseId) -> BTreeSet<Place> {
        let Some(held) = self.held.remove(&id) else {
            return BTreeSet::new();
        };
        self.deadlines.remove(&(held.deadline, id));
        held.places
    }

    pub(crate) fn is_alive(&self, id: LeaseId) -> bool {
        self.held.contains_key(&id)
    }

    /// A lease whose time is up.
    pub(crate) fn due(&self, now: Instant) -> Option<LeaseId> {
        let (deadline, id) = self.deadlines.first()?;
        (*deadline <= now).then_some(*id)
    }

    /// When the next lease ends, if nobody renews it.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(crate) fn bind(&mut self, id: LeaseId, place: Place) {
        if let Some(held) = self.held.get_mut(&id) {
            held.places.insert(place);
        }
    }

    pub(crate) fn unbind(&mut self, id: LeaseId, place: &Place) {
        if let Some(held) = self.held.get_mut(&id) {
            held.places.remove(place);
        }
    }

    /// Makes every lease live for its full time from `now` on, as a log does that was started from a backup.
    pub(crate) fn renew_all(&mut self, now: Instant) {
        let ids: Vec<LeaseId> = self.held.keys().copied().collect();
        for id in ids {
            self.renew(id, now);
        }
    }
}
