//! A lock: one holder at a time, in the order in which they came.
//!
//! Never lets a late write of a former holder in by itself: that takes a token, and somebody who compares it.

use std::sync::Arc;

use serde_json::Value;

use crate::recipes::claim::{Claims, Mode};
use crate::recipes::hold::guard;
use crate::recipes::order::Place;
use crate::recipes::queue::{Kind, Queue};
use crate::recipes::request::Request;
use crate::{Result, Session, Token, View};

/// A lock of a name, which one holds at a time among all processes that share the claims. First come, first served. Not
/// re-entrant: who holds it and asks for it again waits for himself.
///
/// Costs a commit to take and one to release, and nothing to hold or to wait; from a release to the next holder it takes a
/// commit and its delivery.
///
/// It is advice: a process that was paused for longer than its session lives may go on as if it held it. What must not
/// happen twice compares the [`token`](crate::Fenced::token): in the same log [`Txn::require`](crate::Txn::require) does,
/// elsewhere a [`Gate`](crate::Gate).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::{Claims, Fenced, Globe, Lock, MemoryLog, Session};
///
/// let log = MemoryLog::new();
/// let claims: Claims = Globe::open(log.clone(), "claims").await?;
/// let state: Globe<String, u64> = Globe::open(log.clone(), "state").await?;
/// let session = Session::open(log).await?;
///
/// let lock = Lock::new(&claims, &session, "invoices")?;
/// let guard = lock.acquire().await?;
/// // Written only if the lock is still held then.
/// state
///     .transact(|txn| {
///         txn.require(&guard)?;
///         txn.put(&state, "billed", 42)
///     })
///     .await?;
/// assert!(lock.try_acquire().await?.is_none());
/// guard.release().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Lock {
    queue: Arc<Queue>,
}

guard! {
    /// A lock that is held.
    LockGuard, release
}

impl Lock {
    /// The lock of a name. Talks to nobody.
    ///
    /// # Errors
    /// `Invalid` for a name without characters, or of more than 512 bytes in a key; and for claims and a session that are
    /// not on one log.
    pub fn new(claims: &Claims, session: &Session, name: &str) -> Result<Lock> {
        let queue = Queue::new(claims, session, Kind::Lock, name)?;
        Ok(Lock { queue })
    }

    /// Waits until it is held. See [`Request::acquire`].
    ///
    /// # Errors
    /// As there.
    pub async fn acquire(&self) -> Result<LockGuard> {
        self.request().acquire().await
    }

    /// Takes it if it can be had now. See [`Request::try_acquire`].
    ///
    /// # Errors
    /// As there.
    pub async fn try_acquire(&self) -> Result<Option<LockGuard>> {
        self.request().try_acquire().await
    }

    /// A request with bounds, or with a value for others to read.
    pub fn request(&self) -> Request<LockGuard> {
        Request::new(&self.queue, Mode::Write, 1)
    }

    /// Who is first in the queue, as the local copy shows it. Advice: he may have lost it, or not know yet that he holds.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        Holder::of(&self.queue)
    }
}

/// Who holds, as the local copy shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Holder {
    /// The name of its session.
    pub by: String,
    /// What it wants others to know.
    pub value: Value,
    /// Its token.
    pub token: Token,
}

impl Holder {
    pub(crate) fn of(queue: &Queue) -> Option<Holder> {
        let view = queue.claims.view();
        let first = queue.first(&view)?;
        Holder::at(&view, &first)
    }

    pub(crate) fn at(view: &View<String, super::claim::Claim>, place: &Place) -> Option<Holder> {
        let entry = view.get_entry(&place.key)?;
        Some(Holder {
            by: entry.by.clone(),
            value: entry.value.clone(),
            token: Token::new(view.position().epoch, place.created.0),
        })
    }
}
