//! The turns in which commits are under way, and those that wait for one.
//!
//! Never waits itself, and never drops a turn while it looks at who waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use globe_log_client::Transaction;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::queue::group::Group;
use crate::queue::waiting::{Answer, Seat, Sender, Turn, Waiting};

/// So many commits are under way before others wait to be combined: few callers do not wait for each other.
const AT_ONCE: usize = 4;

/// All turns of one client.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    under_way: usize,
    waiting: VecDeque<Waiting>,
}

/// One of those that are under way, until it is dropped: also when its caller has gone.
struct UnderWay(Arc<Turns>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.next();
    }
}

/// A caller who waits. Dropped, he has gone.
pub(crate) struct Caller {
    pub(crate) seat: Arc<Seat>,
    pub(crate) answer: oneshot::Receiver<Answer>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.seat.leave();
    }
}

impl Turns {
    /// A turn at once, or a place among those who wait.
    pub(crate) fn enter(
        self: &Arc<Self>,
        transaction: &Transaction,
        deadline: Instant,
        sender: impl FnOnce() -> Arc<dyn Sender>,
    ) -> Result<Turn, Caller> {
        let mut queue = self.queue();
        if queue.under_way < AT_ONCE {
            queue.under_way += 1;
            return Ok(self.turn());
        }
        let (told, answer) = oneshot::channel();
        let seat = Arc::new(Seat::new());
        queue.waiting.push_back(Waiting {
            transaction: transaction.clone(),
            deadline,
            seat: Arc::clone(&seat),
            answer: told,
            sender: sender(),
        });
        Err(Caller { seat, answer })
    }

    /// Sends those who wait although the others have no answer yet, if this one is still among them.
    pub(crate) fn overtake(self: &Arc<Self>, seat: &Arc<Seat>) {
        let mut queue = self.queue();
        let mut waiting = queue.waiting.iter();
        if waiting.any(|waiting| Arc::ptr_eq(&waiting.seat, seat)) {
            queue.under_way += 1;
            drop(queue);
            self.next();
        }
    }

    /// One has its answer: the next ones are sent, if any wait.
    fn next(self: &Arc<Self>) {
        let mut queue = self.queue();
        let mut group = queue.take_group();
        let Some(first) = group.first() else {
            queue.under_way -= 1;
            return;
        };
        drop(queue);
        let (sender, turn) = (Arc::clone(&first.sender), self.turn());
        if group.len() > 1 {
            return sender.send(group, turn);
        }
        if let Some(only) = group.pop() {
            only.answer(Answer::Alone(Some(turn)));
        }
    }

    /// One that is counted already.
    fn turn(self: &Arc<Self>) -> Turn {
        Box::new(UnderWay(Arc::clone(self)))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Those that can be one transaction with the first who waits, in the order in which they came.
    fn take_group(&mut self) -> Vec<Waiting> {
        self.waiting.retain(|waiting| waiting.seat.is_taken());
        let Some(first) = self.waiting.front() else {
            return Vec::new();
        };
        let capabilities = first.sender.capabilities();
        let mut group = Group::default();
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let left = waiting.filter_map(|waiting| group.add(waiting, &capabilities));
        self.waiting = left.collect();
        group.into_members()
    }
}
