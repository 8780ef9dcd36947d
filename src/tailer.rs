//! Hydrates the replica, then follows the log; decides what each failure costs.
//!
//! It never touches the published view itself, and never gives up on a log that may come back.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use globe_log_client::{Error, ErrorKind, LogClient, Position, Record, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::applier::{Applier, Refusal};
use crate::backoff::Backoff;
use crate::change::ResyncReason;
use crate::key::Key;
use crate::outage::Outage;
use crate::replica::Replica;

/// Pages of a snapshot that may wait to be taken in while the next one is fetched.
const PAGES_AHEAD: usize = 2;

/// A tail that lived this long, or delivered something, ends an outage: one that breaks as soon as it is opened does not.
const SETTLED: Duration = Duration::from_secs(1);

/// The task that keeps one replica current.
pub(crate) struct Tailer<K, V> {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) applier: Applier<K, V>,
    /// Requests of the prober, which sees what a silent tail cannot.
    pub(crate) requests: mpsc::Receiver<Next>,
    pub(crate) backoff: Backoff,
    pub(crate) outage: Outage,
}

/// What is to be done after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Open another tail where this one ended.
    Reopen,
    /// Take the snapshot again.
    Resync(ResyncReason),
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

/// What the fetching of a snapshot passes on: a page, or `None` after the last one.
type Page = Result<Option<Vec<Record>>>;

