//! A session: a lease that is kept alive, and the entries that stand as long as it does.
//!
//! Never trusts a lease beyond its time, whatever its own tasks had a chance to do: the clocks are asked at each look.

pub(crate) mod attendant;
pub(crate) mod attended;
pub(crate) mod builder;
pub(crate) mod claims;
pub(crate) mod ephemeral;
pub(crate) mod judgement;
pub(crate) mod keeper;
pub(crate) mod leases;
pub(crate) mod lending;
pub(crate) mod renewal;
pub(crate) mod restoring;
pub(crate) mod resuming;
pub(crate) mod schedule;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod sight;
pub(crate) mod state;
mod trusted;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, LogClient, Result};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::entry::Entry;
use crate::entry::key::Key;
use crate::globe::Globe;
use crate::ground::careful::carefully;
use crate::session::attendant::Attendant;
use crate::session::attended::Attended;
use crate::session::shared::Shared;
use crate::session::state::{SessionEvent, SessionState, SessionStatus};
use crate::write::leasing::Leasing;

/// How long a close may take in all: it answers sooner, unless the tasks of the session are held up.
const CLOSE: Duration = Duration::from_secs(6);

/// A presence in the log that ends when its owner does: a lease that is kept alive, and the entries written under it with
/// [`Globe::put_ephemeral`].
///
/// - **When its owner dies**, or is cut off, its entries are gone at most one [`ttl`](Session::ttl) later (an etcd cluster
///   that elects a leader meanwhile may give it one more).
/// - **An outage is a pause and not a death.** A session that could not renew its lease in time is
///   [suspended](SessionState::Suspended): the lease may have ended. If it turns out that it has not, all that stood under it
///   stood all the while, and the session is live again as if nothing had been.
/// - **A lease that is lost** is replaced, and the entries are written again, as its [`Policy`](crate::Policy) says.
/// - **An entry that somebody else deletes** is put back; one that somebody else writes over is theirs from then on
///   ([`SessionEvent::Displaced`]).
///
/// One session serves any number of maps of its log, and keeps those open in which it has entries. Clones are one session.
/// When the last one is dropped its leases are revoked in the background, and its entries go at once;
/// [`close`](Session::close) waits for that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::{Globe, MemoryLog, Session, SessionState};
///
/// let log = MemoryLog::new();
/// let servers: Globe<String, String> = Globe::open(log.clone(), "servers").await?;
/// let session = Session::open(log).await?;
///
/// servers.put_ephemeral(&session, "web-7", "10.0.0.7:80".to_owned()).await?;
/// assert_eq!(session.state(), SessionState::Live);
///
/// session.close().await?;
/// servers.sync().await?;
/// assert!(servers.is_empty()); // it went with its session
/// # Ok(()) }
/// ```
///
/// It cannot notice in time a pause that no clock of the machine shows (a virtual machine that was stopped), nor one between
/// a look at the clock and what is done next: what must be exclusive needs a fence as well.
#[derive(Clone)]
pub struct Session {
    handle: Arc<Handle>,
}

/// What ends with the last clone.
struct Handle {
    shared: Arc<Shared>,
    stop: DropGuard,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Session {
        let stop = shared.stop.clone().drop_guard();
        Session {
            handle: Arc::new(Handle { shared, stop }),
        }
    }

