//! Hydrates the replica, then follows the log; decides what each failure costs.
//!
//! It never touches the published view itself, and never gives up on a log that may come back.

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, LogClient, Position, Result, Tail};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::entry::change::ResyncReason;
use crate::entry::key::Key;
use crate::follow::applier::Applier;
use crate::follow::door::Refusal;
use crate::follow::hydration::{Fetching, answer, tail_ahead};
use crate::follow::installation::Installation;
use crate::follow::outage::Outage;
use crate::ground::backoff::Backoff;
use crate::replica::Replica;

/// A tail that lived this long, or delivered something, ends an outage: one that breaks as soon as it is opened does not.
const SETTLED: Duration = Duration::from_secs(1);

/// A tail that lived this long was no mere interlude between two snapshots: the next one is taken without a long pause.
const STEADY: Duration = Duration::from_secs(5);

/// The task that keeps one replica current.
pub(crate) struct Tailer<K, V> {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) applier: Applier<K, V>,
    /// Requests of the prober, which sees what a silent tail cannot.
    pub(crate) requests: mpsc::Receiver<Request>,
    /// Pauses before another tail is opened.
    pub(crate) backoff: Backoff,
    /// Pauses before another snapshot is taken.
    pub(crate) resyncs: Backoff,
    pub(crate) outage: Outage,
    /// The log forgets faster than this map is hydrated: read first, and decode afterwards.
    pub(crate) in_haste: bool,
}

/// What is to be done after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Open another tail where this one ended.
    Reopen,
    /// Take the snapshot again.
    Resync(ResyncReason),
}

/// What the prober asks for, and what the log said that made it ask.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) next: Next,
    pub(crate) head: Position,
}

/// What a failure of the log costs. Only lost history, or another one, costs a snapshot.
pub(crate) fn verdict(kind: &ErrorKind) -> Next {
    match kind {
        ErrorKind::Compacted if mutant!("reopen_what_is_compacted") => Next::Reopen,
        ErrorKind::EpochChanged if mutant!("reopen_another_life") => Next::Reopen,
        ErrorKind::Compacted => Next::Resync(ResyncReason::Compacted),
        ErrorKind::EpochChanged => Next::Resync(ResyncReason::EpochChanged),
        // Everything else may pass: even a denied permission or an expired certificate can be put right while we wait,
        // and serving the last state meanwhile harms nobody.
        _ => Next::Reopen,
    }
}

/// What it means that somebody doubts the replica.
fn disproved() -> Refusal {
    let why = "an answer to a write shows that something was never delivered";
    Refusal::Violation(why.to_owned())
}

/// Why following ended.
enum Break {
    Log(Error),
    Refused(Refusal),
    Asked(Next),
}

