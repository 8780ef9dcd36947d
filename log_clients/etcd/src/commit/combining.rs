//! Commits of several callers that are on their way at once, sent as one transaction: so etcd stores one fence for all of them,
//! and is asked less often the more there are.
//!
//! Never lets one caller's failure be another's, and never lets one land later because others wait for it as well.

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{
    Capabilities, Conflict, Error, ErrorKind, Keyspace, Position, Result, Transaction,
};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::commit::fencing::late;
use crate::commit::round::{Attempt, Round};
use crate::commit::{check_life, unprepared};
use crate::fence::joint::Joint;
use crate::queue::group;
use crate::queue::turns::Caller;
use crate::queue::waiting::{Answer, Sender, Turn, Waiting};

/// For so long at most a commit waits for others to be answered, which may take for ever: then all who wait are sent.
const PATIENCE: Duration = Duration::from_millis(50);

/// So often a group is sent anew that was not written, for no fault of a member: then each goes by itself.
const ATTEMPTS: usize = 3;

/// What came of sending a group.
enum Came {
    Done(Position),
    /// Nothing was written, because of these.
    Refused(Conflict),
    /// Nothing was written, for no fault of a member.
    Again,
    /// Nothing was written: whose fault that is, only each by itself shows.
    Apart,
    /// It may have been written.
    Unknown(Error),
}

/// What sends groups, where the caller runs who made it.
struct Groups {
    cluster: Arc<Cluster>,
    runtime: Handle,
}

impl Groups {
    fn of(cluster: &Arc<Cluster>) -> Arc<dyn Sender> {
        Arc::new(Groups {
            cluster: Arc::clone(cluster),
            runtime: Handle::current(),
        })
    }
}

impl Sender for Groups {
    fn capabilities(&self) -> Capabilities {
        self.cluster.capabilities()
    }

    fn send(self: Arc<Self>, group: Vec<Waiting>, turn: Turn) {
        let cluster = Arc::clone(&self.cluster);
        self.runtime.spawn(async move {
            cluster.send_group(group).await;
            drop(turn);
        });
    }
}

impl Cluster {
    /// Commits one that [is plain](group::is_plain), alone or together with others. The answer is its own: a conflict names
    /// only what guards it, and what was not written for another's sake is sent again.
    pub(crate) async fn combined(
        self: &Arc<Self>,
        transaction: &Transaction,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Result<Position> {
        let mut caller = match self.turns.enter(transaction, deadline, || Groups::of(self)) {
            Ok(turn) => {
                let written = self.write(transaction, keyspace, deadline).await;
                drop(turn);
                return written;
            }
            Err(caller) => caller,
        };
        match self.answer(&mut caller, deadline).await? {
            Answer::Told(told) => told,
            Answer::Alone(turn) => {
                let written = self.write(transaction, keyspace, deadline).await;
                drop(turn);
                written
            }
        }
    }

    /// What is told of one that waits.
    async fn answer(self: &Arc<Self>, caller: &mut Caller, deadline: Instant) -> Result<Answer> {
        let patient_until = deadline.min(Instant::now() + PATIENCE);
        let mut told = timeout_at(patient_until, &mut caller.answer).await;
        if told.is_err() && patient_until < deadline {
            self.turns.overtake(&caller.seat);
            told = timeout_at(deadline, &mut caller.answer).await;
        }
        match told {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) if caller.seat.take_back() => Err(unprepared(late(()))),
            // It is on its way, and whoever sent it knows the deadline.
            Err(_) => (&mut caller.answer).await.map_err(|_| nobody_said()),
            // Who was to send it has ended, with its runtime.
            Ok(Err(_)) if caller.seat.take_back() => Ok(Answer::Alone(None)),
            Ok(Err(_)) => Err(nobody_said()),
        }
    }

    /// Sends them together, until each has its answer, or has to go by itself.
    async fn send_group(&self, mut group: Vec<Waiting>) {
        let mut failures = 0;
        while group.len() > 1 && failures < ATTEMPTS {
            match self.send_together(&mut group).await {
                Came::Done(position) => {
                    let told = group.into_iter();
                    return told.for_each(|it| it.answer(Answer::Told(Ok(position))));
                }
                Came::Unknown(error) => {
                    let told = group.into_iter();
                    return told.for_each(|it| it.answer(Answer::Told(Err(error.clone()))));
                }
                Came::Refused(conflict) => {
                    if group::answer_refused(&mut group, &conflict) == 0 {
                        break;
                    }
                }
                Came::Again => failures += 1,
                Came::Apart => break,
            }
        }
        let apart = group.into_iter();
        apart.for_each(|waiting| waiting.answer(Answer::Alone(None)));
    }

    /// Sends them together once. Those who have gone by then are left out.
    async fn send_together(&self, group: &mut Vec<Waiting>) -> Came {
        let deadlines = group.iter().map(|waiting| waiting.deadline);
        let (Some(deadline), Some(known)) = (deadlines.min(), self.life.known()) else {
            return Came::Apart;
        };
        let mut keyspaces = group.iter().flat_map(|it| it.transaction.writes());
        let Some(keyspace) = keyspaces.next().map(|write| write.0.clone()) else {
            return Came::Apart;
        };
        let Ok(Some(held)) = self.fence.take(self, known.epoch, deadline).await else {
            return Came::Apart;
        };
        if self.fence.take_epoch_check() {
            return match self.now(&keyspace, deadline).await {
                Ok(_) => Came::Again,
                Err(_) => {
                    self.fence.require_epoch_check();
                    Came::Apart
                }
            };
        }
        let is_of_this_life = |it: &Waiting| check_life(&it.transaction, &known).is_ok();
        if !group.iter().all(is_of_this_life) {
            return Came::Apart;
        }
        let joint = Arc::new(Joint::of(&held.writer));
        let ends = Ends(&joint);
        group::send(group, &joint);
        if group.is_empty() {
            return Came::Apart;
        }
        let transaction = group::together(group);
        let round = Round {
            cluster: self,
            transaction: &transaction,
            keyspace: &keyspace,
            known,
            deadline,
        };
        let attempt = round.fenced(held, joint.given_up()).await;
        drop(ends);
        match attempt {
            Ok(Attempt::Done(position)) => Came::Done(position),
            Ok(Attempt::Again(_)) => Came::Again,
            Ok(Attempt::Unfenced(_)) => Came::Apart,
            Err(error) => match error.kind() {
                ErrorKind::Conflict(conflict) => Came::Refused(conflict.clone()),
                ErrorKind::Indeterminate => Came::Unknown(error),
                _ => Came::Apart,
            },
        }
    }
}

/// Ends a joint commit, also when the task that sent it is dropped: after its slot was put back.
struct Ends<'a>(&'a Joint);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The task that sent it is gone.
fn nobody_said() -> Error {
    let why = "the runtime that sent it ended before the log said whether it was written";
    Error::new(ErrorKind::Indeterminate, why)
}
