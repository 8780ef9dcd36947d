//! The leases of a session: those it holds, until when each may be trusted, and those it has lost.
//!
//! Pure data: it is told the time, and talks to no log.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use globe_log_client::{Epoch, Lease, LeaseId};

use crate::ground::clock::Moment;

/// Of the time of a lease, so much is not made use of: clocks may run at rates up to a tenth apart.
const LEAST_MARGIN: Duration = Duration::from_millis(100);

/// Whatever a log says that it granted, no lease is trusted for longer without a renewal.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Until when a lease may be trusted that was granted, or renewed, by a request sent then.
pub(crate) fn deadline(sent: Moment, ttl: Duration) -> Moment {
    let ttl = ttl.min(LONGEST);
    let margin = (ttl / 10).max(LEAST_MARGIN);
    sent.after(ttl.saturating_sub(margin))
}

/// A lease that is held.
struct Held {
    lease: Lease,
    /// When the answer was asked for that it is trusted by.
    sent: Moment,
    deadline: Moment,
    /// How many keys are under it, about.
    load: usize,
}

/// A lease that was lost, or is given back: to be revoked, until it has surely ended by itself.
#[derive(Clone, Copy)]
pub(crate) struct Former {
    pub(crate) id: LeaseId,
    until: Moment,
}

/// The leases of a session.
#[derive(Default)]
pub(crate) struct Leases {
    held: Vec<Held>,
    former: Vec<Former>,
    /// All it ever had: what stands under one of them is its own. None is ever forgotten, since a backup, however old it is,
    /// may bring its entries back. That is some 16 bytes each: 150 kB for a loss an hour, for a year.
    own: HashSet<LeaseId>,
}

impl Leases {
    /// Holds a lease whose grant was asked for then.
    pub(crate) fn add(&mut self, lease: Lease, sent: Moment) {
        self.own.insert(lease.id);
        self.held.push(Held {
            lease,
            sent,
            deadline: deadline(sent, lease.ttl),
            load: 0,
        });
    }

    /// A lease was renewed by a request sent then. One that was sent later, and is answered already, says more.
    pub(crate) fn renewed(&mut self, lease: Lease, sent: Moment) {
        let held = self.held.iter_mut().find(|held| held.lease.id == lease.id);
        if let Some(held) = held.filter(|held| held.sent.steady() <= sent.steady()) {
            (held.lease, held.sent) = (lease, sent);
            held.deadline = deadline(sent, lease.ttl);
        }
    }

    /// The time at which the first of them may have ended; nothing without any.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let deadlines = self.held.iter().map(|held| held.deadline);
        deadlines.min_by_key(|deadline| deadline.steady())
    }

    /// Until when each of them may be trusted.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Moment> {
        self.held.iter().map(|held| held.deadline)
    }

    /// Whether all of them may be trusted; nor is one without any.
    pub(crate) fn are_live(&self, now: Moment) -> bool {
        let is_past = |held: &Held| held.deadline.is_past(now);
        !self.held.is_empty() && !self.held.iter().any(is_past)
    }

    /// How long all of them may still be trusted.
    pub(crate) fn left(&self, now: Moment) -> Option<Duration> {
        let left = self.held.iter().map(|held| held.deadline.left(now));
        left.min().flatten()
    }

    pub(crate) fn held(&self) -> Vec<Lease> {
        self.held.iter().map(|held| held.lease).collect()
    }

    /// Those that are held, each with when the answer was asked for that it is trusted by.
    pub(crate) fn held_since(&self) -> Vec<(Lease, Moment)> {
        let held = self.held.iter();
        held.map(|held| (held.lease, held.sent)).collect()
    }

    /// The life of the log they were granted in.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.held.first().map(|held| held.lease.epoch)
    }

    pub(crate) fn count(&self) -> usize {
        self.held.len()
    }

    /// One to write under: the one asked for, if it is held, or else the one with the fewest keys, and how many it has.
    pub(crate) fn pick(&mut self, bound: Option<LeaseId>) -> Option<(Lease, usize)> {
        let is_asked_for = |held: &&mut Held| Some(held.lease.id) == bound;
        if let Some(held) = self.held.iter_mut().find(is_asked_for) {
            return Some((held.lease, 0));
        }
        let held = self.held.iter_mut().min_by_key(|held| held.load)?;
        held.load += 1;
        Some((held.lease, held.load))
    }

    /// Takes over how many keys are under each, and gives back those that nothing is under, unless the others have as many
    /// as is good for them: then one is kept for the next.
    pub(crate) fn count_keys(&mut self, loads: &HashMap<LeaseId, usize>, most: usize, now: Moment) {
        for held in &mut self.held {
            held.load = loads.get(&held.lease.id).copied().unwrap_or(0);
        }
        let has_room = |held: &Held| held.load > 0 && held.load < most;
        let mut is_one_kept = self.held.iter().any(has_room);
        let (kept, empty) = self.held.drain(..).partition(|held| {
            let is_kept = held.load > 0 || !is_one_kept;
            is_one_kept |= held.load == 0;
            is_kept
        });
        self.held = kept;
        let empty: Vec<Held> = empty;
        self.former
            .extend(empty.iter().map(|held| former(held, now)));
    }

    /// All that are held are lost.
    pub(crate) fn lose(&mut self, now: Moment) {
        let lost = self.held.drain(..);
        self.former.extend(lost.map(|held| former(&held, now)));
    }

    /// Those that are to be revoked; those whose time is over are not.
    pub(crate) fn former(&mut self, now: Moment) -> Vec<LeaseId> {
        self.former.retain(|former| !former.until.is_past(now));
        self.former.iter().map(|former| former.id).collect()
    }

    /// One of them is revoked.
    pub(crate) fn revoked(&mut self, lease: LeaseId) {
        self.former.retain(|former| former.id != lease);
    }

    /// Whether what is under this lease is the session's: `Some(true)` if it is one that is held now.
    pub(crate) fn is_own(&self, lease: LeaseId) -> Option<bool> {
        let is_held = || self.held.iter().any(|held| held.lease.id == lease);
        self.own.contains(&lease).then(is_held)
    }
}

