//! Sends a transaction to the log, waits until it is visible here, and carries out what a refusal costs.
//!
//! It never repeats what may have been committed: only what the log says was not. What an answer means is not decided here
//! but in the table of [`attempt`](super::attempt).

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, LogClient, Position, Result, Transaction};
use tokio::time::{Instant, timeout, timeout_at};

use crate::ground::backoff::Backoff;
use crate::replica::lanes::Line;
use crate::write::attempt::{Attempt, Basis, Next, Outcome, touched, verdict};
use crate::write::replicas::{AnyReplica, Replicas, positions, shown_from};

/// How long a log that was told the deadline may be late with its answer, before it is cut off. It should not be: the answer
/// is then worse than its own.
const LATE: Duration = Duration::from_millis(250);

/// One write on its way, with its deadline: however many attempts it takes, they share it.
pub(crate) struct Committer<'a> {
    log: &'a Arc<dyn LogClient>,
    pub(crate) deadline: Instant,
    backoff: Backoff,
    /// Between attempts that others were faster than. What stood in the way is shown here by then, and somebody got on, so
    /// the pause need only part those who would meet again.
    rivals: Backoff,
    /// Its places among those of this process that others were faster than, once it has lined up.
    lines: Option<Vec<Line>>,
    /// Whether the next attempt has the guards that a conflict has found just now.
    is_fresh: bool,
}

impl<'a> Committer<'a> {
    pub(crate) fn new(log: &'a Arc<dyn LogClient>, bound: Duration) -> Committer<'a> {
        Committer {
            log,
            deadline: Instant::now() + bound,
            backoff: Backoff::new(Duration::from_millis(5), Duration::from_millis(500)),
            rivals: Backoff::new(Duration::from_micros(500), Duration::from_millis(20)),
            lines: None,
            is_fresh: false,
        }
    }

    /// Commits a transaction and waits until every replica shows it; or says that another attempt is due, with newer guards,
    /// when all is done that comes before it. The error is the answer when nothing can be tried, or the time is up.
    pub(crate) async fn commit(
        &mut self,
        replicas: &Replicas,
        transaction: &Transaction,
        basis: Basis,
    ) -> Result<Outcome> {
        loop {
            let mut attempt = Attempt::begin(transaction, replicas)?;
            let answer = self.send(transaction.clone()).await;
            attempt.audit(&answer);
            let error = match answer {
                Ok(position) => {
                    let visible = self.visible(&attempt, position).await;
                    if visible.is_ok() {
                        attempt.is_over();
                    }
                    return visible;
                }
                Err(error) => error,
            };
            if !error.may_be_committed() {
                attempt.is_over();
            }
            let next = verdict(error.kind(), basis, attempt.life(), self.is_fresh);
            self.is_fresh = next == Next::GuardAnew;
            if !self.prepare(next, &attempt, &error).await {
                return Err(error);
            }
            if next != Next::Resend {
                return Outcome::after(next, error);
            }
        }
    }

    /// Sends it once. The log is told how long it may take, for only the log knows whether anything has left it.
    async fn send(&self, transaction: Transaction) -> Result<Position> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let commit = self.log.commit(transaction.taking_at_most(left));
        timeout_at(self.deadline + LATE, commit).await.unwrap_or_else(|_| {
            let why = "the log did not say by the deadline whether it was written: it may or may not have been";
            Err(Error::new(ErrorKind::Indeterminate, why))
        })
    }

    /// Does what comes before another attempt; whether there is to be one, and time for it.
    async fn prepare(&mut self, next: Next, attempt: &Attempt<'_>, error: &Error) -> bool {
        match next {
            Next::Resend | Next::PauseAndGuardAnew => self.pause().await,
            Next::GuardAnew => Instant::now() < self.deadline,
            Next::ReadAnew => {
                self.shown(attempt, error).await;
                if self.lines.is_none() {
                    // Rare, and large: it is not a part of every write.
                    Box::pin(self.line_up(attempt.replicas, attempt.transaction)).await;
                    return Instant::now() < self.deadline;
                }
                let pause = self.rivals.next();
                self.wait(pause).await
            }
            Next::FollowLife => self.followed(attempt).await,
            Next::GiveUp => {
                self.shown(attempt, error).await;
                false
            }
        }
    }