impl<K: Key, V: Send + Sync + 'static> Tailer<K, V> {
    /// Runs until the map is strict and cannot decode a record. Ended by dropping it.
    pub(crate) async fn run(mut self) {
        let mut reason = ResyncReason::Hydration;
        loop {
            reason = match self.hydrate(reason).await {
                Ok(tail) => match self.follow(tail).await {
                    Ok(reason) => reason,
                    Err(end) => return self.end(end),
                },
                Err(Break::Refused(Refusal::Undecodable(end))) => return self.end(end),
                Err(why) => {
                    self.note(&why);
                    sleep(self.backoff.next()).await;
                    reason
                }
            };
        }
    }

    /// Takes the snapshot, and installs it when all of it is there. Returns the tail after it, if that is open already.
    async fn hydrate(&mut self, reason: ResyncReason) -> Result<Option<Tail>, Break> {
        let asked = Instant::now();
        // What is doubted later, this snapshot may not show.
        let doubts = self.replica().doubt().count();
        let keyspace = self.replica().keyspace().clone();
        let in_haste = self.in_haste && !mutant!("hydrate_at_leisure");
        let fetching = Fetching::begin(&*self.log, &keyspace).await;
        let mut fetching = fetching.map_err(Break::Log)?;
        let position = fetching.position;
        self.replica().health().admitted();
        let mut tail = None;
        if in_haste {
            let ahead = tail_ahead(&*self.log, &keyspace, position).await;
            tail = Some(ahead.map_err(Break::Log)?);
            fetching.gather().await;
        }
        let goes_back = self.goes_back(position).await.map_err(Break::Log)?;
        if goes_back {
            self.violated("progress was claimed beyond what is in the log");
        }
        let mut install = self
            .applier
            .begin(position, reason, goes_back)
            .map_err(Break::Refused)?;
        self.take_in(&mut install, &mut fetching).await?;
        self.applier.recall_lost(&*self.log, &mut install).await;
        let is_first = self.replica().position().is_none();
        if is_first {
            // Nothing older is shown meanwhile that this could be taken for.
            self.replica().health().prove(asked);
        }
        let missed = self.applier.finish(install).await;
        self.replica().settle(doubts);
        self.replica().prove(asked);
        // What made this snapshot necessary was counted when it was found.
        if let (Some(missed), true) = (missed, reason != ResyncReason::Violation) {
            self.violated(&missed);
        }
        tracing::debug!(revision = %position.revision, ?reason, "snapshot installed");
        Ok(tail)
    }

    async fn take_in(
        &mut self,
        install: &mut Installation<K, V>,
        fetching: &mut Fetching,
    ) -> Result<(), Break> {
        loop {
            let page = tokio::select! {
                biased;
                page = fetching.next_page() => page,
                // The log is in another life than the snapshot already.
                Some(request) = self.requests.recv() => match request {
                    Request { next: next @ Next::Resync(_), head } if head.epoch != install.position().epoch => {
                        return Err(Break::Asked(next));
                    }
                    _ => continue,
                },
            };
            let page = page.inspect_err(|error| {
                self.in_haste |= *error.kind() == ErrorKind::Compacted;
            });
            let Some(page) = page.map_err(Break::Log)? else {
                return Ok(());
            };
            self.applier
                .page(install, page)
                .await
                .map_err(Break::Refused)?;
            if mutant!("install_half_a_snapshot") {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Whether a snapshot leads back, because what was applied is not in the log: progress was claimed that never was.
    /// A snapshot alone does not show that, for it may be a stale one: the log's head has to say so as well.
    async fn goes_back(&self, position: Position) -> Result<bool> {
        if !self.applier.is_past(position) {
            return Ok(false);
        }
        let head = answer("the head", self.log.head(self.replica().keyspace())).await?;
        Ok(self.applier.is_past(head))
    }

    /// Follows the tail, opening another whenever one breaks, until a snapshot is needed (and says why) or the map ends.
    async fn follow(&mut self, mut tail: Option<Tail>) -> Result<ResyncReason, Error> {
        let hydrated = Instant::now();
        loop {
            let why = self.follow_one(tail.take()).await;
            let next = match &why {
                Break::Log(error) => verdict(error.kind()),
                Break::Asked(next) => next.clone(),
                Break::Refused(Refusal::Undecodable(end)) => return Err(end.clone()),
                Break::Refused(Refusal::Violation(_)) => Next::Resync(ResyncReason::Violation),
            };
            self.replica().health().reopened();
            self.note(&why);
            match next {
                Next::Reopen => self.pause(&why).await,
                Next::Resync(reason) => {
                    self.in_haste |=
                        reason == ResyncReason::Compacted && hydrated.elapsed() < SETTLED;
                    self.pause_before_a_snapshot(&why, hydrated).await;
                    return Ok(reason);
                }
            }
        }
    }

    /// Opens one tail and applies what comes, until it breaks or another one is asked for.
    async fn follow_one(&mut self, open: Option<Tail>) -> Break {
        while self.requests.try_recv().is_ok() {
            // Asked of a tail that is gone.
        }
        let replica = Arc::clone(self.replica());
        if mutant!("forget_doubts") {
            replica.settle(replica.doubt().count());
        }
        let mut after = replica.state().position;
        after.revision.0 += u64::from(mutant!("resume_one_too_far"));
        let opened = match open {
            Some(tail) => Ok(tail),
            None => answer("a tail", self.log.tail(replica.keyspace(), after)).await,
        };
        let mut tail = match opened {
            Ok(tail) => tail,
            Err(error) => return Break::Log(error),
        };
        self.applier.follow(self.log.capabilities().every_commit);
        let opened = Instant::now();
        let (settled, steady) = (sleep_until(opened + SETTLED), sleep_until(opened + STEADY));
        tokio::pin!(settled, steady);
        loop {
            let batch = tokio::select! {
                // In this order every time, so that a run on a paused clock can be repeated.
                biased;
                Some(request) = self.requests.recv() => return Break::Asked(request.next),
                () = replica.doubt().raised() => return Break::Refused(disproved()),
                batch = tail.next() => batch,
                () = &mut settled, if !settled.is_elapsed() => {
                    self.recovered();
                    continue;
                }
                () = &mut steady, if !steady.is_elapsed() => {
                    self.steadied();
                    continue;
                }
            };
            let applied = match batch {
                Ok(batch) => self.applier.apply(batch).await,
                Err(error) => return Break::Log(error),
            };
            if let Err(refusal) = applied {
                return Break::Refused(refusal);
            }
            self.recovered();
            if mutant!("take_progress_for_proof") {
                replica.health().prove(Instant::now());
            }
            // A tail that always has more would otherwise never give others their turn.
            tokio::task::consume_budget().await;
        }
    }

    fn replica(&self) -> &Arc<Replica<K, V>> {
        self.applier.replica()
    }

    /// Tells of a failure, once for each outage.
    fn note(&mut self, why: &Break) {
        let replica = Arc::clone(self.replica());
        match why {
            Break::Log(error) => {
                self.outage.attempt(error);
                replica.health().failed(error);
            }
            Break::Refused(Refusal::Violation(what)) => {
                let broken = format!("the log broke its contract: {what}");
                replica
                    .health()
                    .failed(&Error::new(ErrorKind::Stale, broken));
                // What is shown until the next snapshot is no proof of anything.
                replica.doubt().raise();
                self.violated(what);
            }
            Break::Refused(Refusal::Undecodable(_)) => {}
            Break::Asked(next) => {
                let keyspace = replica.keyspace();
                tracing::debug!(%keyspace, ?next, "the tail is replaced");
            }
        }
    }

    /// Waits before another tail is opened: longer each time, and not at all after a request of the prober.
    async fn pause(&mut self, why: &Break) {
        if !matches!(why, Break::Asked(_)) {
            sleep(self.backoff.next()).await;
        }
    }

    /// Waits before another snapshot is taken: longer each time, unless the last one was of use for a while.
    async fn pause_before_a_snapshot(&mut self, why: &Break, hydrated: Instant) {
        if hydrated.elapsed() >= STEADY || mutant!("resync_without_a_pause") {
            self.resyncs.reset();
        }
        if !matches!(why, Break::Asked(_)) {
            sleep(self.resyncs.next()).await;
        }
    }

    /// Counts a violation, and tells of the first.
    fn violated(&self, what: &str) {
        let replica = self.replica();
        if replica.health().violated() {
            let keyspace = replica.keyspace();
            tracing::warn!(%keyspace, what, "the log broke its contract; healing by a resync");
        }
    }

    /// The log is followed again.
    fn recovered(&mut self) {
        self.backoff.reset();
        self.outage.ends();
    }

    /// It has been for a while.
    fn steadied(&mut self) {
        self.in_haste = false;
        self.replica().health().settled();
    }

    fn end(&self, why: Error) {
        let keyspace = self.replica().keyspace();
        tracing::error!(%keyspace, error = %why, "the map ends: this needs a person");
        self.replica().health().failed(&why);
        self.replica().end(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lost_history_costs_a_snapshot() {
        let table = [
            (ErrorKind::Unavailable, Next::Reopen),
            (ErrorKind::Denied, Next::Reopen),
            (ErrorKind::Stale, Next::Reopen),
            (ErrorKind::Compacted, Next::Resync(ResyncReason::Compacted)),
            (
                ErrorKind::EpochChanged,
                Next::Resync(ResyncReason::EpochChanged),
            ),
        ];
        for (kind, next) in table {
            assert_eq!(verdict(&kind), next, "{kind:?}");
        }
    }
}
