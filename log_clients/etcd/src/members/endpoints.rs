//! The members of the cluster: which one is used, and which are left alone for a while.
//!
//! Never sends anything itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::fault::{Class, Fault};
use crate::members::authenticator::Authenticator;
use crate::members::backoff;
use crate::members::connection::Connection;
use crate::members::connections::Connections;
use crate::members::dial::Purpose;
use crate::members::preferred::Preferred;
use crate::settings::Settings;
use crate::settings::server_version::ServerVersion;

/// All members. One of them is pinned: it gets everything until it fails.
///
/// The gRPC library could spread requests over all members, but its balancer takes a dead member for a ready one as
/// long as it is drawn: with one of three dead a quarter of the calls failed. And answers of one member, in one order,
/// are easier to reason about.
pub(crate) struct Endpoints {
    pub(crate) settings: Arc<Settings>,
    pub(crate) authenticator: Arc<Authenticator>,
    members: Vec<Arc<Endpoint>>,
    pinned: watch::Sender<usize>,
    pub(crate) preferred: Preferred,
    /// The id of the cluster that this log is on, once it is known.
    pub(crate) cluster: Mutex<Option<u64>>,
    /// The raft term of the last answer.
    term: AtomicU64,
    /// What went wrong last, while nothing has been answered since.
    last_failure: Mutex<Option<Fault>>,
    /// For what is done beside a call.
    pub(crate) this: Weak<Endpoints>,
}

/// One member.
pub(crate) struct Endpoint {
    pub(crate) address: String,
    pub(crate) index: usize,
    health: Mutex<Health>,
}

/// How a member fares: since its last answer, and what has been said of it.
#[derive(Default)]
struct Health {
    connections: Arc<Connections>,
    failures: u32,
    /// Until when it is left alone, and why.
    aside: Option<(Instant, Fault)>,
    warned_of: Option<ServerVersion>,
}

/// A member that was chosen, with the connections it had at that time.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) connections: Arc<Connections>,
}

/// Which member to use next.
pub(crate) enum Choice {
    Now(Chosen),
    /// All are left alone; this long.
    Later(Instant, Fault),
}

impl Endpoints {
    /// The members as they were given; one of them, drawn, is preferred and pinned.
    pub(crate) fn new(settings: Settings) -> Arc<Endpoints> {
        let settings = Arc::new(settings);
        let addresses = settings.endpoints.iter().cloned().enumerate();
        let members: Vec<_> = addresses
            .map(|(index, address)| {
                let health = Mutex::default();
                Arc::new(Endpoint {
                    address,
                    index,
                    health,
                })
            })
            .collect();
        // Clients spread themselves over the members.
        let preferred = fastrand::usize(..members.len().max(1));
        Arc::new_cyclic(|this| Endpoints {
            authenticator: Arc::new(Authenticator::new(Arc::clone(&settings))),
            settings,
            members,
            pinned: watch::Sender::new(preferred),
            preferred: Preferred::new(preferred),
            cluster: Mutex::default(),
            term: AtomicU64::new(0),
            last_failure: Mutex::default(),
            this: Weak::clone(this),
        })
    }

    /// Takes note of the raft term an answer was given in.
    pub(crate) fn observe_term(&self, term: u64) {
        if term != 0 {
            self.term.store(term, Ordering::Relaxed);
        }
    }

    /// The raft term of the last answer; 0 before the first.
    pub(crate) fn term(&self) -> u64 {
        self.term.load(Ordering::Relaxed)
    }

    /// A member answered.
    pub(crate) fn answered(&self, chosen: &Chosen) {
        *self.last_failure_cell() = None;
        chosen.answered();
    }

    /// A member could not be reached, or did not answer.
    pub(crate) fn failed(&self, fault: &Fault) {
        *self.last_failure_cell() = Some(fault.clone());
    }

    /// Why no member answered, if none has since.
    pub(crate) fn last_failure(&self) -> Option<Fault> {
        self.last_failure_cell().clone()
    }

