//! What a session's handle, its keeper and its attendants share: its leases, how it stands, who is to be told.
//!
//! Never waits under its lock, and wakes nobody there.

use std::any::Any;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};
use std::time::Duration;

use globe_log_client::{Epoch, Error, ErrorKind, Keyspace, Lease, LogClient, Result};
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use crate::ground::careful::carefully;
use crate::ground::clock::Moment;
use crate::ground::sync::{AtomicU64, Mutex, MutexGuard, Notify, lock};
use crate::session::attended::Attended;
use crate::session::leases::Leases;
use crate::session::settings::Settings;
use crate::session::state::{Loss, SessionEvent, SessionState, SessionStatus};
use crate::session::trusted::Trusted;
use crate::write::leasing::Leasing;
use crate::write::wanted_keys::WantedKeys;

/// How many events are kept for who does not listen.
const EVENTS: usize = 256;

/// By the place in memory of a map's wanted keys, which is its own as long as what is shared holds the map; and by name.
pub(super) type Common = HashMap<(usize, String), Weak<dyn Any + Send + Sync>>;

pub(crate) struct Shared {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) settings: Settings,
    pub(crate) runtime: Handle,
    /// Ends the keeper and the attendants.
    pub(crate) stop: CancellationToken,
    /// They have ended, and the leases are revoked, as far as the log could be reached.
    pub(crate) ended: CancellationToken,
    /// The leases are to be renewed at once.
    pub(crate) called: Notify,
    /// Another lease is wanted.
    pub(crate) short: Notify,
    /// It has turned out that its leases live, although they might have ended.
    pub(crate) alive: Notify,
    /// Part of the keys of its claims: drawn, so that no two sessions have the same.
    pub(crate) number: u64,
    pub(super) claims: AtomicU64,
    /// What is shared by those who stand on the session, by the map and the name it is for.
    pub(super) common: Mutex<Common>,
    pub(super) me: Weak<dyn Leasing>,
    inner: Mutex<Inner>,
    /// What is in there of how it stands, for who asks all the time.
    trusted: Trusted,
    /// How it stands has changed.
    pub(super) changed: Notify,
    events: broadcast::Sender<SessionEvent>,
}

pub(super) struct Inner {
    pub(super) phase: SessionState,
    pub(super) leases: Leases,
    attended: Vec<Arc<dyn Attended>>,
    pub(super) wants_lease: bool,
    pub(super) last_error: Option<Error>,
    /// The maps that could not be looked at.
    behind: Vec<Keyspace>,
    /// How often it has lost its leases, and why at last.
    pub(super) losses: (u64, Option<Loss>),
    /// In which life of the log its newest lease was granted.
    pub(super) life: Epoch,
    /// Until then nothing is granted, because the log is in another life.
    pub(super) grace: Option<Moment>,
    /// Why leases were not revoked at the end.
    end: Result<()>,
}

impl Shared {
    /// Of a session that has its first lease.
    pub(crate) fn new(
        log: Arc<dyn LogClient>,
        settings: Settings,
        runtime: Handle,
        (lease, sent): (Lease, Moment),
    ) -> Arc<Shared> {
        let mut leases = Leases::default();
        leases.add(lease, sent);
        let inner = Inner {
            phase: SessionState::Live,
            leases,
            attended: Vec::new(),
            wants_lease: false,
            last_error: None,
            behind: Vec::new(),
            losses: (0, None),
            life: lease.epoch,
            grace: None,
            end: Ok(()),
        };
        let trusted = Trusted::new(sent);
        trusted.set(inner.leases.deadlines());
        Arc::new_cyclic(|me: &Weak<Shared>| Shared {
            log,
            settings,
            runtime,
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            called: Notify::new(),
            short: Notify::new(),
            alive: Notify::new(),
            number: fastrand::u64(..),
            claims: AtomicU64::new(0),
            common: Mutex::default(),
            me: me.clone(),
            inner: Mutex::new(inner),
            trusted,
            changed: Notify::new(),
            events: broadcast::channel(EVENTS).0,
        })
    }