    /// Lines up, before anything is sent, if others of this process that lost before touch the same. Whether it had to, so that
    /// what was read should be read anew.
    pub(crate) async fn gives_way(
        &mut self,
        replicas: &Replicas,
        transaction: &Transaction,
    ) -> bool {
        let guards = transaction.preconditions().iter().map(|guard| &guard.1);
        let writes = transaction.writes().iter().map(|write| &write.1);
        let keys = guards.chain(writes);
        let is_taken = |replica: &Arc<dyn AnyReplica>| replica.lanes().is_taken(keys.clone());
        let must_wait = self.lines.is_none() && replicas.iter().any(is_taken);
        if must_wait {
            Box::pin(self.line_up(replicas, transaction)).await;
        }
        must_wait
    }

    /// Waits until those of this process are done that lost before and touch the same, so that they do not lose to each other.
    /// Goes on without when that takes half of the time that is left.
    async fn line_up(&mut self, replicas: &Replicas, transaction: &Transaction) {
        let mut replicas = Vec::from_iter(replicas);
        replicas.sort_by_key(|replica| Arc::as_ptr(replica.lanes()));
        let lining_up = async {
            let mut lines = Vec::with_capacity(replicas.len());
            for replica in replicas {
                let touched = touched(transaction, replica.as_ref());
                lines.push(replica.lanes().enter(touched).await);
            }
            lines
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        let patience = left / 2;
        let lines = timeout(patience, lining_up).await;
        self.lines = Some(lines.unwrap_or_default());
    }

    /// Waits a little before another attempt; false when the deadline leaves no time for one.
    pub(crate) async fn pause(&mut self) -> bool {
        let pause = self.backoff.next();
        self.wait(pause).await
    }

    async fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let has_time = until < self.deadline;
        if has_time {
            tokio::time::sleep_until(until).await;
        }
        has_time
    }

    /// Waits until what a conflict found is visible here, so that the caller who looks again sees it. Gives up quietly at
    /// the deadline: the conflict is the answer either way.
    async fn shown(&self, attempt: &Attempt<'_>, error: &Error) {
        let ErrorKind::Conflict(conflict) = error.kind() else {
            return;
        };
        for replica in attempt.replicas {
            if let Some(position) = shown_from(conflict, replica.keyspace()) {
                let _ = timeout_at(self.deadline, replica.reached(position)).await;
            }
        }
        // Now that they should show it, they are asked whether they do.
        attempt.audit(&Err(error.clone()));
    }

    /// Waits until every replica has left the life of the log that the guards are from; false at the deadline, or when one
    /// has ended.
    async fn followed(&mut self, attempt: &Attempt<'_>) -> bool {
        while self.pause().await {
            let Ok(positions) = positions(attempt.replicas) else {
                return false;
            };
            if positions
                .iter()
                .all(|here| Some(here.epoch) != attempt.life())
            {
                return true;
            }
        }
        false
    }

    /// Waits until what was committed is visible here.
    async fn visible(&self, attempt: &Attempt<'_>, position: Position) -> Result<Outcome> {
        let behind = |why: String| Error::new(ErrorKind::Behind(position), why);
        for replica in attempt.replicas {
            let keyspace = replica.keyspace();
            match timeout_at(self.deadline, replica.reached(position)).await {
                Ok(Ok(())) => replica.prove(attempt.asked),
                Ok(Err(error)) if *error.kind() == ErrorKind::EpochChanged => {
                    let doing = format!("it was committed at {position}, and may be undone");
                    return Err(error.while_doing(doing));
                }
                Ok(Err(end)) => {
                    let why = format!("{keyspace} does not follow the log any more");
                    return Err(behind(why).with_source(end));
                }
                Err(_) => {
                    let mut why = format!("the deadline passed before {keyspace} showed it");
                    if let Some(withheld) = replica.withheld() {
                        why = format!("{why}: {withheld}");
                    }
                    return Err(behind(why));
                }
            }
        }
        Ok(Outcome::Committed(position))
    }
}
