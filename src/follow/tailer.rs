//! Hydrates the replica, then follows the log; decides what each failure costs.
//!
//! It never touches the published view itself, and never gives up on a log that may come back.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use globe_log_client::{Error, ErrorKind, LogClient, Position, Result, Tail};
use globe_offline::Offline;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::entry::change::ResyncReason;
use crate::entry::key::Key;
use crate::follow::age::{Age, Grown, SETTLED};
use crate::follow::applier::Applier;
use crate::follow::door::Refusal;
use crate::follow::fetching::{Fetching, answer, tail_ahead};
use crate::follow::installation::Installation;
use crate::follow::kept::Kept;
use crate::follow::pauses::Pauses;
use crate::follow::verdict::{Break, Next, Request, verdict};
use crate::follow::witness::Witnesses;
use crate::replica::Replica;

/// The task that keeps one replica current.
pub(crate) struct Tailer<K, V> {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) applier: Applier<K, V>,
    /// Requests of the prober, which sees what a silent tail cannot.
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) pauses: Pauses,
    /// The log forgets faster than this map is hydrated: read first, and decode afterwards.
    pub(crate) in_haste: bool,
    /// Where a copy may be kept that this map may begin with.
    pub(crate) offline: Option<Offline>,
    /// The copy, if it is not shown, or not followed.
    pub(crate) kept: Option<Kept>,
    /// What is known of the copy that is shown, until the log is known to be the one of it.
    pub(crate) unproved: Option<Witnesses>,
    /// Only reading all of it will do.
    pub(crate) by_snapshot: bool,
}

/// What it means that somebody doubts the replica.
fn disproved() -> Refusal {
    let why = "an answer to a write shows that something was never delivered";
    Refusal::Violation(why.to_owned())
}