    pub(super) fn inner(&self) -> Locked<'_> {
        Locked {
            inner: lock(&self.inner),
            trusted: &self.trusted,
            is_changed: false,
        }
    }

    /// By which the keys of a map know whose they are.
    pub(crate) fn me(&self) -> &Weak<dyn Leasing> {
        &self.me
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<SessionEvent> {
        self.events.subscribe()
    }

    pub(crate) fn tell(&self, event: SessionEvent) {
        tracing::info!(session = %self.settings.name, ?event, "session");
        // Nobody listening is no error.
        let _ = self.events.send(event);
    }
}

/// How it stands.
impl Shared {
    /// How it stands, by the clocks of now: no task has to have run for that.
    pub(crate) fn state(&self) -> SessionState {
        let now = Moment::now();
        // Without the lock, as long as it is live: whoever may serve is asked on every request, in every thread.
        if self.trusted.holds(now) {
            return SessionState::Live;
        }
        let (state, is_news) = self.inner().look(now);
        if is_news {
            self.tell(SessionEvent::Suspended);
            self.changed.notify_waiters();
        }
        state
    }

    pub(crate) fn time_left(&self) -> Duration {
        let now = Moment::now();
        match self.state() {
            SessionState::Live => self.inner().leases.left(now).unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Waits until it stands otherwise than it was seen.
    pub(crate) async fn changed(&self, seen: SessionState) -> SessionState {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let state = self.state();
            if state != seen {
                return state;
            }
            let deadline = self.inner().leases.deadline();
            match deadline.filter(|_| state == SessionState::Live) {
                Some(deadline) => {
                    // Just beyond it: at the deadline itself it is live.
                    let beyond = deadline.steady() + Duration::from_millis(1);
                    // Its end is no news: how it stands is asked above.
                    let _ = carefully(timeout_at(beyond, changed)).await;
                }
                None => carefully(changed).await,
            }
        }
    }

    /// Whether there is anything that its leases are to be kept for.
    ///
    /// # Errors
    /// `Aborted` while the caller says that there is not.
    pub(crate) fn check_alive(&self) -> Result<()> {
        match self.settings.is_alive() {
            true => Ok(()),
            false => {
                let why = "`renew_while` says that it is not alive";
                Err(Error::new(ErrorKind::Aborted, why))
            }
        }
    }

    /// The log was asked and did not answer.
    pub(crate) fn failed(&self, error: &Error) {
        self.inner().last_error = Some(error.clone());
    }

    /// These maps could not be looked at, without which it is not live.
    pub(crate) fn wait_for(&self, behind: Vec<Keyspace>) {
        self.inner().behind = behind;
    }

    pub(crate) fn status(&self) -> SessionStatus {
        let (now, time_left) = (self.state(), self.time_left());
        let attended = self.attended();
        let entries = attended.iter().map(|map| map.entries(&self.me)).sum();
        let inner = self.inner();
        SessionStatus {
            name: self.settings.name.clone(),
            state: now,
            ttl: self.settings.ttl,
            time_left,
            leases: inner.leases.count(),
            entries,
            behind: inner.behind.iter().map(ToString::to_string).collect(),
            last_error: inner.last_error.as_ref().map(Error::to_string),
        }
    }

    /// It has lost its leases.
    pub(crate) fn lose(&self, loss: Loss) {
        let mut inner = self.inner();
        inner.leases.lose(Moment::now());
        inner.phase = SessionState::Lost(loss);
        inner.losses = (inner.losses.0 + 1, Some(loss));
        drop(inner);
        for map in self.attended() {
            map.clear_claims(&self.me);
        }
        self.tell(SessionEvent::Lost(loss));
        self.changed.notify_waiters();
    }

    /// The leases taken since the last loss are lost as well.
    pub(crate) fn drop_leases(&self) {
        self.inner().leases.lose(Moment::now());
    }

    /// It has turned out that its leases live, and every map has been looked at since: live, if they do still.
    pub(crate) fn resume(&self, event: SessionEvent) -> bool {
        let mut inner = self.inner();
        if !inner.leases.are_live(Moment::now())
            || matches!(inner.phase, SessionState::Lost(Loss::Closed))
        {
            return false;
        }
        inner.phase = SessionState::Live;
        inner.behind.clear();
        drop(inner);
        self.tell(event);
        self.changed.notify_waiters();
        for map in self.attended() {
            map.stir();
        }
        true
    }

    /// It is over: nothing is written under its leases any more.
    pub(crate) fn close(&self) {
        let mut inner = self.inner();
        if inner.phase == SessionState::Lost(Loss::Closed) {
            return;
        }
        inner.phase = SessionState::Lost(Loss::Closed);
        inner.losses = (inner.losses.0 + 1, Some(Loss::Closed));
        inner.leases.lose(Moment::now());
        let attended = std::mem::take(&mut inner.attended);
        drop(inner);
        for map in &attended {
            map.clear(&self.me);
        }
        self.tell(SessionEvent::Lost(Loss::Closed));
        self.changed.notify_waiters();
    }

    /// The leases are revoked, or could not be.
    pub(crate) fn end(&self, end: Result<()>) {
        self.inner().end = end;
        self.ended.cancel();
    }

    pub(crate) fn how_it_ended(&self) -> Result<()> {
        self.inner().end.clone()
    }
}

/// What is under the lock. Whoever has changed it leaves behind, before he lets it go, until when the session is live.
pub(super) struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    trusted: &'a Trusted,
    is_changed: bool,
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        self.is_changed = true;
        &mut self.inner
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.is_changed {
            let is_live = self.inner.phase == SessionState::Live;
            let deadlines = self.inner.leases.deadlines();
            self.trusted.set(deadlines.filter(|_| is_live));
        }
    }
}

