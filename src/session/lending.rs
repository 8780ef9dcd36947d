//! The leases of a session as others have to do with them: renewed, counted, lent to a write.
//!
//! Never lends one that may have ended.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use globe_log_client::{Epoch, Error, ErrorKind, Lease, LeaseId, Result};

use crate::ground::clock::Moment;
use crate::session::shared::{Shared, closed};
use crate::session::state::{Loss, SessionEvent, SessionState};
use crate::write::leasing::Leasing;

/// Its leases.
impl Shared {
    pub(crate) fn held(&self) -> Vec<Lease> {
        self.inner().leases.held()
    }

    /// Those that are held, each with when the answer was asked for that it is trusted by.
    pub(crate) fn held_since(&self) -> Vec<(Lease, Moment)> {
        self.inner().leases.held_since()
    }

    /// Whether it is suspended, and its leases live.
    pub(crate) fn may_resume(&self) -> bool {
        let is_suspended = self.state() == SessionState::Suspended;
        is_suspended && self.inner().leases.are_live(Moment::now())
    }

    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.inner().leases.epoch()
    }

    pub(crate) fn add(&self, lease: Lease, sent: Moment) {
        let mut inner = self.inner();
        inner.leases.add(lease, sent);
        inner.wants_lease = false;
        if inner.life != lease.epoch {
            inner.life = lease.epoch;
            inner.grace = Some(Moment::now().after(self.settings.ttl));
        }
    }

    /// How long nothing is granted yet: for one ttl after another life of the log was seen. Whoever held something in the
    /// life before had renewed before that, and stops by himself until then.
    pub(crate) fn grace(&self) -> Option<Duration> {
        let grace = self.inner().grace?;
        grace.left(Moment::now()).filter(|left| !left.is_zero())
    }

    /// How often it has lost its leases, and why at last.
    pub(crate) fn losses(&self) -> (u64, Option<Loss>) {
        self.inner().losses
    }

    pub(crate) fn next_claim(&self) -> u64 {
        self.claims.fetch_add(1, Ordering::Relaxed)
    }

    /// A renewal was answered. It proves only from when it was asked for: one that is handled after the deadline is a
    /// resumption, although nobody had looked.
    pub(crate) fn renewed(&self, lease: Lease, sent: Moment) {
        let is_news = {
            let mut inner = self.inner();
            let (_, is_news) = inner.look(Moment::now());
            inner.leases.renewed(lease, sent);
            inner.last_error = None;
            is_news
        };
        if self.may_resume() {
            self.alive.notify_one();
        }
        if is_news {
            self.tell(SessionEvent::Suspended);
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn former(&self) -> Vec<LeaseId> {
        self.inner().leases.former(Moment::now())
    }

    pub(crate) fn revoked(&self, lease: LeaseId) {
        self.inner().leases.revoked(lease);
    }

    /// Whether what is under this lease is this session's: `Some(true)` if the lease is held now.
    pub(crate) fn is_own(&self, lease: LeaseId) -> Option<bool> {
        self.inner().leases.is_own(lease)
    }

    /// Looks how many keys are under each lease; whether another lease is wanted.
    pub(crate) fn count_keys(&self) -> bool {
        let mut loads = HashMap::new();
        for map in self.attended() {
            map.count(&self.me, &mut loads);
        }
        let mut inner = self.inner();
        let most = self.log.capabilities().records_per_lease;
        inner.leases.count_keys(&loads, most, Moment::now());
        inner.wants_lease
    }

    /// How many keys are wanted, in all maps.
    pub(crate) fn entries(&self) -> usize {
        let attended = self.attended();
        attended.iter().map(|map| map.entries(&self.me)).sum()
    }

    /// A lease to write under, however the session stands.
    pub(crate) fn pick(&self, bound: Option<LeaseId>) -> Option<Lease> {
        let picked = self.inner().leases.pick(bound);
        picked.map(|(lease, _)| lease)
    }
}

#[async_trait]
impl Leasing for Shared {
    async fn live(&self) -> Result<()> {
        loop {
            match self.state() {
                SessionState::Live => return Ok(()),
                SessionState::Lost(Loss::Closed) => return Err(closed()),
                other => self.changed(other).await,
            };
        }
    }

    fn lease(&self, bound: Option<LeaseId>) -> Result<Lease> {
        match self.state() {
            SessionState::Live => {}
            SessionState::Lost(Loss::Closed) => return Err(closed()),
            other => {
                let why = format!("the session is {other}");
                return Err(Error::new(ErrorKind::Unavailable, why));
            }
        }
        let most = self.log.capabilities().records_per_lease;
        let mut inner = self.inner();
        let Some((lease, load)) = inner.leases.pick(bound) else {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the session has no lease",
            ));
        };
        let is_full = load >= most && !inner.wants_lease;
        inner.wants_lease |= is_full;
        drop(inner);
        if is_full {
            self.short.notify_one();
        }
        Ok(lease)
    }

    fn doubt(&self, _lease: Lease) {
        self.called.notify_one();
    }

    fn owns(&self, lease: LeaseId) -> bool {
        !self.is_over() && self.is_own(lease).is_some()
    }

    fn is_over(&self) -> bool {
        self.inner().phase == SessionState::Lost(Loss::Closed)
    }
}
