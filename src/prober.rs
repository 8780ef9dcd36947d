//! Proves that the replica is current, by asking the log how far it is: a live stream is no proof of a fresh one.
//!
//! It never applies anything; what it finds wrong it tells the tailer.

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{LogClient, Position};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::backoff::Patience;
use crate::change::ResyncReason;
use crate::key::Key;
use crate::replica::Replica;
use crate::tailer::{Next, Request};

/// The task that asks, as long as its map lives.
pub(crate) struct Prober<K, V> {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) replica: Arc<Replica<K, V>>,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) interval: Duration,
    pub(crate) patience: Patience,
}

impl<K: Key, V> Prober<K, V> {
    /// Runs until the replica ends. Ended by dropping it.
    pub(crate) async fn run(mut self) {
        if self.replica.hydrated().await.is_err() {
            return;
        }
        while !self.replica.has_ended() {
            let asked = Instant::now();
            if let Some(request) = self.probe(asked).await {
                // A full queue means that the tailer has been asked already.
                let _ = self.requests.try_send(request);
            }
            tokio::time::sleep_until(asked + self.interval).await;
        }
    }

    /// Asks once; returns what the tailer has to do about the answer.
    async fn probe(&mut self, asked: Instant) -> Option<Request> {
        let before = self.replica.state().position;
        let head = match self.log.head(self.replica.keyspace()).await {
            Ok(head) => head,
            Err(error) => {
                self.replica.health().unanswered(&error);
                return None;
            }
        };
        // A linearizable answer below what was applied before the question is a rollback, never a proof.
        if head.epoch != before.epoch || head.revision < before.revision {
            let now = self.replica.state().position;
            let next = Next::Resync(ResyncReason::EpochChanged);
            return (now == before).then_some(Request { next, head });
        }
        self.catches_up(head, asked).await
    }

    /// Waits until the replica has what the log has, as long as it gets nearer.
    async fn catches_up(&mut self, head: Position, asked: Instant) -> Option<Request> {
        loop {
            let publications = self.replica.publications();
            let here = self.replica.position();
            if mutant!("prove_without_catching_up") || here.is_some_and(|here| here.covers(head)) {
                let late = mutant!("prove_when_answered");
                self.replica
                    .prove(if late { Instant::now() } else { asked });
                self.patience.reset();
                return None;
            }
            if here.is_some_and(|here| here.epoch != head.epoch) {
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
                Err(_) => {
                    let keyspace = self.replica.keyspace();
                    tracing::debug!(%keyspace, revision = %head.revision, "the tail is silent though the log is ahead");
                    self.patience.grow();
                    let next = Next::Reopen;
                    return (!mutant!("endure_a_silent_tail")).then_some(Request { next, head });
                }
            }
        }
    }
}