    /// What people are told of whose it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared().settings.name
    }

    /// How long its lease lives without a renewal.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.shared().settings.ttl
    }

    /// How it stands, by the clocks of this very moment: from any thread, without waiting. After a pause of the process, or
    /// of the machine, the first look says [`SessionState::Suspended`], whatever has run since. Costs two looks at a clock, and a
    /// lock.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.shared().state()
    }

    /// For how long its lease may be trusted from now on, if it is not renewed; zero unless it is live.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.shared().time_left()
    }

    /// Waits until it stands otherwise than was seen, and says how. That a lease was renewed is no news. Cancel safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{MemoryLog, Session, SessionState};
    /// let session = Session::open(MemoryLog::new()).await?;
    /// let work = async { "done" };
    /// let outcome = tokio::select! {
    ///     state = session.changed(SessionState::Live) => Err(state), // stop what is exclusive
    ///     done = work => Ok(done),
    /// };
    /// assert_eq!(outcome, Ok("done"));
    /// # Ok(()) }
    /// ```
    pub async fn changed(&self, seen: SessionState) -> SessionState {
        self.shared().changed(seen).await
    }

    /// Waits until it is live: at once, if it is. Has no deadline: bound it with `tokio::time::timeout`. Cancel safe.
    ///
    /// # Errors
    /// `Closed` when it never will be again.
    pub async fn live(&self) -> Result<()> {
        self.shared().live().await
    }

    /// Hears what happens to it from now on.
    #[must_use]
    pub fn events(&self) -> SessionEvents {
        SessionEvents {
            events: self.shared().subscribe(),
            ended: self.shared().ended.clone(),
        }
    }

    /// How it is doing: local, without waiting.
    #[must_use]
    pub fn status(&self) -> SessionStatus {
        self.shared().status()
    }

    /// Whether an entry is one of this session's: one that ends with a lease which it has, or had.
    pub fn owns<V>(&self, entry: &Entry<V>) -> bool {
        let is_own = |lease| self.shared().is_own(lease).is_some();
        entry.lease().is_some_and(is_own)
    }

    /// Ends it: nothing more is written under it, and its leases are revoked, with all its entries, each lease in one commit
    /// where the log can. All clones are closed. Closing twice is no error. Dropped half-way, it goes on by itself.
    ///
    /// # Errors
    /// `Unavailable` when the log could not be reached for five seconds: the entries then go when the leases end by
    /// themselves.
    pub async fn close(&self) -> Result<()> {
        let shared = self.shared();
        self.handle.stop.token().cancel();
        let ended = timeout(CLOSE, carefully(shared.ended.cancelled())).await;
        if ended.is_err() {
            let why = "the tasks of the session did not stop in time: something holds them up";
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        shared.how_it_ended()
    }

    pub(crate) fn log(&self) -> &Arc<dyn LogClient> {
        &self.shared().log
    }

    /// Runs something in the runtime of the session.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared().runtime.spawn(task);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Attends a map from now on, for a write under this session.
    pub(crate) fn attend<K: Key, V: Send + Sync + 'static>(
        &self,
        map: &Globe<K, V>,
    ) -> Result<Arc<dyn Leasing>> {
        let shared = self.shared();
        if map.log().id() != shared.log.id() {
            let why = format!(
                "the map {} is on another log than the session {}",
                map.keyspace(),
                self.name()
            );
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        if !shared.attends(&map.writer().wanted) {
            let attendant = Arc::new(Attendant::new(map, shared));
            let attended: Arc<dyn Attended> = Arc::clone(&attendant) as _;
            // First of all: who finds the map attended relies on being heard.
            let sight = attendant.listen(shared);
            if shared.attend(&attended)? {
                let attending = attendant.attend(Arc::clone(shared), sight);
                shared.runtime.spawn(attending);
            }
        }
        Ok(Arc::clone(shared) as _)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Hears what happens to a session. Made by [`Session::events`].
///
/// Up to 256 events are kept for who does not listen; what is more is told as [`SessionEvent::Missed`]. It does not keep the
/// session open.
pub struct SessionEvents {
    events: broadcast::Receiver<SessionEvent>,
    ended: CancellationToken,
}

impl SessionEvents {
    /// Waits for the next event; `None` when the session has ended and all was told. Cancel safe.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        use broadcast::error::{RecvError, TryRecvError};
        tokio::select! {
            biased;
            told = carefully(self.events.recv()) => match told {
                Ok(event) => Some(event),
                Err(RecvError::Lagged(missed)) => Some(SessionEvent::Missed(missed)),
                Err(RecvError::Closed) => None,
            },
            // Whoever still has the session cannot hear any more of it.
            () = carefully(self.ended.cancelled()) => match self.events.try_recv() {
                Ok(event) => Some(event),
                Err(TryRecvError::Lagged(missed)) => Some(SessionEvent::Missed(missed)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => None,
            },
        }
    }
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEvents").finish_non_exhaustive()
    }
}
