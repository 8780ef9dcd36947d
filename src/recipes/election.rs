//! An election: one leader at a time, who is told when he is none any more.
//!
//! Never lets work of a term go on beyond it: it is dropped first of all.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;

use crate::recipes::claim::{Claim, Claims, Mode};
use crate::recipes::hold::guard;
use crate::recipes::lock::Holder;
use crate::recipes::queue::{Kind, Queue};
use crate::recipes::request::Request;
use crate::{Result, Session, Watch};

/// The election of a name: of those who campaign, the first is the leader until he resigns, or his session is lost. What a
/// leader does carries his token, the term: see [`Lock`](crate::Lock) for why, and for what it costs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use std::ops::ControlFlow;
/// use globe::{Claims, Election, Fenced, Globe, MemoryLog, Session};
///
/// # let log = MemoryLog::new();
/// # let claims: Claims = Globe::open(log.clone(), "claims").await?;
/// # let session = Session::open(log).await?;
/// # async fn compact(term: globe::Token) {}
/// let election = Election::new(&claims, &session, "compactor")?;
/// // Works whenever this process leads; ends when the work says so.
/// election
///     .lead("10.0.0.7:80", |term| async move {
///         compact(term.token()).await;
///         ControlFlow::Break(())
///     })
///     .await?;
/// assert_eq!(election.leader(), None);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Election {
    queue: Arc<Queue>,
}

guard! {
    /// A term as leader.
    Leadership, resign
}

impl Leadership {
    /// Changes what others are told of the leader, as [`Hold::set_value`](crate::Hold::set_value): the term stays.
    ///
    /// # Errors
    /// As there.
    pub async fn proclaim(&self, value: impl Into<Value>) -> Result<()> {
        self.set_value(value.into()).await
    }
}

impl Election {
    /// The election of a name. Talks to nobody.
    ///
    /// # Errors
    /// As [`Lock::new`](crate::Lock::new).
    pub fn new(claims: &Claims, session: &Session, name: &str) -> Result<Election> {
        let queue = Queue::new(claims, session, Kind::Election, name)?;
        Ok(Election { queue })
    }

    /// Waits until it leads; others are told `value` of it.
    ///
    /// # Errors
    /// As [`Request::acquire`].
    pub async fn campaign(&self, value: impl Into<Value>) -> Result<Leadership> {
        self.request().value(value).acquire().await
    }

    /// A request with bounds.
    pub fn request(&self) -> Request<Leadership> {
        Request::new(&self.queue, Mode::Write, 1)
    }

    /// Who leads, as the local copy shows it. Advice, as [`Lock::holder`](crate::Lock::holder).
    #[must_use]
    pub fn leader(&self) -> Option<Holder> {
        Holder::of(&self.queue)
    }

    /// Follows who leads, from now on.
    #[must_use]
    pub fn observe(&self) -> Observe {
        Observe {
            watch: self.queue.watch(),
            queue: Arc::clone(&self.queue),
            shown: None,
        }
    }

    /// Works whenever this process leads, until the work says that it is done. Campaigns; runs `work` with its term; drops it
    /// first of all when it is not sure any more that it leads; runs it again, under the same term, if it turns out that it
    /// does; campaigns again if it does not. At [`ControlFlow::Break`] it resigns and returns.
    ///
    /// Work that blocks a thread cannot be dropped: it must ask [`is_held`](crate::Fenced::is_held) itself. Dropping the call drops
    /// the work, and resigns in the background.
    ///
    /// # Errors
    /// As [`Election::campaign`]; `NotHeld` if the term was lost before the last work of it ended.
    pub async fn lead<F, W>(&self, value: impl Into<Value>, mut work: F) -> Result<()>
    where
        F: FnMut(Arc<Leadership>) -> W,
        W: Future<Output = ControlFlow<()>>,
    {
        let value = value.into();
        loop {
            let term = Arc::new(self.campaign(value.clone()).await?);
            if self.serve(&term, &mut work).await {
                // Whoever kept a clone of the term lets it go with his.
                return match Arc::into_inner(term) {
                    Some(term) => term.resign().await,
                    None => Ok(()),
                };
            }
        }
    }

    /// Works through one term; whether the work is done.
    async fn serve<F, W>(&self, term: &Arc<Leadership>, work: &mut F) -> bool
    where
        F: FnMut(Arc<Leadership>) -> W,
        W: Future<Output = ControlFlow<()>>,
    {
        loop {
            let outcome = {
                let working = work(Arc::clone(term));
                tokio::select! {
                    biased;
                    _ = term.unsure() => None,
                    flow = working => Some(flow),
                }
            };
            match outcome {
                Some(ControlFlow::Break(())) => return true,
                // Work that never waits must not keep others from their turn.
                Some(ControlFlow::Continue(())) => tokio::task::yield_now().await,
                None if term.resumed().await.is_err() => return false,
                None => {}
            }
        }
    }
}

/// Follows who leads. Made by [`Election::observe`].
#[derive(Debug)]
pub struct Observe {
    queue: Arc<Queue>,
    watch: Watch<String, Claim>,
    shown: Option<Option<Holder>>,
}

impl Observe {
    /// The leader there is, or that there is none: at once at first, then whenever that, or what is told of it, has changed.
    /// Always the newest; what was in between is not shown. `None` when the map has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Option<Holder>> {
        loop {
            let leader = Holder::of(&self.queue);
            if self.shown.as_ref() != Some(&leader) {
                self.shown = Some(leader.clone());
                return Some(leader);
            }
            self.watch.next().await?;
        }
    }
}
