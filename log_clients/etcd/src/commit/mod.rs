//! Commits: sent once, settled by proof.
//!
//! Never sends a second copy before the first is known to have failed and to be unable to land.

pub(crate) mod combining;
pub(crate) mod fencing;
pub(crate) mod learning;
pub(crate) mod round;
pub(crate) mod settling;
pub(crate) mod txn;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::Txn;
use etcd_client::proto::PbTxnResponse;
use globe_log_client::{
    Conflict, Epoch, Error, ErrorKind, Keyspace, Position, Result, Revision, Transaction,
};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::commit::round::{Attempt, Round, pause};
use crate::fault::{Class, Fault};
use crate::fence::writer::Held;
use crate::life::{Judgement, Known, Signs, judge};
use crate::members::call::Repeat;
use crate::queue::group;
use crate::read::reading::ranges_of;

/// The most that is left of a caller's time limit for the answer to reach it.
const MARGIN: Duration = Duration::from_millis(50);

impl Cluster {
    /// Checks a transaction, carries it out, and has the tails of its keyspaces reach it: who has just written waits to
    /// see it.
    pub(crate) async fn commit(self: &Arc<Self>, transaction: Transaction) -> Result<Position> {
        transaction.check(&self.capabilities())?;
        let deadline = self.deadline_of(&transaction);
        let keyspaces = transaction.writes().iter().map(|write| &write.0);
        let mut keyspaces = keyspaces.chain(
            transaction
                .preconditions()
                .iter()
                .map(|condition| &condition.0),
        );
        let Some(keyspace) = keyspaces.next() else {
            return self.nothing(deadline).await;
        };
        let position = if transaction.writes().is_empty() {
            self.check_only(&transaction, keyspace, deadline).await?
        } else if group::is_plain(&transaction) && !self.fence.is_forbidden() {
            // Without a fence it would have to be settled by its guard alone, which others' would spoil.
            self.combined(&transaction, keyspace, deadline).await?
        } else {
            self.write(&transaction, keyspace, deadline).await?
        };
        for (keyspace, _, _) in transaction.writes() {
            self.aim(keyspace, position);
        }
        Ok(position)
    }

    /// Until when there must be an answer: so long before its caller's patience ends that the caller hears it.
    fn deadline_of(&self, transaction: &Transaction) -> Instant {
        let own = self.endpoints.settings.deadline;
        let given = transaction.timeout();
        let given = given.map(|timeout| timeout - margin(timeout));
        Instant::now() + given.map_or(own, |given| given.min(own))
    }

    fn aim(&self, keyspace: &Keyspace, position: Position) {
        self.life.aim(keyspace, position);
    }

    /// An empty transaction: the present position, of a keyspace that need not exist.
    async fn nothing(&self, deadline: Instant) -> Result<Position> {
        let keyspace = Keyspace::new("globe")?;
        let known = self.known(&keyspace, deadline).await?;
        self.close(known.epoch, deadline).await?;
        self.now(&keyspace, deadline)
            .await
            .map_err(Fault::into_error)
    }

    /// Nothing is acknowledged before what was left open is closed.
    async fn close(&self, epoch: Epoch, deadline: Instant) -> Result<()> {
        match self.fence.close(self, epoch, deadline).await {
            // Without the right to its own records there is no fence any more.
            Err(fault) if fault.class == Class::Denied => Ok(()),
            closed => closed.map_err(unprepared),
        }
    }

    /// The life of the log; asks for it if this client has not seen any yet.
    async fn known(&self, keyspace: &Keyspace, deadline: Instant) -> Result<Known> {
        loop {
            if let Some(known) = self.life.known() {
                return Ok(known);
            }
            self.now(keyspace, deadline)
                .await
                .map_err(Fault::into_error)?;
        }
    }

