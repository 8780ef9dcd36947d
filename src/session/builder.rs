//! How a session is opened.
//!
//! Never opens one that has no lease yet: who has a session has been granted one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Lease, LogClient, Result};
use tokio::time::{Instant, sleep, timeout_at};

use crate::builder::shared;
use crate::ground::backoff::Backoff;
use crate::ground::clock::Moment;
use crate::ground::runtime::runtime;
use crate::session::Session;
use crate::session::keeper::keep;
use crate::session::settings::{Policy, Settings};
use crate::session::shared::Shared;

/// Opening.
impl Session {
    /// Opens a session with the usual settings: [`Session::builder`] has others.
    ///
    /// # Errors
    /// As [`SessionBuilder::open`].
    pub async fn open(log: impl LogClient) -> Result<Session> {
        Session::builder(log).open().await
    }

    /// Settings for a session on a log: the one whose maps it is to have entries in.
    pub fn builder(log: impl LogClient) -> SessionBuilder {
        SessionBuilder::new(log)
    }
}

/// Opens a [`Session`] that differs from the default. Nothing is checked before [`SessionBuilder::open`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use std::time::Duration;
/// use globe::{MemoryLog, Policy, Session};
///
/// let session = Session::builder(MemoryLog::new())
///     .name("web-7/41")
///     .ttl(Duration::from_secs(5))
///     .policy(Policy::GiveUp)
///     .open()
///     .await?;
/// assert_eq!(session.name(), "web-7/41");
/// # Ok(()) }
/// ```
#[must_use]
pub struct SessionBuilder {
    log: Arc<dyn LogClient>,
    settings: Settings,
}

impl SessionBuilder {
    pub(crate) fn new(log: impl LogClient) -> SessionBuilder {
        SessionBuilder {
            log: shared(log),
            settings: Settings::default(),
        }
    }

    /// What people are told of whose it is: 1 to 256 bytes, without control characters. The name of the host and the id of
    /// the process, if not set. It need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> SessionBuilder {
        self.settings.name = name.into();
        self
    }

    /// How long the lease lives without a renewal, from 1 s to 5 min. Default 10 s. It is renewed after each third of that. A
    /// shorter one is noticed sooner when its owner dies, and suspended by shorter pauses.
    pub fn ttl(mut self, ttl: Duration) -> SessionBuilder {
        self.settings.ttl = ttl;
        self
    }

    /// What becomes of its entries when the lease is lost. Default [`Policy::ReclaimIfUnowned`].
    pub fn policy(mut self, policy: Policy) -> SessionBuilder {
        self.settings.policy = policy;
        self
    }

    /// Lets the lease lapse while this says false: the session is to stand for more than that a process runs. Asked before
    /// each renewal, on a runtime thread: it must not block. A panic counts as false.
    pub fn renew_while(
        mut self,
        alive: impl Fn() -> bool + Send + Sync + 'static,
    ) -> SessionBuilder {
        self.settings.alive = Some(Arc::new(alive));
        self
    }

    /// How long [`SessionBuilder::open`] tries to reach the log. Default 10 s; up to 24 hours.
    pub fn open_timeout(mut self, bound: Duration) -> SessionBuilder {
        self.settings.open_timeout = bound;
        self
    }

    /// Opens the session: the log grants it a lease. From then on a task keeps it alive. Cancel safe: a lease that was
    /// granted to a call that was dropped ends by itself.
    ///
    /// # Errors
    /// `Invalid` for a setting, which is named with its limit, or without a tokio runtime with a timer; `Unsupported` for a
    /// log without leases; `Unavailable` when the log could not be reached in time; `Denied`.
    pub async fn open(self) -> Result<Session> {
        let SessionBuilder { log, settings } = self;
        settings.check()?;
        let runtime = runtime()?;
        let granted = granted(&*log, &settings).await;
        let granted = granted.map_err(|error| error.while_doing("opening a session"))?;
        let shared = Shared::new(log, settings, runtime, granted);
        shared.runtime.spawn(keep(Arc::clone(&shared)));
        Ok(Session::new(shared))
    }
}

/// The first lease, and when it was asked for.
async fn granted(log: &dyn LogClient, settings: &Settings) -> Result<(Lease, Moment)> {
    let capabilities = log.capabilities();
    if !capabilities.leases {
        let why = format!("the {} log has no leases", capabilities.name);
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    let deadline = Instant::now() + settings.open_timeout;
    let mut pauses = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let mut last = Error::new(ErrorKind::Unavailable, "the log did not answer in time");
    loop {
        let sent = Moment::now();
        match timeout_at(deadline, log.grant(settings.ttl)).await {
            Ok(Ok(lease)) => return Ok((lease, sent)),
            Ok(Err(error)) if !error.can_retry_later() => return Err(error),
            Ok(Err(error)) => last = error,
            Err(_) => return Err(last),
        }
        let pause = pauses.next();
        if Instant::now() + pause >= deadline {
            return Err(last);
        }
        sleep(pause).await;
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("log", &self.log)
            .field("settings", &self.settings)
            .finish()
    }
}