fn former(held: &Held, now: Moment) -> Former {
    Former {
        id: held.lease.id,
        // A log whose leader changed lets a lease live for its full time again.
        until: now.after(held.lease.ttl.min(LONGEST) * 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    fn lease(id: u64) -> Lease {
        Lease::new(LeaseId::new(id), TTL, Epoch::new(1))
    }

    fn after(now: Moment, millis: u64) -> Moment {
        now.after(Duration::from_millis(millis))
    }

    #[tokio::test]
    async fn a_tenth_of_the_time_is_left_unused_and_a_tenth_of_a_second_at_least() {
        let now = Moment::now();
        assert_eq!(deadline(now, TTL), after(now, 9_000));
        assert_eq!(deadline(now, Duration::from_millis(500)), after(now, 400));
        assert_eq!(deadline(now, Duration::from_millis(50)), now);
    }

    #[tokio::test]
    async fn several_leases_are_trusted_as_long_as_the_first_of_them() {
        let (now, mut leases) = (Moment::now(), Leases::default());
        assert!(!leases.are_live(now), "there is none");
        leases.add(lease(1), now);
        leases.add(lease(2), after(now, 3_000));
        assert_eq!(leases.deadline(), Some(after(now, 9_000)));
        assert!(leases.are_live(after(now, 9_000)) && !leases.are_live(after(now, 9_001)));
        leases.renewed(lease(1), after(now, 5_000));
        assert_eq!(leases.deadline(), Some(after(now, 12_000)));
        assert_eq!(
            leases.left(after(now, 10_000)),
            Some(Duration::from_secs(2))
        );
        assert_eq!(leases.left(after(now, 12_001)), None);
        // The answer to a request of before comes late.
        leases.renewed(lease(1), after(now, 4_000));
        leases.renewed(lease(2), after(now, 6_000));
        assert_eq!(leases.deadline(), Some(after(now, 14_000)));
    }

    #[tokio::test]
    async fn keys_go_under_the_lease_with_the_fewest_and_empty_leases_are_given_back() {
        let (now, mut leases) = (Moment::now(), Leases::default());
        assert!(leases.pick(None).is_none());
        leases.add(lease(1), now);
        leases.add(lease(2), now);
        leases.add(lease(3), now);
        let loads = HashMap::from([(LeaseId::new(1), 9), (LeaseId::new(3), 4)]);
        leases.count_keys(&loads, 10, now);
        assert_eq!(leases.former(now), [LeaseId::new(2)]);
        assert_eq!(leases.pick(None), Some((lease(3), 5)));
        // A key stays with the lease it has, but for one that is not held.
        assert_eq!(leases.pick(Some(LeaseId::new(1))), Some((lease(1), 0)));
        assert_eq!(leases.pick(Some(LeaseId::new(2))), Some((lease(3), 6)));
        assert_eq!(leases.is_own(LeaseId::new(2)), Some(false));
        assert_eq!(leases.is_own(LeaseId::new(3)), Some(true));
        assert_eq!(leases.is_own(LeaseId::new(4)), None);
        leases.count_keys(&HashMap::new(), 10, now);
        assert_eq!(leases.count(), 1, "one is kept");
    }

    #[tokio::test]
    async fn an_empty_lease_is_kept_for_the_next_key_where_the_others_are_full() {
        let (now, mut leases) = (Moment::now(), Leases::default());
        (1..=4).for_each(|id| leases.add(lease(id), now));
        let full = HashMap::from([(LeaseId::new(1), 10), (LeaseId::new(3), 11)]);
        leases.count_keys(&full, 10, now);
        assert_eq!(leases.held(), [lease(1), lease(2), lease(3)]);
        assert_eq!(leases.former(now), [LeaseId::new(4)]);
        assert_eq!(leases.pick(None), Some((lease(2), 1)));
        let room = HashMap::from([(LeaseId::new(1), 9), (LeaseId::new(3), 11)]);
        leases.count_keys(&room, 10, now);
        assert_eq!(leases.held(), [lease(1), lease(3)]);
    }

    #[tokio::test]
    async fn a_lease_that_is_said_to_live_for_ever_is_trusted_for_a_day() {
        let (now, mut leases) = (Moment::now(), Leases::default());
        let endless = Lease::new(LeaseId::new(1), Duration::MAX, Epoch::new(1));
        leases.add(endless, now);
        assert!(leases.left(now) < Some(LONGEST));
        leases.lose(now);
        assert_eq!(leases.former(now), [LeaseId::new(1)]);
    }

    #[tokio::test]
    async fn lost_leases_are_revoked_until_they_have_ended_by_themselves() {
        let (now, mut leases) = (Moment::now(), Leases::default());
        leases.add(lease(1), now);
        leases.add(lease(2), now);
        leases.lose(now);
        assert_eq!((leases.count(), leases.deadline()), (0, None));
        leases.revoked(LeaseId::new(1));
        assert_eq!(leases.former(after(now, 19_000)), [LeaseId::new(2)]);
        assert!(leases.former(after(now, 20_001)).is_empty());
        assert_eq!(leases.is_own(LeaseId::new(2)), Some(false));
    }
}
