//! A member of a table, with one closure for each shard: when it returns, the shard is handed over.
//!
//! Never hands over what still runs, and never lets run what is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::{Id, JoinSet};

use crate::ground::backoff::Backoff;
use crate::recipes::shards::handle::Shards;
use crate::recipes::shards::owned::OwnedShard;
use crate::recipes::shards::shard_member::ShardMember;
use crate::recipes::shards::steps::{Drain, Dropped, Step};
use crate::{Error, ErrorKind, Result, Session};

impl Shards {
    /// Becomes a member, and runs a closure for each shard that it owns, until `until` is over; then gives all away, and leaves.
    ///
    /// The future of a shard should end soon after [`draining`](OwnedShard::draining): its return *is* the hand-over. It is
    /// dropped at once when the shard is lost, or, in strict mode, must not be served for now; and run again when it may be.
    /// One that returns, or panics, before it is asked to, is run again, after a pause of 50 ms that doubles to 5 s.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::shards::{Mode, ShardMember};
    /// use globe::{MemoryLog, Session, Shards};
    ///
    /// # let log = MemoryLog::new();
    /// let orders = Shards::builder(log.clone(), "orders").slots(4).mode(Mode::Strict).open().await?;
    /// let session = Session::open(log).await?;
    /// # let seen = orders.clone();
    /// # let stop = async move { while seen.table().rows().count() < 4 { tokio::task::yield_now().await } };
    /// # let stop = async move { tokio::time::timeout(std::time::Duration::from_secs(9), stop).await.unwrap() };
    /// orders
    ///     .run(&session, ShardMember::new("w7"), stop, |shard| async move {
    ///         tokio::select! {
    ///             () = shard.draining() => {}, // flush, and return
    ///             () = std::future::pending() => {}, // serve
    ///         }
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// Dropping it drops all that runs, and ends the membership at once.
    ///
    /// # Errors
    /// As [`Shards::join`]; `Closed` when the session has ended; otherwise as [`leave`](crate::shards::Leaver::leave).
    pub async fn run<F, W>(
        &self,
        session: &Session,
        member: ShardMember,
        until: impl Future<Output = ()>,
        work: W,
    ) -> Result<()>
    where
        W: Fn(OwnedShard) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut worker = self.join(session, member).await?;
        let leaver = worker.leaver();
        let leaving = async {
            until.await;
            leaver.leave().await
        };
        tokio::pin!(leaving);
        let mut crew = Crew::new(work);
        let mut left = None;
        loop {
            tokio::select! {
                biased;
                // First: it says why something ends.
                step = worker.next() => match step {
                    Some(step) => crew.take(step),
                    None => break,
                },
                outcome = &mut leaving, if left.is_none() => left = Some(outcome),
                () = crew.one_ended() => {}
            }
        }
        let gone = || {
            Error::new(
                ErrorKind::Closed,
                "the session ended before the member had left",
            )
        };
        match left {
            Some(outcome) => outcome,
            // It has left just now, or never will have.
            None if matches!(
                session.state(),
                crate::SessionState::Lost(crate::Loss::Closed)
            ) =>
            {
                Err(gone())
            }
            None => leaving.await,
        }
    }
}

/// What runs, a future for each shard.
struct Crew<W> {
    work: Arc<W>,
    running: JoinSet<()>,
    /// The shard of each task.
    shards: HashMap<Id, (u32, u32)>,
    hands: HashMap<(u32, u32), Hand>,
}

/// What runs of one shard, and why it is to end.
struct Hand {
    shard: OwnedShard,
    is_running: bool,
    backoff: Backoff,
    drain: Option<Drain>,
    dropped: Option<Dropped>,
}

impl<F, W> Crew<W>
where
    W: Fn(OwnedShard) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    fn new(work: W) -> Crew<W> {
        Crew {
            work: Arc::new(work),
            running: JoinSet::new(),
            shards: HashMap::new(),
            hands: HashMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        let key = (step.shard(), step.replica());
        match step {
            // It is said at once: what it waits for is of no interest.
            Step::Prepare(step) => drop(step.done()),
            Step::Own(shard) => {
                self.start(shard.clone(), Duration::ZERO);
                let hand = Hand {
                    shard,
                    is_running: true,
                    backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
                    drain: None,
                    dropped: None,
                };
                self.hands.insert(key, hand);
            }
            Step::Drain(step) => match self.hands.get_mut(&key) {
                Some(hand) => hand.drain = Some(step),
                None => drop(step.done()),
            },
            // Dropped, it is over: here, or when what runs has ended, which has heard that the shard is lost.
            Step::Drop(step) => match self.hands.get_mut(&key) {
                Some(hand) if hand.is_running => hand.dropped = Some(step),
                _ => drop(self.hands.remove(&key)),
            },
        }
    }

    fn start(&mut self, shard: OwnedShard, pause: Duration) {
        let (key, work) = ((shard.shard(), shard.replica()), Arc::clone(&self.work));
        let task = self.running.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(pause), if !pause.is_zero() => {}
                // Nothing is begun that is to end at once.
                () = shard.draining(), if !pause.is_zero() => return,
                () = std::future::ready(()), if pause.is_zero() => {}
            }
            let owned = shard.clone();
            tokio::select! {
                biased;
                // Also while it hands over what it cannot be sure of any more.
                _ = owned.lost() => {}
                () = work(shard) => {}
            }
        });
        self.shards.insert(task.id(), key);
    }

    /// Waits until one has ended, and does what follows; for ever, where none runs.
    async fn one_ended(&mut self) {
        let Some(ended) = self.running.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let id = ended.map_or_else(|failed| failed.id(), |(id, ())| id);
        let Some(key) = self.shards.remove(&id) else {
            return;
        };
        let Some(mut hand) = self.hands.remove(&key) else {
            return;
        };
        if hand.dropped.take().is_some() {
            return;
        }
        if let Some(step) = hand.drain.take() {
            drop(step.done());
            return;
        }
        hand.is_running = hand.shard.lost().now_or_never().is_none();
        if hand.is_running {
            let pause = hand.backoff.next();
            self.start(hand.shard.clone(), pause);
        }
        self.hands.insert(key, hand);
    }
}
