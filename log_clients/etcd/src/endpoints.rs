//! The members of the cluster: which one is used, and which are left alone for a while.
//!
//! Never sends anything itself.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff;
use crate::connections::{Connections, Line};
use crate::fault::{Class, Fault};
use crate::settings::Settings;
use crate::version::Version;

/// How many failures in a row come before one that means a certificate is not accepted.
const DOUBTS: u32 = 3;

/// All members. One of them is pinned: it gets everything until it fails.
pub(crate) struct Endpoints {
    pub(crate) settings: Settings,
    members: Vec<Arc<Endpoint>>,
    pinned: AtomicUsize,
    /// The member that tails are to move to.
    moved: watch::Sender<usize>,
    /// The raft term of the last answer.
    term: AtomicU64,
    /// What went wrong last, while nothing has been answered since.
    last_failure: Mutex<Option<Fault>>,
}

/// One member.
pub(crate) struct Endpoint {
    pub(crate) address: String,
    pub(crate) index: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: Arc<Connections>,
    failures: u32,
    /// Until when it is left alone, and why.
    aside: Option<(Instant, Fault)>,
    warned_of: Option<Version>,
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
    pub(crate) fn new(settings: Settings) -> Endpoints {
        let addresses = settings.endpoints.iter().cloned().enumerate();
        let members: Vec<_> = addresses
            .map(|(index, address)| {
                let state = Mutex::default();
                Arc::new(Endpoint {
                    address,
                    index,
                    state,
                })
            })
            .collect();
        // Clients spread themselves over the members.
        let pinned = AtomicUsize::new(fastrand::usize(..members.len().max(1)));
        Endpoints {
            settings,
            members,
            moved: watch::Sender::new(pinned.load(Ordering::Relaxed)),
            pinned,
            term: AtomicU64::new(0),
            last_failure: Mutex::default(),
        }
    }

    /// Takes note of the raft term an answer was given in.
    pub(crate) fn heard(&self, term: u64) {
        self.term.store(term, Ordering::Relaxed);
    }

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
        self.moved.subscribe()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The pinned member, or the next one that is not left alone.
    pub(crate) fn choose(&self) -> Choice {
        let now = Instant::now();
        let pinned = self.pinned.load(Ordering::Relaxed);
        let mut soonest: Option<(Instant, Fault)> = None;
        for offset in 0..self.members.len() {
            let Some(endpoint) = self.members.get((pinned + offset) % self.members.len()) else {
                continue;
            };
            let state = endpoint.state();
            match &state.aside {
                Some((until, fault)) if *until > now => {
                    if soonest.as_ref().is_none_or(|(soonest, _)| until < soonest) {
                        soonest = Some((*until, fault.clone()));
                    }
                }
                _ => {
                    let connections = Arc::clone(&state.connections);
                    let endpoint = Arc::clone(endpoint);
                    return Choice::Now(Chosen {
                        endpoint,
                        connections,
                    });
                }
            }
        }
        let none = || {
            let fault = Fault::new(Class::NeverSent, "there are no endpoints");
            (now, fault)
        };
        let (until, fault) = soonest.unwrap_or_else(none);
        Choice::Later(until, fault)
    }

    /// The member is well, but what it knows of this client is not: the next request connects and logs in anew.
    pub(crate) fn reconnect(&self, chosen: &Chosen) {
        let mut state = chosen.endpoint.state();
        if Arc::ptr_eq(&state.connections, &chosen.connections) {
            state.connections = Arc::default();
        }
    }

    /// The member failed: it is left alone for a while, and the next member is pinned. Its connections are given up,
    /// unless they carried the answer that there is no leader. Failures of connections that were given up already count
    /// no more.
    pub(crate) fn put_aside(&self, chosen: &Chosen, fault: &Fault) {
        let Chosen {
            endpoint,
            connections,
        } = chosen;
        let mut state = endpoint.state();
        if !Arc::ptr_eq(&state.connections, connections) {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        let pause = if fault.is_election() {
            backoff::pause_of_election(fastrand::f64())
        } else {
            connections.give_up();
            state.connections = Arc::default();
            backoff::pause(state.failures, self.len(), fastrand::f64())
        };
        state.aside = Some((Instant::now() + pause, fault.clone()));
        let next = (endpoint.index + 1) % self.len().max(1);
        let (failed, relaxed) = (endpoint.index, Ordering::Relaxed);
        // If another member is pinned already, that one stays.
        let _ = self.pinned.compare_exchange(failed, next, relaxed, relaxed);
        if state.failures == 1 {
            tracing::warn!(endpoint = %endpoint.address, reason = %fault, "etcd member put aside");
        }
    }
}

impl Endpoint {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chosen {
    /// The member answered.
    fn answered(&self) {
        let mut state = self.endpoint.state();
        if state.failures > 0 && Arc::ptr_eq(&state.connections, &self.connections) {
            let attempt = std::mem::take(&mut state.failures);
            state.aside = None;
            tracing::info!(endpoint = %self.endpoint.address, attempt, "etcd member answers again");
        }
    }

    /// What a failed contact means, given those before it. A server that does not accept this client's certificate ends
    /// the connection, and its reason does not reach us. A server that is just dying does so too, but not every time.
    pub(crate) fn doubt(&self, fault: Fault) -> Fault {
        let Endpoint { address, .. } = &*self.endpoint;
        let is_closed = fault.class == Class::NeverSent && fault.is_closed_connection();
        if !is_closed || !address.starts_with("https://") || self.endpoint.state().failures < DOUBTS
        {
            return fault;
        }
        let text = format!(
            "it ends every connection, perhaps because it does not accept this client's certificate: {fault}"
        );
        Fault::new(Class::Misconfigured, text)
    }

    /// The member's version; warns once of what is known to be wrong with it.
    pub(crate) async fn version(&self, settings: &Settings) -> Result<Version, Fault> {
        let endpoint = &self.endpoint;
        let version = self
            .connections
            .version(&endpoint.address, settings)
            .await?;
        let mut state = endpoint.state();
        if state.warned_of != Some(version) {
            state.warned_of = Some(version);
            if let Some(warning) = version.warning() {
                tracing::warn!(endpoint = %endpoint.address, %version, "etcd server: {warning}");
            }
        }
        Ok(version)
    }

    pub(crate) async fn client(
        &self,
        line: Line,
        settings: &Settings,
    ) -> Result<Arc<etcd_client::Client>, Fault> {
        let address = &self.endpoint.address;
        self.connections.client(line, address, settings).await
    }
}
