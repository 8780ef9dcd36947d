//! A member of a table, step by step: what it is told, and how it leaves.
//!
//! Never does anything by itself: the task behind it does, and goes on while nobody asks for the next step.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::recipes::shards::duty::{Duty, Wires};
use crate::recipes::shards::handle::Shards;
use crate::recipes::shards::jobs::Jobs;
use crate::recipes::shards::membership::Membership;
use crate::recipes::shards::planning::Planning;
use crate::recipes::shards::post::Post;
use crate::recipes::shards::shard_member::ShardMember;
use crate::recipes::shards::steps::Step;
use crate::{Error, ErrorKind, Result, Session};

/// A member of a shard table, which is told step by step what to do. Made by [`Shards::join`].
///
/// Dropping it ends the membership at once: all shards are lost, and then its record is deleted. To give away first what it
/// has, use the [`leaver`](Worker::leaver).
pub struct Worker {
    steps: mpsc::UnboundedReceiver<Step>,
    orders: mpsc::UnboundedSender<oneshot::Sender<Result<()>>>,
    id: String,
    _table: Shards,
}

impl Shards {
    /// Becomes a member of the table, which is told step by step what to do. Waits while another life of the member, of the same
    /// id, has not ended. Has no deadline for that: bound it with `tokio::time::timeout`. Cancel safe.
    ///
    /// When the session loses its lease, or somebody deletes the member's record, all its shards are lost and dropped, and it
    /// joins again as a new incarnation, which gets them back first of all, where nobody else has got them meanwhile.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::shards::{Mode, ShardMember, Step};
    /// use globe::{MemoryLog, Session, Shards};
    ///
    /// # let log = MemoryLog::new();
    /// let orders = Shards::builder(log.clone(), "orders").slots(4).mode(Mode::Strict).open().await?;
    /// let session = Session::open(log).await?;
    /// let mut worker = orders.join(&session, ShardMember::new("w7")).await?;
    /// while let Some(step) = worker.next().await {
    ///     match step {
    ///         Step::Prepare(step) => step.done().await?, // load it first
    ///         Step::Own(shard) => println!("serving {}", shard.shard()),
    ///         Step::Drain(step) => step.done().await?, // flush it first
    ///         _ => {}
    ///     }
    /// #   if orders.table().rows().count() == 4 { break }
    /// }
    /// assert_eq!(orders.owner_of("order-4711").unwrap().member().id(), "w7");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a member that cannot be meant, and for a session of another log; `Busy` if this handle is a member already;
    /// otherwise as a write.
    pub async fn join(&self, session: &Session, member: ShardMember) -> Result<Worker> {
        let common = self.common();
        member.check()?;
        let id = member.id().to_owned();
        let post = Arc::new(Post::new(&common.seats));
        let is_first = common
            .post
            .compare_and_swap(&None::<Arc<Post>>, Some(Arc::clone(&post)));
        if is_first.is_some() {
            let why =
                format!("{id} cannot join here: this handle of the table is a member already");
            return Err(Error::new(ErrorKind::Busy, why));
        }
        let mut vacating = Vacating(Some(self));
        let membership = Membership::enrol(&common.map, session, &id, &member).await?;
        vacating.0 = None;
        let (steps, given) = mpsc::unbounded_channel();
        let (task, told) = mpsc::unbounded_channel();
        let (orders, ordered) = mpsc::unbounded_channel();
        let planning = (CancellationToken::new(), CancellationToken::new());
        let wires = Wires {
            jobs: Jobs::new(common, &post, steps, task),
            told,
            orders: ordered,
            planning: planning.clone(),
        };
        self.plan(session, planning);
        let duty = Duty::new(common, membership, (id.clone(), member), &post, wires);
        session.spawn(duty.serve());
        Ok(Worker {
            steps: given,
            orders,
            id,
            _table: self.clone(),
        })
    }

    /// Stands for planner from now on, until the first token says no more; the second says when that is so.
    fn plan(&self, session: &Session, (stop, stopped): (CancellationToken, CancellationToken)) {
        let stopped = stopped.drop_guard();
        if self.common().settings.plans {
            let planning = Planning::new(self.common(), session, stop);
            session.spawn(async move {
                planning.run().await;
                drop(stopped);
            });
        }
    }
}

/// Frees the place of a member that has not come to join.
struct Vacating<'a>(Option<&'a Shards>);

impl Drop for Vacating<'_> {
    fn drop(&mut self) {
        if let Some(table) = self.0 {
            table.common().post.store(None);
        }
    }
}

impl Worker {
    /// The next step; `None` when the member has left, or its session has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Step> {
        self.steps.recv().await
    }

    /// The id of the member.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What lets the member leave while its steps go on being taken.
    pub fn leaver(&self) -> Leaver {
        Leaver {
            orders: self.orders.clone(),
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Lets a member leave a table. Made by [`Worker::leaver`].
#[derive(Clone, Debug)]
#[must_use = "it leaves only when it is told to"]
pub struct Leaver {
    orders: mpsc::UnboundedSender<oneshot::Sender<Result<()>>>,
}

impl Leaver {
    /// Gives away all that the member has, stops, and deletes its record. Until nobody needs it any more it goes on taking part:
    /// the worker's steps must be taken meanwhile. What nobody can take, because no other member is up, is dropped.
    ///
    /// Has no deadline. Dropped, it goes on leaving; drop the worker to end at once.
    ///
    /// # Errors
    /// `Closed` if the worker, or its session, ended before; otherwise as a delete: the session then goes on to delete the record.
    pub async fn leave(self) -> Result<()> {
        let gone = || Error::new(ErrorKind::Closed, "the worker ended before it had left");
        let (answer, answered) = oneshot::channel();
        self.orders.send(answer).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}
