//! Commits: sent once, settled by proof.
//!
//! Never sends a second copy before the first is known to have failed and to be unable to land.

use std::time::Duration;

use etcd_client::Txn;
use etcd_client::proto::PbTxnResponse;
use globe_log_client::{
    Capabilities, Conflict, Epoch, Error, ErrorKind, Keyspace, Position, Result, Revision,
    Transaction,
};
use tokio::time::Instant;

use crate::call::Repeat;
use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::lease::MAX_TTL;
use crate::life::{Judgement, Known, Signs, judge};
use crate::outcome;
use crate::reading::ranges_of;
use crate::records::revision;
use crate::settling::Settled;
use crate::witness::Witness;
use crate::writer::Held;

/// One of etcd's 128 operations is the fence's.
const MAX_OPERATIONS: usize = 127;

/// etcd takes requests of 1.5 MiB. A quarter of a megabyte is left for what is sent twice (preconditioned keys are also
/// read), for the namespace, and for the encoding.
const MAX_TRANSACTION_BYTES: usize = 1_310_720;

/// The most that is left of a caller's time limit for the answer to reach it.
const MARGIN: Duration = Duration::from_millis(50);

/// What came of one attempt.
enum Attempt {
    Done(Position),
    /// Nothing was written, and it may be tried again.
    Again(Fault),
    /// Nothing was written, because the fence could not be: try without.
    Unfenced(Fault),
}

impl Cluster {
    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::full("etcd");
        capabilities.max_operations = MAX_OPERATIONS;
        capabilities.max_transaction_bytes = MAX_TRANSACTION_BYTES;
        capabilities.max_ttl = MAX_TTL;
        capabilities.fenced = !self.fence.is_forbidden();
        capabilities
    }

    pub(crate) async fn commit(&self, transaction: Transaction) -> Result<Position> {
        transaction.check(&self.capabilities())?;
        let deadline = self.deadline_of(&transaction);
        let keyspaces = transaction.writes.iter().map(|write| &write.0);
        let mut keyspaces = keyspaces.chain(
            transaction
                .preconditions
                .iter()
                .map(|condition| &condition.0),
        );
        let Some(keyspace) = keyspaces.next() else {
            return self.nothing(deadline).await;
        };
        let position = if transaction.writes.is_empty() {
            self.check_only(&transaction, keyspace, deadline).await?
        } else {
            self.write(&transaction, keyspace, deadline).await?
        };
        for (keyspace, _, _) in &transaction.writes {
            self.aim(keyspace, position);
        }
        Ok(position)
    }

    /// Until when there must be an answer: so long before its caller's patience ends that the caller hears it.
    fn deadline_of(&self, transaction: &Transaction) -> Instant {
        let own = self.endpoints.settings.deadline;
        let given = transaction
            .timeout
            .filter(|_| !mutant!("wait_as_long_as_ever"));
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
        if mutant!("acknowledge_a_check_at_once") {
            return Ok(());
        }
        match self.fence.close(self, epoch, deadline).await {
            // Without the right to its own records there is no fence any more.
            Err(fault) if fault.class == Class::Denied => Ok(()),
            closed => closed.map_err(unprepared),
        }
    }

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

    async fn check_only(
        &self,
        transaction: &Transaction,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Result<Position> {
        let known = self.known(keyspace, deadline).await?;
        check_life(transaction, &known)?;
        self.close(known.epoch, deadline).await?;
        let check = self.compose(transaction, None, &[]);
        let answer = self
            .send(Repeat::Harmless, check, deadline)
            .await
            .map_err(Fault::into_error)?;
        let position = self.position_of(&known, &answer, keyspace, deadline).await;
        if answer.succeeded {
            return Ok(position);
        }
        let failed = outcome::failed(transaction, &ranges_of(answer));
        Err(Error::conflict(Conflict { position, failed }))
    }

    /// Tries until it is done, refused, or time is up. Each round begins with nothing written.
    async fn write(
        &self,
        transaction: &Transaction,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Result<Position> {
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
            if self.fence.take_doubt() {
                round
                    .look_again()
                    .await
                    .inspect_err(|_| self.fence.doubt())?;
                continue;
            }
            let attempt = match taken {
                Ok(Some(held)) => round.fenced(held).await?,
                Ok(None) => return round.unfenced().await,
                Err(fault) if fault.class == Class::Full && outcome::only_deletes(transaction) => {
                    return round.unfenced().await;
                }
                Err(fault) if fault.class == Class::Denied => Attempt::Unfenced(fault),
                Err(fault) => return Err(unprepared(fault)),
            };
            match attempt {
                Attempt::Done(position) => return Ok(position),
                Attempt::Unfenced(refusal) => return round.without_fence(refusal).await,
                Attempt::Again(fault) if Instant::now() >= deadline => {
                    return Err(fault.into_error());
                }
                Attempt::Again(_) => {}
            }
        }
    }

    fn compose(&self, transaction: &Transaction, held: Option<&Held>, tag: &[u8]) -> Txn {
        let mut compares = outcome::compares(&self.keys, transaction);
        let mut writes = outcome::writes(&self.keys, transaction);
        let mut standing = outcome::look(&self.keys, transaction);
        if let Some(held) = held {
            compares.push(held.compare());
            writes.push(held.put(tag));
            standing.push(held.get());
        }
        Txn::new().when(compares).and_then(writes).or_else(standing)
    }

    /// The position of an answer to a request that was sent when `known` was known.
    async fn position_of(
        &self,
        known: &Known,
        answer: &PbTxnResponse,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Position {
        let signs = Signs::of(answer.header.as_ref());
        let revision = Revision(signs.revision);
        let is_same = judge(Some(known), &signs) == Judgement::Same;
        if is_same && self.life.raise(known.epoch, &signs) {
            return Position::new(known.epoch, revision);
        }
        // Another life: a read names it.
        let now = self.now(keyspace, deadline).await;
        let epoch = now.map_or(known.epoch, |now| now.epoch);
        Position::new(epoch, revision)
    }
}

/// One round of a commit.
struct Round<'a> {
    cluster: &'a Cluster,
    transaction: &'a Transaction,
    keyspace: &'a Keyspace,
    known: Known,
    deadline: Instant,
}