impl Inner {
    /// How it stands, and whether nobody knew that yet.
    pub(super) fn look(&mut self, now: Moment) -> (SessionState, bool) {
        let is_news = self.phase == SessionState::Live && !self.leases.are_live(now);
        if is_news {
            self.phase = SessionState::Suspended;
        }
        (self.phase, is_news)
    }
}

/// The maps it has keys in.
impl Shared {
    pub(crate) fn attended(&self) -> Vec<Arc<dyn Attended>> {
        self.inner().attended.clone()
    }

    pub(crate) fn attends(&self, wanted: &Arc<WantedKeys>) -> bool {
        let inner = self.inner();
        let mut attended = inner.attended.iter();
        attended.any(|map| Arc::ptr_eq(map.wanted(), wanted))
    }

    /// Attends a map, unless it does so already; whether it is new.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn attend(&self, map: &Arc<dyn Attended>) -> Result<bool> {
        let mut inner = self.inner();
        if inner.phase == SessionState::Lost(Loss::Closed) {
            return Err(closed());
        }
        if inner.attended.iter().any(|known| known.is_same(&**map)) {
            return Ok(false);
        }
        inner.attended.push(Arc::clone(map));
        Ok(true)
    }

    /// A map has ended: what the session wrote there stands as long as its leases, and is not put back.
    pub(crate) fn leave(&self, map: &dyn Attended) {
        let mut inner = self.inner();
        let attended = std::mem::take(&mut inner.attended);
        let (left, stay) = attended.into_iter().partition(|known| known.is_same(map));
        inner.attended = stay;
        drop(inner);
        let left: Vec<Arc<dyn Attended>> = left;
        for map in left {
            map.clear(&self.me);
        }
    }

    /// A map was seen in this life of the log. If the leases are of another, either of them is behind: a renewal tells, for
    /// the log renews no lease of a former life.
    pub(crate) fn seen_in(&self, epoch: Option<Epoch>) {
        let own = self.epoch();
        if epoch.is_some() && own.is_some() && epoch != own {
            self.called.notify_one();
        }
    }

    /// Whether the session has anything to do with a key through another map of the same keyspace.
    pub(crate) fn is_known_to_another(&self, map: &dyn Attended, text: &[u8]) -> bool {
        let attended = self.attended();
        let mut others = attended.iter().filter(|other| !other.is_same(map));
        others.any(|other| other.keyspace() == map.keyspace() && other.wanted().knows(text))
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the session is closed")
}

pub(crate) fn no_answer(what: &str) -> Error {
    let why = format!("{what} was not answered in time");
    Error::new(ErrorKind::Unavailable, why)
}
