//! Proves that the replica is current, by asking the log how far it is: a live stream is no proof of a fresh one.
//!
//! It never applies anything; what it finds wrong it tells the tailer.

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{LogClient, Position};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::entry::change::ResyncReason;
use crate::entry::key::Key;
use crate::follow::verdict::{Next, Request};
use crate::ground::backoff::Patience;
use crate::replica::Replica;

/// The task that asks, as long as its map lives.
pub(crate) struct Prober<K, V> {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) replica: Arc<Replica<K, V>>,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) interval: Duration,
    pub(crate) patience: Patience,
    /// When it asked last, and what was applied by then.
    pub(crate) earlier: Option<(Instant, Position)>,
}

impl<K: Key, V> Prober<K, V> {
    /// Runs until the replica ends. Ended by dropping it.
    pub(crate) async fn run(mut self) {
        if self.replica.hydrated().await.is_err() {
            return;
        }
        while !self.replica.has_ended() {
            let now = (Instant::now(), self.replica.followed());
            let (asked, request) = self.probe(now).await;
            if let Some(request) = request {
                // A full queue means that the tailer has been asked already.
                let _ = self.requests.try_send(request);
            }
            // Maps that were given the same answer ask at the same time again, and cost the log one question together.
            tokio::time::sleep_until(asked + self.interval).await;
        }
    }

    /// Asks once; returns since when the answer holds, and what the tailer has to do about it.
    async fn probe(&mut self, now: (Instant, Position)) -> (Instant, Option<Request>) {
        let (called, before) = now;
        let age = self.interval / 2;
        let head = self.log.recent_head(self.replica.keyspace(), age).await;
        let (head, asked) = match head {
            Ok(head) => {
                let asked = called.checked_sub(head.age).unwrap_or(called);
                (head.position, asked)
            }
            Err(error) => {
                self.replica.health().unanswered(&error);
                return (called, None);
            }
        };
        let request = if self.is_rollback(head, asked, now) {
            let next = Next::Resync(ResyncReason::EpochChanged);
            let is_still_here = self.replica.followed() == before;
            is_still_here.then_some(Request { next, head })
        } else {
            self.catches_up(head, asked).await
        };
        (asked, request)
    }

    /// A linearizable answer below what was applied before the log was asked is a rollback, never a proof.
    fn is_rollback(&mut self, head: Position, asked: Instant, now: (Instant, Position)) -> bool {
        let earlier = self.earlier.replace(now);
        let applied = [Some(now), earlier].into_iter().flatten();
        let mut applied_before = applied.filter(|(at, _)| *at <= asked).map(|(_, here)| here);
        head.epoch != now.1.epoch
            || applied_before.any(|here| here.epoch == head.epoch && head.revision < here.revision)
    }

    /// Whether the log was followed so far, and that is not shown: nothing is proved then, and the tail owes nothing.
    fn is_withheld(&self, head: Position) -> bool {
        let followed = self.replica.withholding().position();
        followed.is_some_and(|here| here.covers(head))
    }

    /// Waits until the replica has what the log has, as long as it gets nearer.
    async fn catches_up(&mut self, head: Position, asked: Instant) -> Option<Request> {
        loop {
            let publications = self.replica.publications();
            let here = self.replica.position();
            if here.is_some_and(|here| here.covers(head)) {
                self.replica.prove(asked);
                self.patience.reset();
                return None;
            }
            if here.is_some_and(|here| here.epoch != head.epoch) || self.is_withheld(head) {
                return None;
            }
            match timeout(
                self.patience.now(),
                self.replica.published_since(publications),
            )
            .await
            {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) if self.is_withheld(head) => return None,
                Err(_) => {
                    let keyspace = self.replica.keyspace();
                    tracing::debug!(%keyspace, revision = %head.revision, "the tail is silent though the log is ahead");
                    self.patience.grow();
                    let next = Next::Reopen;
                    return Some(Request { next, head });
                }
            }
        }
    }
}