impl<K: Key, V: Send + Sync + 'static> Tailer<K, V> {
    /// Runs until the map is strict and cannot decode a record. Ended by dropping it.
    pub(crate) async fn run(mut self) {
        let mut reason = ResyncReason::Hydration;
        let mut can_follow = self.begin_with_copy().await;
        loop {
            self.applier.let_go_if_due().await;
            let hydrated = match std::mem::take(&mut can_follow) {
                true => Ok(None),
                false => self.hydrate(reason).await,
            };
            reason = match hydrated {
                Ok(tail) => match self.follow(tail).await {
                    Ok(reason) => reason,
                    Err(end) => return self.replica().fail(end),
                },
                Err(why) => {
                    if let Err(end) = verdict(&why) {
                        return self.replica().fail(end);
                    }
                    self.note(&why);
                    sleep(self.pauses.after_a_failed_snapshot()).await;
                    reason
                }
            };
        }
    }

    /// Takes the snapshot, and installs it when all of it is there. Returns the tail after it, if that is open already.
    async fn hydrate(&mut self, reason: ResyncReason) -> Result<Option<Tail>, Break> {
        let asked = Instant::now();
        // What is doubted later, this snapshot may not show.
        let doubts = self.replica().doubts();
        let (mut fetching, tail) = self.fetch(reason).await.map_err(Break::Log)?;
        let mut install = self.begin(&fetching, reason).await?;
        self.take_in(&mut install, &mut fetching).await?;
        if install.lacks_the_rest() {
            return Err(Break::Asked(Next::Resync(reason)));
        }
        let settled = self.applier.settle_rivals(&mut install).await;
        settled.map_err(Break::Refused)?;
        self.applier.recall_lost(&*self.log, &mut install).await;
        self.show(install, asked).await;
        (self.by_snapshot, self.unproved) = (false, None);
        if self.applier.settle(doubts) {
            self.replica().prove(asked);
        }
        tracing::debug!(revision = %fetching.position.revision, ?reason, "snapshot installed");
        Ok(tail)
    }

    /// Begins to read a snapshot. In haste all of it is read here, and the tail after it opened first.
    async fn fetch(&mut self, reason: ResyncReason) -> Result<(Fetching, Option<Tail>)> {
        let mut fetching = self.begin_fetching(reason).await?;
        self.replica().health().admitted();
        if !self.in_haste {
            return Ok((fetching, None));
        }
        let keyspace = self.replica().keyspace();
        let tail = tail_ahead(&*self.log, keyspace, fetching.position).await?;
        fetching.gather().await;
        Ok((fetching, Some(tail)))
    }

    /// Begins to take a snapshot in, once it is known whether it may lead back.
    async fn begin(
        &self,
        fetching: &Fetching,
        reason: ResyncReason,
    ) -> Result<Installation<K, V>, Break> {
        let position = fetching.position;
        let goes_back = self.goes_back(position).await.map_err(Break::Log)?;
        if goes_back {
            self.replica()
                .health()
                .violated("progress was claimed beyond what is in the log");
        }
        let begun = self.applier.begin(position, reason, goes_back);
        let install = begun.map_err(Break::Refused)?;
        Ok(match fetching.is_difference {
            true => install.of_changes(),
            false => install,
        })
    }

    /// Publishes a snapshot that was asked for at `asked`.
    async fn show(&mut self, install: Installation<K, V>, asked: Instant) {
        let is_resync_of_a_violation = install.reason() == ResyncReason::Violation;
        if self.replica().position().is_none() {
            // Nothing older is shown meanwhile that this could be taken for.
            self.replica().health().prove(asked);
        }
        let missed = self.applier.finish(install).await;
        // What made this snapshot necessary was counted when it was found.
        if let (Some(missed), false) = (missed, is_resync_of_a_violation) {
            self.replica().health().violated(&missed);
        }
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
    async fn follow(&mut self, mut tail: Option<Tail>) -> Result<ResyncReason> {
        let hydrated = Instant::now();
        loop {
            self.applier.let_go_if_due().await;
            let Err(why) = self.follow_one(tail.take()).await;
            self.applier.pause();
            let age = hydrated.elapsed();
            let next = verdict(&why)?;
            self.replica().health().reopened();
            self.note(&why);
            if let Some(pause) = self.pauses.after(&why, next, age) {
                sleep(pause).await;
            }
            if let Next::Resync(reason) = next {
                self.in_haste |= reason == ResyncReason::Compacted && age < SETTLED;
                return Ok(reason);
            }
        }
    }

    /// Opens one tail, unless it is open, and applies what comes, until it breaks or another one is asked for.
    async fn follow_one(&mut self, open: Option<Tail>) -> Result<Infallible, Break> {
        while self.requests.try_recv().is_ok() {
            // Asked of a tail that is gone.
        }
        let tail = match open {
            Some(tail) => tail,
            None => self.open().await.map_err(Break::Log)?,
        };
        self.applier.follow(self.log.capabilities().every_commit);
        self.apply_all(tail).await
    }

    /// Opens a tail after what is applied, shown or not.
    async fn open(&mut self) -> Result<Tail> {
        self.recognize().await?;
        let replica = self.replica();
        let after = self.applier.newest().position;
        answer("a tail", self.log.tail(replica.keyspace(), after)).await
    }

    /// Applies what a tail delivers, until it breaks.
    async fn apply_all(&mut self, mut tail: Tail) -> Result<Infallible, Break> {
        let mut age = Age::begin();
        let replica = Arc::clone(self.replica());
        // Made once, not for every batch. One that has ended doubts no more.
        let mut doubted = pin!(async {
            if replica.doubted().await.is_err() {
                pending::<()>().await;
            }
        });
        loop {
            let batch = tokio::select! {
                // In this order every time, so that a run on a paused clock can be repeated.
                biased;
                Some(request) = self.requests.recv() => return Err(Break::Asked(request.next)),
                // While a step is withheld, nothing is proved by what is shown anyway.
                () = &mut doubted, if !self.applier.is_holding() => return Err(Break::Refused(disproved())),
                () = self.applier.over(), if self.applier.is_holding() => {
                    self.applier.let_go_if_due().await;
                    continue;
                }
                batch = tail.next() => batch.map_err(Break::Log)?,
                grown = age.grown() => {
                    self.grown(grown);
                    continue;
                }
            };
            self.applier.apply(batch).await.map_err(Break::Refused)?;
            self.recovered();
            // A tail that always has more would otherwise never give others their turn.
            tokio::task::consume_budget().await;
        }
    }

    pub(crate) fn replica(&self) -> &Arc<Replica<K, V>> {
        self.applier.replica()
    }

    /// Writes a break down where the map's health is kept, and doubts what is shown if the log broke its contract.
    fn note(&self, why: &Break) {
        let replica = self.replica();
        match why {
            Break::Log(error) => replica.health().broke(error),
            Break::Refused(Refusal::Violation(what)) => {
                let broken = format!("the log broke its contract: {what}");
                replica
                    .health()
                    .failed(&Error::new(ErrorKind::Stale, broken));
                replica.health().violated(what);
                // What is shown until the next snapshot is no proof of anything.
                replica.doubt();
            }
            // It ends the map, which notes it then.
            Break::Refused(Refusal::Undecodable(_)) => {}
            Break::Asked(next) => {
                let keyspace = replica.keyspace();
                tracing::debug!(%keyspace, ?next, "the tail is replaced");
            }
        }
    }

    /// The tail has lived for a while.
    fn grown(&mut self, grown: Grown) {
        match grown {
            Grown::Settled => self.recovered(),
            Grown::Steady => {
                self.in_haste = false;
                self.replica().health().settled();
            }
        }
    }

    /// The log is followed again.
    fn recovered(&mut self) {
        self.pauses.followed();
        self.replica().health().followed();
    }
}