/// The next page that was fetched. Pages that stop without an end are no snapshot: its missing keys would look deleted.
async fn next_page(pages: &mut mpsc::Receiver<Page>) -> Page {
    let broken = || Error::new(ErrorKind::Unavailable, "the snapshot broke off");
    pages.recv().await.unwrap_or_else(|| Err(broken()))
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
    /// Runs until the map is strict and cannot decode a record, or a first attempt is denied. Ended by dropping it.
    pub(crate) async fn run(mut self) {
        let mut reason = ResyncReason::Hydration;
        loop {
            reason = match self.hydrate(reason).await {
                Ok(()) => match self.follow().await {
                    Ok(reason) => reason,
                    Err(end) => return self.end(end),
                },
                Err(Break::Refused(Refusal::Undecodable(end))) => return self.end(end),
                Err(Break::Log(error)) if self.is_hopeless(&error) => return self.end(error),
                Err(why) => {
                    self.pause(&why).await;
                    reason
                }
            };
        }
    }

    /// Takes the snapshot, and installs it when all of it is there.
    async fn hydrate(&mut self, reason: ResyncReason) -> Result<(), Break> {
        let asked = Instant::now();
        let (position, mut pages, _fetching) = self.fetch().await.map_err(Break::Log)?;
        let goes_back = self.goes_back(position).await.map_err(Break::Log)?;
        if goes_back {
            self.violated("progress was claimed beyond what is in the log");
        }
        let mut install = self
            .applier
            .begin(position, reason, goes_back)
            .map_err(Break::Refused)?;
        while let Some(page) = next_page(&mut pages).await.map_err(Break::Log)? {
            self.applier
                .page(&mut install, page)
                .map_err(Break::Refused)?;
            if mutant!("install_half_a_snapshot") {
                break;
            }
            tokio::task::yield_now().await;
        }
        let missed = self.applier.finish(install);
        self.replica().health().prove(asked);
        self.recovered();
        // What made this snapshot necessary was counted when it was found.
        if let (Some(missed), true) = (missed, reason != ResyncReason::Violation) {
            self.violated(&missed);
        }
        tracing::debug!(revision = %position.revision, ?reason, "snapshot installed");
        Ok(())
    }

    /// Whether a snapshot leads back, because what was applied is not in the log: progress was claimed that never was.
    /// A snapshot alone does not show that, for it may be a stale one: the log's head has to say so as well.
    async fn goes_back(&self, position: Position) -> Result<bool> {
        if !self.applier.is_past(position) {
            return Ok(false);
        }
        let head = self.log.head(self.replica().keyspace()).await?;
        Ok(self.applier.is_past(head))
    }

    /// Fetches a snapshot beside the taking in of its pages.
    async fn fetch(&self) -> Result<(Position, mpsc::Receiver<Page>, JoinSet<()>)> {
        let mut snapshot = self.log.snapshot(self.replica().keyspace()).await?;
        let position = snapshot.position();
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        let mut fetching = JoinSet::new();
        fetching.spawn(async move {
            loop {
                let page = snapshot.next_page().await;
                let is_last = !matches!(page, Ok(Some(_)));
                if sender.send(page).await.is_err() || is_last {
                    return;
                }
            }
        });
        Ok((position, pages, fetching))
    }

    /// Follows the tail, opening another whenever one breaks, until a snapshot is needed (and says why) or the map ends.
    async fn follow(&mut self) -> Result<ResyncReason> {
        loop {
            let why = self.follow_one().await;
            let next = match &why {
                Break::Log(error) => verdict(error.kind()),
                Break::Asked(next) => next.clone(),
                Break::Refused(Refusal::Undecodable(end)) => return Err(end.clone()),
                Break::Refused(Refusal::Violation(_)) => Next::Resync(ResyncReason::Violation),
            };
            self.replica().health().reopened();
            self.pause(&why).await;
            if let Next::Resync(reason) = next {
                return Ok(reason);
            }
        }
    }

    /// Opens one tail and applies what comes, until it breaks or another one is asked for.
    async fn follow_one(&mut self) -> Break {
        while self.requests.try_recv().is_ok() {
            // Asked of a tail that is gone.
        }
        let _ = self.replica().doubted().now_or_never();
        let mut after = self.replica().state().position;
        after.revision.0 += u64::from(mutant!("resume_one_too_far"));
        let mut tail = match self.log.tail(self.replica().keyspace(), after).await {
            Ok(tail) => tail,
            Err(error) => return Break::Log(error),
        };
        self.applier.follow(self.log.capabilities().every_commit);
        let replica = Arc::clone(self.replica());
        let settled = tokio::time::sleep(SETTLED);
        tokio::pin!(settled);
        loop {
            let batch = tokio::select! {
                // In this order every time, so that a run on a paused clock can be repeated.
                biased;
                Some(next) = self.requests.recv() => return Break::Asked(next),
                () = replica.doubted() => return Break::Refused(disproved()),
                batch = tail.next() => batch,
                () = &mut settled, if !settled.is_elapsed() => {
                    self.recovered();
                    continue;
                }
            };
            let applied = match batch {
                Ok(batch) => self.applier.apply(batch),
                Err(error) => return Break::Log(error),
            };
            if let Err(refusal) = applied {
                return Break::Refused(refusal);
            }
            self.recovered();
            if mutant!("take_progress_for_proof") {
                self.replica().health().prove(Instant::now());
            }
            // A tail that always has more would otherwise never give others their turn.
            tokio::task::consume_budget().await;
        }
    }

    fn replica(&self) -> &Arc<Replica<K, V>> {
        self.applier.replica()
    }

    /// Whether a person has to mend something before a map that never was hydrated can be.
    fn is_hopeless(&self, error: &Error) -> bool {
        let is_permanent = matches!(
            error.kind(),
            ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unsupported
        );
        is_permanent && self.replica().position().is_none()
    }

    /// Waits before the next attempt: longer each time, and not at all after a request of the prober.
    async fn pause(&mut self, why: &Break) {
        let keyspace = self.replica().keyspace().clone();
        match why {
            Break::Log(error) => {
                self.outage.attempt(error);
                self.replica().health().failed(error);
            }
            Break::Refused(Refusal::Violation(what)) => {
                self.violated(what);
            }
            Break::Refused(Refusal::Undecodable(_)) => {}
            Break::Asked(next) => {
                tracing::debug!(%keyspace, ?next, "the tail is replaced");
                return;
            }
        }
        tokio::time::sleep(self.backoff.next()).await;
    }

    /// Counts a violation, and tells of the first.
    fn violated(&self, what: &str) {
        let replica = self.replica();
        if replica.health().violated() {
            let keyspace = replica.keyspace();
            tracing::warn!(%keyspace, what, "the log broke its contract; healing by a resync");
        }
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        self.outage.ends();
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