    /// Preconditions without writes: a read, which needs no fence and may be repeated. It is acknowledged, so what was
    /// left open is closed before it as before any commit.
    async fn check_only(
        &self,
        transaction: &Transaction,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Result<Position> {
        let known = self.known(keyspace, deadline).await?;
        check_life(transaction, &known)?;
        self.close(known.epoch, deadline).await?;
        let check = self.compose(transaction, None, &[])?;
        let answer = match self.send(Repeat::Harmless, check, deadline).await {
            Ok(answer) => answer,
            Err(fault) => return Err(self.refusal(transaction, fault, deadline).await),
        };
        let position = self.position_of(&known, &answer, keyspace, deadline).await;
        let position = position.map_err(Fault::into_error)?;
        if answer.succeeded {
            return Ok(position);
        }
        let failed = txn::failed(transaction, &ranges_of(answer));
        Err(Error::conflict(Conflict::new(position, failed)))
    }

    /// Tries until it is done, refused, or time is up. Each round begins with nothing written.
    async fn write(
        &self,
        transaction: &Transaction,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Result<Position> {
        let mut failures = 0;
        loop {
            let known = self.known(keyspace, deadline).await?;
            check_life(transaction, &known)?;
            let epoch = known.epoch;
            let round = Round {
                cluster: self,
                transaction,
                keyspace,
                known,
                deadline,
            };
            let taken = self.fence.take(self, epoch, deadline).await;
            if self.fence.take_epoch_check() {
                round
                    .look_again()
                    .await
                    .inspect_err(|_| self.fence.require_epoch_check())?;
                // Each time it comes here something that was left open is closed for good.
                continue;
            }
            let attempt = match taken {
                Ok(Some(held)) => round.fenced(held, pending()).await?,
                Ok(None) => round.unfenced().await?,
                Err(fault) if fault.class == Class::Full && txn::only_deletes(transaction) => {
                    round.unfenced().await?
                }
                Err(fault) if fault.class == Class::Denied => Attempt::Unfenced(fault),
                Err(fault) => return Err(unprepared(fault)),
            };
            let attempt = match attempt {
                Attempt::Unfenced(refusal) => round.without_fence(refusal).await?,
                attempt => attempt,
            };
            match attempt {
                Attempt::Done(position) => return Ok(position),
                Attempt::Unfenced(fault) | Attempt::Again(fault) => {
                    failures += 1;
                    pause(failures, deadline).await;
                    if Instant::now() >= deadline {
                        return Err(fault.into_error());
                    }
                }
            }
        }
    }

    /// The transaction as it is sent: where everything holds the writes, else a look at what stands in the way. The
    /// slot comes last in each part, so that it is found again in the answer.
    pub(crate) fn compose(
        &self,
        transaction: &Transaction,
        held: Option<&Held>,
        tag: &[u8],
    ) -> Result<Txn> {
        let mut compares = txn::compares(&self.keys, transaction)?;
        let mut writes = txn::writes(&self.keys, transaction)?;
        let mut standing = txn::look(&self.keys, transaction);
        if let Some(held) = held {
            compares.push(held.compare());
            writes.push(held.put(tag));
            standing.push(held.get());
        }
        Ok(Txn::new().when(compares).and_then(writes).or_else(standing))
    }

    /// The position of an answer to a request that was sent when `known` was known. None, rather than one of a life that the
    /// answer is not of, when it shows another and nobody says in time which that is.
    pub(crate) async fn position_of(
        &self,
        known: &Known,
        answer: &PbTxnResponse,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Result<Position, Fault> {
        let signs = Signs::of(answer.header.as_ref());
        let revision = Revision(signs.revision);
        let is_same = judge(Some(known), &signs) == Judgement::Same;
        if is_same && self.life.raise(known.epoch, &signs) {
            return Ok(Position::new(known.epoch, revision));
        }
        // Another life: a read names it.
        let now = self.now(keyspace, deadline);
        let now = now.await.map_err(Fault::never_sent);
        Ok(Position::new(now?.epoch, revision))
    }
}

/// The life a transaction speaks of, if of any, is the known one.
fn check_life(transaction: &Transaction, known: &Known) -> Result<()> {
    if transaction.epoch().is_none_or(|epoch| epoch == known.epoch) {
        return Ok(());
    }
    let text = "the transaction speaks of another life of the log: nothing was written";
    Err(Error::new(ErrorKind::EpochChanged, text))
}

/// The part of a time limit that is left for the answer to reach whoever set it.
fn margin(limit: Duration) -> Duration {
    (limit / 8).min(MARGIN)
}

/// The commit itself was given to nobody.
fn unprepared(fault: Fault) -> Error {
    fault.into_error().while_doing("preparing a commit")
}