impl Round<'_> {
    /// Sends it with a fence.
    async fn fenced(&self, mut held: Held) -> Result<Attempt> {
        let cluster = self.cluster;
        let tag = held.tag();
        let transaction = cluster.compose(self.transaction, Some(&held), &tag);
        held.is_unsure();
        match cluster
            .send(Repeat::Never, transaction, self.deadline)
            .await
        {
            Ok(answer) if answer.succeeded => {
                let position = self.position_of(&answer).await;
                held.is_at(position.revision.0);
                self.witness(&held, position);
                Ok(Attempt::Done(position))
            }
            Ok(answer) => self.refused(held, answer).await,
            Err(fault) => self.survive(held, &tag, fault).await,
        }
    }

    /// A comparison failed: the fence's, or a precondition.
    async fn refused(&self, mut held: Held, answer: PbTxnResponse) -> Result<Attempt> {
        let position = self.position_of(&answer).await;
        let mut standing = ranges_of(answer);
        let slot = standing.pop().and_then(|slot| slot.kvs.into_iter().next());
        let slot_revision = slot.map_or(0, |slot| revision(slot.mod_revision).0);
        let before = held.guard();
        held.is_at(slot_revision);
        if slot_revision == before {
            let failed = outcome::failed(self.transaction, &standing);
            return Err(Error::conflict(Conflict { position, failed }));
        }
        if slot_revision == 0 {
            held.writer.end();
        }
        self.look_again().await?;
        let text = "the writer's fence was moved";
        Ok(Attempt::Again(Fault::new(Class::NotExecuted, text)))
    }

    /// Nobody else writes this writer's fence, so what is wrong with it may be that the log has another history now: a
    /// read tells, and the next attempt goes by that.
    async fn look_again(&self) -> Result<()> {
        let now = self.cluster.now(self.keyspace, self.deadline).await;
        now.map(drop).map_err(Fault::into_error)
    }

    async fn survive(&self, mut held: Held, tag: &[u8], fault: Fault) -> Result<Attempt> {
        let cluster = self.cluster;
        match fault.class {
            Class::Unknown | Class::TooLargeToDecode => {
                let settled = cluster.settle(&mut held, tag, self.deadline).await;
                if matches!(settled, Settled::NotApplied) {
                    self.look_again().await?;
                }
                self.settled(&held, settled, fault)
            }
            Class::Full => {
                let settled = cluster.settle_refused(&mut held, tag, self.deadline).await;
                match self.settled(&held, settled, fault)? {
                    Attempt::Again(fault) if outcome::only_deletes(self.transaction) => {
                        Ok(Attempt::Unfenced(fault))
                    }
                    Attempt::Again(fault) => Err(fault.into_error()),
                    done => Ok(done),
                }
            }
            class => {
                held.is_as_before();
                match class {
                    Class::LeaseGone => self.lease_gone(&held, fault).await,
                    Class::Denied => Ok(Attempt::Unfenced(fault)),
                    _ => Err(fault.into_error()),
                }
            }
        }
    }

    fn settled(&self, held: &Held, settled: Settled, fault: Fault) -> Result<Attempt> {
        match settled {
            Settled::Applied(revision) => {
                let position = Position::new(self.known.epoch, Revision(revision));
                self.witness(held, position);
                Ok(Attempt::Done(position))
            }
            Settled::NotApplied => Ok(Attempt::Again(fault)),
            Settled::Unknowable(why) => Err(indeterminate(&fault).with_source(why.into_error())),
        }
    }

    /// Whose lease is gone: the fence's, then there is nothing to tell; or the caller's.
    async fn lease_gone(&self, held: &Held, fault: Fault) -> Result<Attempt> {
        let lease = held.writer.lease;
        let lives = self.cluster.lives(lease, self.deadline).await;
        if lives.map_err(Fault::into_error)? {
            return Err(fault.into_error());
        }
        held.writer.end();
        Ok(Attempt::Again(fault))
    }

    /// Sends it without a fence, after the fence was refused. If that is not refused as well, it was the fence's fault.
    async fn without_fence(&self, refusal: Fault) -> Result<Position> {
        let result = self.unfenced().await;
        let is_denied = |error: &Error| *error.kind() == ErrorKind::Denied;
        if refusal.class == Class::Denied && !result.as_ref().is_err_and(is_denied) {
            self.cluster.fence.forbid();
        }
        result
    }

    /// Sends it without a fence. An unknown outcome is settled by sending it again if revisions guard it, or told.
    async fn unfenced(&self) -> Result<Position> {
        let cluster = self.cluster;
        let mut unknown: Option<Fault> = None;
        loop {
            let transaction = cluster.compose(self.transaction, None, &[]);
            match cluster
                .send(Repeat::Never, transaction, self.deadline)
                .await
            {
                Ok(answer) if answer.succeeded => return Ok(self.position_of(&answer).await),
                Ok(answer) => {
                    if let Some(fault) = unknown {
                        return Err(indeterminate(&fault));
                    }
                    let position = self.position_of(&answer).await;
                    let standing = ranges_of(answer);
                    let failed = outcome::failed(self.transaction, &standing);
                    return Err(Error::conflict(Conflict { position, failed }));
                }
                Err(fault) if matches!(fault.class, Class::Unknown | Class::TooLargeToDecode) => {
                    if !outcome::is_guarded_by_revisions(self.transaction) {
                        return Err(indeterminate(&fault));
                    }
                    unknown = Some(fault);
                }
                Err(fault) if fault.class == Class::Full || unknown.is_some() => {
                    return Err(indeterminate(&unknown.unwrap_or(fault)));
                }
                Err(fault) => return Err(fault.into_error()),
            }
        }
    }

    async fn position_of(&self, answer: &PbTxnResponse) -> Position {
        let (known, keyspace) = (&self.known, self.keyspace);
        self.cluster
            .position_of(known, answer, keyspace, self.deadline)
            .await
    }

    /// The slot's own record shows, from now on, that this history is still the log's.
    fn witness(&self, held: &Held, position: Position) {
        let witness = Witness::at(held.key.clone(), position.revision.0);
        self.cluster.life.witnessed(position.epoch, &witness);
    }
}

/// The life a transaction speaks of, if of any, is the known one.
fn check_life(transaction: &Transaction, known: &Known) -> Result<()> {
    if transaction.epoch.is_none_or(|epoch| epoch == known.epoch) {
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

fn indeterminate(fault: &Fault) -> Error {
    Error::new(
        ErrorKind::Indeterminate,
        format!("the commit may or may not have been applied: {fault}"),
    )
}