    fn last_failure_cell(&self) -> MutexGuard<'_, Option<Fault>> {
        let last = self.last_failure.lock();
        last.unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when tails are to move to another member although theirs is well, and to which.
    pub(crate) fn moved(&self) -> watch::Receiver<usize> {
        self.pinned.subscribe()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn pinned_address(&self) -> String {
        let pinned = self.members.get(*self.pinned.borrow());
        pinned
            .map(|member| member.address.clone())
            .unwrap_or_default()
    }

    /// The version the pinned member said it has, if it did.
    pub(crate) fn pinned_version(&self) -> Option<ServerVersion> {
        let member = self.members.get(*self.pinned.borrow())?;
        Chosen::new(member).connections.told_version()
    }

    pub(crate) fn is_pinned(&self, index: usize) -> bool {
        *self.pinned.borrow() == index
    }

    /// Uses this member from now on. Tails are told, and move over.
    pub(crate) fn pin(&self, index: usize) {
        self.pinned.send_if_modified(|pinned| {
            let differs = *pinned != index;
            *pinned = index;
            differs
        });
    }

    /// Every member, whether it is left alone or not.
    pub(crate) fn all(&self) -> impl Iterator<Item = Chosen> {
        self.members.iter().map(Chosen::new)
    }

    /// The pinned member; or, while that is left alone, any other, which is pinned from then on. If all are left alone:
    /// when the first of them may be tried again, and why it failed.
    pub(crate) fn choose(&self) -> Choice {
        let now = Instant::now();
        let pinned = self.members.get(*self.pinned.borrow());
        if let Some(member) = pinned
            && member.health().left_alone(now).is_none()
        {
            return Choice::Now(Chosen::new(member));
        }
        if let Some(member) = self.another(now, None) {
            self.move_to(member.index);
            return Choice::Now(Chosen::new(member));
        }
        let until = self.members.iter();
        let until = until.filter_map(|member| member.health().left_alone(now));
        let none = || (now, Fault::new(Class::NeverSent, "there are no endpoints"));
        let (until, fault) = until.min_by_key(|(until, _)| *until).unwrap_or_else(none);
        Choice::Later(until, fault)
    }

    /// A member that is not left alone, besides the one with this index: each as likely, so that those who leave one
    /// together do not all go to the same.
    fn another(&self, now: Instant, besides: Option<usize>) -> Option<&Arc<Endpoint>> {
        let others = self.members.iter().filter(|member| {
            Some(member.index) != besides && member.health().left_alone(now).is_none()
        });
        fastrand::choice(others.collect::<Vec<_>>())
    }

    /// Whether another member may be asked now.
    pub(crate) fn has_another(&self, chosen: &Chosen) -> bool {
        let besides = Some(chosen.endpoint.index);
        self.another(Instant::now(), besides).is_some()
    }

    /// The member is well, but others may be quicker.
    pub(crate) fn pass_over(&self, chosen: &Chosen) {
        let index = chosen.endpoint.index;
        if self.is_pinned(index)
            && let Some(other) = self.another(Instant::now(), Some(index))
        {
            self.move_to(other.index);
        }
    }

    /// Leaves the preferred member, or another: the way back is looked for after a while.
    fn move_to(&self, index: usize) {
        self.preferred.leave(&self.settings);
        self.pin(index);
    }

    /// A connection could not be had, and there is no other member: those to this one that are there, or on their way, stay,
    /// as each may lead elsewhere, where a balancer is in between. Until when this caller is to wait, after so many attempts;
    /// all are, where no connection is known to lead to somebody. Nothing where there is another member.
    pub(crate) fn spare(&self, chosen: &Chosen, fault: &Fault, attempt: u32) -> Option<Instant> {
        if fault.class != Class::NeverSent || self.has_another(chosen) {
            return None;
        }
        let now = Instant::now();
        let mut health = chosen.endpoint.health();
        if chosen.connections.is_any_known() {
            return Some(now + backoff::pause(attempt, self.len(), fastrand::f64()));
        }
        let is_current = Arc::ptr_eq(&health.connections, &chosen.connections);
        let is_news = is_current && health.left_alone(now).is_none();
        let is_first = is_news && health.failures == 0;
        if is_news {
            self.leave_alone(&mut health, fault);
        }
        let until = health.left_alone(now).map_or(now, |(until, _)| until);
        drop(health);
        warn_of(chosen, fault, is_first);
        Some(until)
    }

    /// The member failed: it is left alone for a while, and another is pinned. Its connections are given up, unless they
    /// carried the answer that there is no leader. Failures of connections that were given up already count no more.
    pub(crate) fn put_aside(&self, chosen: &Chosen, fault: &Fault) {
        let connections = &chosen.connections;
        let mut health = chosen.endpoint.health();
        if !Arc::ptr_eq(&health.connections, connections) {
            return;
        }
        let is_first = health.failures == 0;
        if fault.is_election {
            health.failures = health.failures.saturating_add(1);
            let pause = backoff::pause_of_election(fastrand::f64());
            health.aside = Some((Instant::now() + pause, fault.clone()));
        } else {
            connections.give_up();
            health.connections = Arc::default();
            self.leave_alone(&mut health, fault);
        }
        drop(health);
        self.pass_over(chosen);
        warn_of(chosen, fault, is_first);
    }

    /// For longer with each failure since its last answer.
    fn leave_alone(&self, health: &mut Health, fault: &Fault) {
        health.failures = health.failures.saturating_add(1);
        let pause = backoff::pause(health.failures, self.len(), fastrand::f64());
        health.aside = Some((Instant::now() + pause, fault.clone()));
    }
}

fn warn_of(chosen: &Chosen, fault: &Fault, is_first: bool) {
    if is_first {
        tracing::warn!(endpoint = %chosen.endpoint.address, reason = %fault, "etcd member put aside");
    }
}

impl Endpoint {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Health {
    /// Until when it is left alone, and why.
    fn left_alone(&self, now: Instant) -> Option<(Instant, Fault)> {
        self.aside.clone().filter(|(until, _)| *until > now)
    }
}

impl Chosen {
    fn new(endpoint: &Arc<Endpoint>) -> Chosen {
        Chosen {
            connections: Arc::clone(&endpoint.health().connections),
            endpoint: Arc::clone(endpoint),
        }
    }

