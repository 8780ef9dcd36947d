//! What is asked for, and for how long one waits and holds: how every guard is acquired.
//!
//! Never leaves anything behind: a request that is dropped, or not let in in time, takes its claim back.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::ground::backoff::Backoff;
use crate::recipes::claim::{Claim, Mode};
use crate::recipes::hold::Hold;
use crate::recipes::queue::Queue;
use crate::session::claims::Claimed;
use crate::{Error, ErrorKind, Result, SessionState};

/// A request for a guard that differs from the usual one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use std::time::Duration;
/// use globe::{Claims, ErrorKind, Globe, Lock, MemoryLog, Session};
///
/// let log = MemoryLog::new();
/// let claims: Claims = Globe::open(log.clone(), "claims").await?;
/// let session = Session::open(log).await?;
/// let lock = Lock::new(&claims, &session, "invoices")?;
///
/// let request = || lock.request().wait_at_most(Duration::from_millis(50));
/// let guard = request().acquire().await?;
/// let busy = request().acquire().await.unwrap_err();
/// assert_eq!(*busy.kind(), ErrorKind::Busy);
/// # drop(guard);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Request<G> {
    queue: Arc<Queue>,
    mode: Mode,
    weight: u32,
    value: Value,
    wait: Option<Duration>,
    hold: Option<Duration>,
    guard: PhantomData<fn() -> G>,
}

/// No bound may be longer: a longer one is a mistake in its unit.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl<G: From<Hold>> Request<G> {
    pub(crate) fn new(queue: &Arc<Queue>, mode: Mode, weight: u32) -> Request<G> {
        Request {
            queue: Arc::clone(queue),
            mode,
            weight,
            value: Value::Null,
            wait: None,
            hold: None,
            guard: PhantomData,
        }
    }

    /// What others are told of who holds. Nothing, if not set.
    pub fn value(mut self, value: impl Into<Value>) -> Request<G> {
        self.value = value.into();
        self
    }

    /// Waits for so long at most, for the log as well as for others; for ever, if not set. Up to a year.
    pub fn wait_at_most(mut self, time: Duration) -> Request<G> {
        self.wait = Some(time);
        self
    }

    /// Holds for so long at most, from when it is let in: then it is lost ([`Loss::HoldBound`](crate::Loss::HoldBound)), and
    /// only after that others are let in. Without an end, if not set. Up to a year.
    pub fn hold_at_most(mut self, time: Duration) -> Request<G> {
        self.hold = Some(time);
        self
    }

    /// Waits until it is let in. Costs one commit, and nothing while it waits. Cancel safe: what was dropped is taken back.
    ///
    /// When the session is lost meanwhile it queues anew, at the end.
    ///
    /// # Errors
    /// `Busy` when others held it for as long as it waited; `Unavailable` when it waited for the log or for a live session;
    /// `Invalid` for a bound of nothing, or of more than a year, and for more permits than there are by now; `Closed` of the
    /// map or the session; otherwise as every write that is not tried again.
    pub async fn acquire(self) -> Result<G> {
        self.check()?;
        let Some(wait) = self.wait else {
            return self.acquire_in_time().await;
        };
        let acquired = timeout_at(Instant::now() + wait, self.acquire_in_time()).await;
        acquired.unwrap_or_else(|_| Err(self.late()))
    }

    /// Takes it if it can be had now. What the local copy shows to be held costs nothing; otherwise it costs a commit, and
    /// another one where somebody else was faster.
    ///
    /// # Errors
    /// As [`Request::acquire`]; `Unavailable` if the session is not live.
    pub async fn try_acquire(self) -> Result<Option<G>> {
        self.check()?;
        let reads = self.mode == Mode::Read;
        if !self.queue.grants() {
            if self.queue.session.state() == SessionState::Lost(crate::Loss::Closed) {
                self.queue.session.live().await?;
            }
            let why = format!("{} cannot be had: its session is not live", self.queue.root);
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        if !self.queue.is_free(self.weight, reads) {
            return Ok(None);
        }
        let claimed = self.claim().await?;
        if self.queue.lets_in(&claimed) {
            return Ok(Some(self.held(Arc::new(claimed))));
        }
        let deadline = self.queue.claims.deadline()?;
        match claimed.release(deadline).await {
            Err(error) if *error.kind() != ErrorKind::NotHeld => Err(error),
            _ => Ok(None),
        }
    }

    fn check(&self) -> Result<()> {
        let bounds = [("wait_at_most", self.wait), ("hold_at_most", self.hold)];
        for (name, bound) in bounds {
            if let Some(bound) = bound
                && (bound.is_zero() || bound > LONGEST)
            {
                let why = format!(
                    "{name} is {bound:?}: more than nothing, and up to {LONGEST:?}, is allowed"
                );
                return Err(Error::new(ErrorKind::Invalid, why));
            }
        }
        Ok(())
    }

    async fn acquire_in_time(&self) -> Result<G> {
        let mut pauses = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        loop {
            self.queue.may_grant().await?;
            match self.claim().await {
                // Nobody stands before it: there is nothing to be woken by.
                Ok(claimed) if self.queue.lets_in(&claimed) => {
                    return Ok(self.held(Arc::new(claimed)));
                }
                Ok(claimed) => {
                    if let Some(claimed) = self.queue.wait(claimed).await? {
                        return Ok(self.held(claimed));
                    }
                }
                // What was left of it is swept. It queues anew, with a key that nobody has used.
                Err(error) if is_passing(&error) => sleep(pauses.next()).await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn claim(&self) -> Result<Claimed> {
        let (queue, key) = (&self.queue, self.queue.new_key());
        let name = queue.session.name();
        let claim = Claim::new(name, self.mode, self.weight, self.value.clone());
        queue.session.claim(&queue.claims, key, claim).await
    }

    fn held(&self, claimed: Arc<Claimed>) -> G {
        let hold = Hold::new(&self.queue.claims, claimed);
        if let Some(time) = self.hold {
            hold.hold_at_most(time);
        }
        G::from(hold)
    }

    /// Why it was not let in in time.
    fn late(&self) -> Error {
        let (root, session) = (&self.queue.root, &self.queue.session);
        if self.queue.grants() {
            let why = format!("{root} was held by others for as long as was waited");
            return Error::new(ErrorKind::Busy, why);
        }
        let why = format!(
            "{root} was not had in time: its session is {}",
            session.state()
        );
        Error::new(ErrorKind::Unavailable, why)
    }
}

/// Whether the same may succeed later, whatever became of this attempt.
fn is_passing(error: &Error) -> bool {
    error.can_retry_later() && *error.kind() != ErrorKind::Full
        || error.can_retry_now()
        || matches!(
            error.kind(),
            ErrorKind::Indeterminate | ErrorKind::EpochChanged
        )
}
