//! A claim that was let in: what every guard is made of.
//!
//! Never says that it is held without a look at the clocks and the map.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::fence::sealed;
use crate::recipes::claim::Claims;
use crate::session::claims::{Claimed, not_held};
use crate::{Error, ErrorKind, Fenced, Loss, Result, SessionState, Token, Txn};

/// What all guards have in common: of a [`Lock`](crate::Lock), an [`RwLock`](crate::RwLock), a
/// [`Semaphore`](crate::Semaphore), an [`Election`](crate::Election).
///
/// It is held from when it is had until it is released, dropped, or lost. Between a look at it and what is done next the
/// process may be paused for longer than its session lives: what must not be done twice needs its [`token`](Fenced::token).
///
/// Dropping it lets it go in the background; `release` waits for that.
#[derive(Debug)]
pub struct Hold {
    claims: Claims,
    claimed: Arc<Claimed>,
}

impl Hold {
    pub(crate) fn new(claims: &Claims, claimed: Arc<Claimed>) -> Hold {
        let claims = claims.clone();
        Hold { claims, claimed }
    }

    /// Whether it is held at this moment: `Live`. `Suspended`: nothing exclusive may be done, and it may be held again.
    /// `Lost`: it never will be. Costs a look at the map, O(log n), and at two clocks.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.claimed.state()
    }

    /// Waits until it is not sure any more that it is held: `Suspended`, or `Lost`. Stop what is exclusive then, before
    /// anything else; and wait until it is [`resumed`](Hold::resumed), or drop it. Cancel safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// # use globe::{Claims, Fenced, Globe, Lock, MemoryLog, Session};
    /// # let log = MemoryLog::new();
    /// # let claims: Claims = Globe::open(log.clone(), "claims").await?;
    /// # let session = Session::open(log).await?;
    /// # async fn bill(token: globe::Token) -> u32 { 3 }
    /// let guard = Lock::new(&claims, &session, "invoices")?.acquire().await?;
    /// let billed = tokio::select! {
    ///     state = guard.unsure() => Err(state), // stopped at once
    ///     billed = bill(guard.token()) => Ok(billed),
    /// };
    /// # assert_eq!(billed, Ok(3));
    /// # Ok(()) }
    /// ```
    pub async fn unsure(&self) -> SessionState {
        self.not(SessionState::Live).await
    }

    /// Waits until a guard that was suspended is held again, with the same token: at once, if it is held. Has no deadline.
    /// Cancel safe.
    ///
    /// # Errors
    /// `NotHeld` when it is lost.
    pub async fn resumed(&self) -> Result<()> {
        loop {
            match self.state() {
                SessionState::Live => return Ok(()),
                SessionState::Lost(loss) => return Err(self.lost(loss)),
                other => drop(self.not(other).await),
            }
        }
    }

    /// Waits until it stands otherwise.
    async fn not(&self, seen: SessionState) -> SessionState {
        let mut watch = self.claims.watch_key(self.claimed.key());
        loop {
            let session = self.claimed.session();
            let of_session = session.state();
            let state = self.state();
            if state != seen {
                return state;
            }
            let bound = self.claimed.time_left();
            tokio::select! {
                changes = watch.next() => if changes.is_none() {
                    session.changed(of_session).await;
                },
                _ = session.changed(of_session) => {}
                () = tokio::time::sleep(bound.unwrap_or_default() + JUST), if bound.is_some() => {}
            }
        }
    }

    /// Changes what others are told with it. The token stays.
    ///
    /// # Errors
    /// `NotHeld` if it is lost; otherwise as every write.
    pub async fn set_value(&self, value: Value) -> Result<()> {
        let (claims, key) = (&self.claims, self.claimed.key());
        loop {
            if let SessionState::Lost(loss) = self.state() {
                return Err(self.lost(loss));
            }
            let standing = claims.get_entry(&key);
            let Some(entry) =
                standing.filter(|entry| entry.created().position() == self.claimed.created())
            else {
                return Err(self.lost(Loss::Displaced));
            };
            let mut claim = (**entry.value()).clone();
            claim.value = value.clone();
            match claims.rewrite_claim(&key, &entry, &claim).await {
                Ok(()) => return Ok(()),
                // Another write of this very guard came in between.
                Err(error) if error.can_retry_now() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets it go, and waits for that.
    pub(crate) async fn release(self) -> Result<()> {
        let bound = self.claims.deadline()?;
        self.claimed.release(bound).await
    }

    pub(crate) fn hold_at_most(&self, time: Duration) {
        self.claimed.hold_at_most(time);
    }

    fn lost(&self, loss: Loss) -> Error {
        let error = not_held(self.claimed.text());
        let why = Error::new(ErrorKind::NotHeld, loss.to_string());
        error.with_source(why)
    }
}

/// Just beyond a bound: at the bound itself it is held.
const JUST: Duration = Duration::from_millis(1);

impl Drop for Hold {
    fn drop(&mut self) {
        self.claimed.let_go();
    }
}

impl sealed::Sealed for Hold {
    fn require_in(&self, txn: &mut Txn<'_>) -> Result<()> {
        self.claimed.require_in(txn)
    }
}

impl Fenced for Hold {
    fn token(&self) -> Token {
        let created = self.claimed.created();
        Token::new(created.epoch, created.revision.0)
    }

    fn is_held(&self) -> bool {
        self.state() == SessionState::Live
    }
}

/// A guard of its own name, which reads as a [`Hold`].
macro_rules! guard {
    ($(#[$doc:meta])* $guard:ident, $release:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "dropping it lets it go"]
        pub struct $guard($crate::recipes::hold::Hold);

        impl $guard {
            /// Lets it go, and waits until that is committed.
            ///
            /// # Errors
            /// `NotHeld` if it was lost before: what was done under it may have been done beside somebody else. Otherwise as a
            /// delete: the session then goes on to delete it.
            pub async fn $release(self) -> $crate::Result<()> {
                self.0.release().await
            }
        }

        impl From<$crate::recipes::hold::Hold> for $guard {
            fn from(hold: $crate::recipes::hold::Hold) -> $guard {
                $guard(hold)
            }
        }

        impl std::ops::Deref for $guard {
            type Target = $crate::recipes::hold::Hold;

            fn deref(&self) -> &$crate::recipes::hold::Hold {
                &self.0
            }
        }

        impl $crate::fence::sealed::Sealed for $guard {
            fn require_in(&self, txn: &mut $crate::Txn<'_>) -> $crate::Result<()> {
                $crate::fence::sealed::Sealed::require_in(&self.0, txn)
            }
        }

        impl $crate::Fenced for $guard {
            fn token(&self) -> $crate::Token {
                self.0.token()
            }

            fn is_held(&self) -> bool {
                self.0.is_held()
            }
        }
    };
}
pub(crate) use guard;
