//! The steps a worker is told: to prepare, to own, to stop, to drop.
//!
//! Never decides anything: each tells the worker's task when it is over, and that goes on from there.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::recipes::shards::owned::OwnedShard;
use crate::recipes::shards::record::RowId;
use crate::recipes::shards::shard_member::Peer;
use crate::{Error, ErrorKind, Loss, Result};

/// What a member has to do about one shard. Its next step comes when this one is over.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "dropped, to prepare is refused, and to drain is told again"]
pub enum Step {
    /// The shard comes to this member soon: load what it needs, and say [`done`](Prepare::done).
    Prepare(Prepare),
    /// The shard is this member's: serve it.
    Own(OwnedShard),
    /// The shard goes to another: stop serving it, leave behind what the next needs, and say [`done`](Drain::done).
    Drain(Drain),
    /// The shard is this member's no more, or must not be served for now: stop at once. It is over when this is dropped.
    Drop(Dropped),
}

impl Step {
    /// Which shard it is about.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.row().shard
    }

    /// The how-manieth of its owners this member is to be, or was: 0 for the first.
    #[must_use]
    pub fn replica(&self) -> u32 {
        self.row().replica
    }

    fn row(&self) -> RowId {
        match self {
            Step::Prepare(step) => step.ticket.row,
            Step::Drain(step) => step.ticket.row,
            Step::Drop(step) => step.ticket.row,
            Step::Own(shard) => RowId {
                shard: shard.shard(),
                replica: shard.replica(),
            },
        }
    }
}

/// What a step tells the worker's task.
#[derive(Debug)]
pub(crate) enum Told {
    Prepared(Answer),
    Refused(String, Answer),
    Drained(Answer),
    /// A drain was dropped: it is told again.
    Undone,
    Dropped,
    /// Nobody is inside any more.
    Emptied,
}

/// Who waits until what he said is in the log.
pub(crate) type Answer = Option<oneshot::Sender<Result<()>>>;

/// One step of one row: so that nothing is taken for the end of another.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) row: RowId,
    pub(crate) number: u64,
    task: mpsc::UnboundedSender<(RowId, u64, Told)>,
    is_over: bool,
}

impl Ticket {
    pub(crate) fn new(
        row: RowId,
        number: u64,
        task: &mpsc::UnboundedSender<(RowId, u64, Told)>,
    ) -> Ticket {
        let task = task.clone();
        Ticket {
            row,
            number,
            task,
            is_over: false,
        }
    }

    /// The same, to be ended elsewhere.
    fn take(&mut self) -> Ticket {
        let taken = Ticket::new(self.row, self.number, &self.task);
        self.is_over = true;
        taken
    }

    fn tell(&mut self, told: Told) {
        if !std::mem::replace(&mut self.is_over, true) {
            // Nobody is there any more who would do anything about it.
            let _ = self.task.send((self.row, self.number, told));
        }
    }

    /// Says something, and waits for what comes of it.
    fn ask(mut self, told: impl FnOnce(Answer) -> Told) -> impl Future<Output = Result<()>> + Send {
        let (answer, answered) = oneshot::channel();
        self.tell(told(Some(answer)));
        async move {
            let gone = || Error::new(ErrorKind::Closed, "the worker has ended");
            answered.await.unwrap_or_else(|_| Err(gone()))
        }
    }
}

/// A shard that comes to this member soon. Dropped without a word, it is refused.
#[derive(Debug)]
pub struct Prepare {
    ticket: Ticket,
}

impl Prepare {
    pub(crate) fn new(ticket: Ticket) -> Prepare {
        Prepare { ticket }
    }

    /// Which shard.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.ticket.row.shard
    }

    /// This member is ready. That is said before this is awaited first: dropping the future takes nothing back. It waits until
    /// the log knows, however long it is away.
    ///
    /// # Errors
    /// `NotHeld` if this life of the member is over; `Closed` if the worker is.
    pub fn done(mut self) -> impl Future<Output = Result<()>> + Send {
        self.ticket.take().ask(Told::Prepared)
    }

    /// This member does not want it: it stays where it is, and this member is not asked again for a while. As
    /// [`Prepare::done`].
    ///
    /// # Errors
    /// As there.
    pub fn refuse(mut self, why: &str) -> impl Future<Output = Result<()>> + Send {
        let why = why.to_owned();
        self.ticket.take().ask(|answer| Told::Refused(why, answer))
    }
}

impl Drop for Prepare {
    fn drop(&mut self) {
        self.ticket.tell(Told::Refused("dropped".to_owned(), None));
    }
}

/// A shard that goes to another member. Dropped without a word, it is told again: else it would never go.
///
/// Another may begin before this one is done: when this life of the member ends, or, in strict mode, cannot be sure that it goes
/// on. [`OwnedShard::lost`] ends then, and whatever of it still serves must stop at once.
#[derive(Debug)]
pub struct Drain {
    ticket: Ticket,
    successor: Option<Arc<Peer>>,
}

impl Drain {
    pub(crate) fn new(ticket: Ticket, successor: Option<Arc<Peer>>) -> Drain {
        Drain { ticket, successor }
    }

    /// Which shard.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.ticket.row.shard
    }

    /// Whom it goes to, as far as is known: to hand over to, or to forward to.
    #[must_use]
    pub fn successor(&self) -> Option<&Arc<Peer>> {
        self.successor.as_ref()
    }

    /// This member serves it no more. That is said before this is awaited first: dropping the future takes nothing back. The
    /// shard goes on when nobody is inside it any more ([`ShardGuard`](crate::shards::ShardGuard)). It waits until the log
    /// knows, however long it is away.
    ///
    /// # Errors
    /// `NotHeld` if this life of the member is over; `Closed` if the worker is.
    pub fn done(mut self) -> impl Future<Output = Result<()>> + Send {
        self.ticket.take().ask(Told::Drained)
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.ticket.tell(Told::Undone);
    }
}

/// A shard that is this member's no more, or must not be served for now. Keep it until the shard is served no more: its next
/// step comes when this is dropped.
#[derive(Debug)]
pub struct Dropped {
    ticket: Ticket,
    loss: Loss,
}

impl Dropped {
    pub(crate) fn new(ticket: Ticket, loss: Loss) -> Dropped {
        Dropped { ticket, loss }
    }

    /// Which shard.
    #[must_use]
    pub fn shard(&self) -> u32 {
        self.ticket.row.shard
    }

    /// Why: [`Loss::Displaced`] where it is somebody else's.
    #[must_use]
    pub fn why(&self) -> Loss {
        self.loss
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.ticket.tell(Told::Dropped);
    }
}