    /// Its connection for this purpose.
    pub(crate) fn connection(
        &self,
        purpose: Purpose,
        endpoints: &Endpoints,
    ) -> Result<Arc<Connection>, Fault> {
        let Endpoints {
            authenticator,
            settings,
            ..
        } = endpoints;
        self.connections.connection(
            purpose,
            &self.endpoint.address,
            &authenticator.token,
            settings,
        )
    }

    /// The fault of a connection. One that has ended is forgotten, so that the next request gets another; and that one
    /// failed which another stands in for already says nothing of the member. (Only what concerns leases, which may be asked
    /// for again, has another beside it.)
    pub(crate) fn noted(
        &self,
        fault: Fault,
        purpose: Purpose,
        connection: &Arc<Connection>,
    ) -> Fault {
        if fault.class == Class::NeverSent {
            connection.give_up(&fault);
        }
        if matches!(fault.class, Class::Ended | Class::NeverSent) {
            self.connections.forget(purpose, connection);
        }
        let is_lease = purpose == Purpose::Lease;
        if is_lease && !fault.class.is_answer() && self.connections.is_replaced(purpose, connection)
        {
            return fault.because(Class::Ended, &"another connection is used meanwhile");
        }
        connection.explained(fault)
    }

    /// The member answered.
    fn answered(&self) {
        let mut health = self.endpoint.health();
        if health.failures > 0 && Arc::ptr_eq(&health.connections, &self.connections) {
            let attempt = std::mem::take(&mut health.failures);
            health.aside = None;
            tracing::info!(endpoint = %self.endpoint.address, attempt, "etcd member answers again");
        }
    }

    /// A failed contact, with a guess at its cause. A server that does not accept this client's certificate ends the
    /// connection, and its reason may not reach us; but so does one that is dying, and a balancer with nobody behind it.
    pub(crate) fn guess_cause(&self, fault: Fault) -> Fault {
        let is_closed = fault.class == Class::NeverSent && fault.is_cut_short;
        if !is_closed || !self.endpoint.address.starts_with("https://") {
            return fault;
        }
        fault.perhaps(
            "it does not accept this client's certificate or speaks no TLS, or a balancer has no server to pass it on to",
        )
    }

    /// Warns once of what is known to be wrong with a version.
    pub(crate) fn warn_of(&self, version: ServerVersion) {
        let mut health = self.endpoint.health();
        if health.warned_of == Some(version) {
            return;
        }
        health.warned_of = Some(version);
        if let Some(warning) = version.warning() {
            tracing::warn!(endpoint = %self.endpoint.address, %version, "etcd server: {warning}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::settings::builder::EtcdBuilder;

    fn index(choice: Choice) -> Option<usize> {
        match choice {
            Choice::Now(chosen) => Some(chosen.endpoint.index),
            Choice::Later(..) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_had_nobody_to_go_to_comes_home_all_the_same() {
        let builder = EtcdBuilder::new().endpoints(["http://a:1", "http://b:1"]);
        let settings = builder.settings;
        let rebalance_after = settings.rebalance_after;
        let endpoints = Endpoints::new(settings);
        let preferred = *endpoints.pinned.borrow();
        let fails = |index: usize| {
            let chosen = endpoints.all().nth(index).unwrap();
            endpoints.put_aside(&chosen, &Fault::new(Class::Unknown, "it failed"));
        };
        fails(1 - preferred);
        (0..9).for_each(|_| fails(preferred));
        assert_eq!(index(endpoints.choose()), None);
        advance(Duration::from_millis(200)).await;
        assert_eq!(index(endpoints.choose()), Some(1 - preferred));
        assert!(!endpoints.preferred.is_due());
        advance(rebalance_after * 2).await;
        assert!(endpoints.preferred.is_due());
        assert!(!endpoints.preferred.is_due(), "it is looked for once");
    }
}
