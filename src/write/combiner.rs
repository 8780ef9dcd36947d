//! Writes of several callers that are on their way at once, sent to the log as one transaction: so a log is asked less often
//! the more there are.
//!
//! It never combines what was decided on something, and never lets one caller's failure be another's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use globe_log_client::{Capabilities, Error, ErrorKind, LogClient, Position, Result, Transaction};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::ground::sync::{Mutex, MutexGuard, lock};
use crate::write::group::{Group, Waiting, answer_refused, together};

/// So many transactions are under way before others wait to be combined: few callers do not wait for each other.
const AT_ONCE: usize = 4;

/// For so long at most a write waits for others to be answered, which may take for ever: then all who wait are sent.
const PATIENCE: Duration = Duration::from_millis(50);

/// A transaction of more writes than these is sent by itself: it is combined already.
const SMALL: usize = 16;

/// How long a log that was told the deadline may be late with its answer, before it is cut off. It should not be: the answer
/// is then worse than its own.
const LATE: Duration = Duration::from_millis(250);

/// Sends it once. The log is told how long it may take, for only the log knows whether anything has left it.
pub(crate) async fn send(
    log: &dyn LogClient,
    transaction: Transaction,
    deadline: Instant,
) -> Result<Position> {
    let left = deadline.saturating_duration_since(Instant::now());
    let commit = log.commit(transaction.taking_at_most(left));
    timeout_at(deadline + LATE, commit).await.unwrap_or_else(|_| {
        let why = "the log did not say by the deadline whether it was written: it may or may not have been";
        Err(Error::new(ErrorKind::Indeterminate, why))
    })
}

/// What combines the writes of one map.
pub(crate) struct Combiner {
    log: Arc<dyn LogClient>,
    /// That of the map: a caller's may be gone before others have their answers.
    runtime: Handle,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    under_way: usize,
    next: u64,
    waiting: VecDeque<Waiting>,
}

impl Combiner {
    pub(crate) fn new(log: Arc<dyn LogClient>, runtime: Handle) -> Arc<Combiner> {
        Arc::new(Combiner {
            log,
            runtime,
            queue: Mutex::default(),
        })
    }

    /// Commits a transaction that was decided on nothing, alone or together with others of that kind. The answer is its own:
    /// a conflict names only its keys, and what was refused for another's sake is sent again.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        transaction: Transaction,
        deadline: Instant,
    ) -> Result<Position> {
        if transaction.writes().len() > SMALL {
            return send(&*self.log, transaction, deadline).await;
        }
        let (number, mut answer) = match self.enter(transaction, deadline) {
            Entered::Now(turn, transaction) => {
                let answer = send(&*self.log, transaction, deadline).await;
                drop(turn);
                return answer;
            }
            Entered::Queue(number, answer) => (number, answer),
        };
        let patient_until = deadline.min(Instant::now() + PATIENCE);
        let early = timeout_at(patient_until, &mut answer).await;
        let is_late = early.is_err() && patient_until == deadline;
        if is_late && self.withdraw(number) {
            let why = "the log was still busy with earlier writes at the deadline: it was not sent";
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        let answer = match early {
            Ok(answer) => answer,
            Err(_) => {
                self.overtake(number);
                // It is on its way, and the log knows its deadline.
                answer.await
            }
        };
        answer.unwrap_or_else(|_| Err(nobody_said()))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn enter(self: &Arc<Self>, transaction: Transaction, deadline: Instant) -> Entered {
        let mut queue = self.queue();
        if queue.under_way < AT_ONCE {
            queue.under_way += 1;
            return Entered::Now(Turn(Arc::clone(self)), transaction);
        }
        let (answer, receiver) = oneshot::channel();
        let number = queue.next;
        queue.next += 1;
        queue.waiting.push_back(Waiting {
            number,
            transaction,
            deadline,
            answer,
        });
        Entered::Queue(number, receiver)
    }

    /// Takes back what was not sent yet; false when it was.
    fn withdraw(&self, number: u64) -> bool {
        let mut queue = self.queue();
        let place = queue.waiting.iter().position(|it| it.number == number);
        let withdrawn = place.and_then(|place| queue.waiting.remove(place));
        drop(queue);
        withdrawn.is_some()
    }

    /// Sends all who wait although the others have no answer yet, if this one is still among them.
    fn overtake(self: &Arc<Self>, number: u64) {
        let mut queue = self.queue();
        let is_waiting = queue.waiting.iter().any(|it| it.number == number);
        queue.under_way += usize::from(is_waiting);
        drop(queue);
        if is_waiting {
            self.next();
        }
    }

    /// One has its answer: the next ones are sent, if any wait.
    fn next(self: &Arc<Self>) {
        let group = {
            let mut queue = self.queue();
            let group = queue.take_group(&self.log.capabilities());
            if group.is_empty() {
                queue.under_way -= 1;
                return;
            }
            group
        };
        let turn = Turn(Arc::clone(self));
        self.runtime.spawn(async move {
            turn.0.send_all(group).await;
            drop(turn);
        });
    }

    /// Sends them together, until each has its answer.
    async fn send_all(&self, mut group: Vec<Waiting>) {
        while let [first, _, ..] = &group[..] {
            let deadlines = group.iter().map(|it| it.deadline);
            let deadline = deadlines.min().unwrap_or(first.deadline);
            let error = match send(&*self.log, together(&group), deadline).await {
                Ok(position) => {
                    group.into_iter().for_each(|it| it.answer(Ok(position)));
                    return;
                }
                Err(error) => error,
            };
            if is_of_all(error.kind()) {
                let answer = || Err(error.clone());
                group.into_iter().for_each(|it| it.answer(answer()));
                return;
            }
            // Whose fault another error is, only each by itself shows.
            let ErrorKind::Conflict(conflict) = error.kind() else {
                break;
            };
            if answer_refused(&mut group, conflict) == 0 {
                break;
            }
        }
        join_all(group.into_iter().map(|it| self.send_alone(it))).await;
    }

    async fn send_alone(&self, waiting: Waiting) {
        let transaction = waiting.transaction.clone();
        let answer = send(&*self.log, transaction, waiting.deadline).await;
        waiting.answer(answer);
    }
}

/// Where a transaction has come to.
enum Entered {
    Now(Turn, Transaction),
    Queue(u64, oneshot::Receiver<Result<Position>>),
}

/// One of those that are under way. Dropped, the next ones are: also when its caller has gone.
struct Turn(Arc<Combiner>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.next();
    }
}

impl Queue {
    /// Those that can be one transaction with the first who waits, in the order in which they came.
    fn take_group(&mut self, capabilities: &Capabilities) -> Vec<Waiting> {
        self.waiting.retain(|it| !it.answer.is_closed());
        let mut group = Group::default();
        let mut left = VecDeque::new();
        for waiting in std::mem::take(&mut self.waiting) {
            match group.takes(&waiting, capabilities) {
                true => group.add(waiting),
                false => left.push_back(waiting),
            }
        }
        self.waiting = left;
        group.into_members()
    }
}

/// Whether an error is the answer to all of them, however many they are: what may have been committed, and what says nothing
/// of any of them.
fn is_of_all(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unavailable
            | ErrorKind::Indeterminate
            | ErrorKind::EpochChanged
            | ErrorKind::Closed
            | ErrorKind::Behind(_)
    )
}

/// The task that sent it is gone.
fn nobody_said() -> Error {
    let why = "the runtime of the map ended before the log said whether it was written";
    Error::new(ErrorKind::Indeterminate, why)
}
