//! One round of a commit: sent with a fence or without, and what became of it.
//!
//! Never writes twice: a round ends with the commit done, or with nothing written, or with an error that says neither.

use etcd_client::proto::PbTxnResponse;
use globe_log_client::{
    Conflict, Error, ErrorKind, Keyspace, Position, Result, Revision, Transaction,
};
use tokio::time::{Instant, sleep_until};

use crate::cluster::Cluster;
use crate::commit::settling::{Settled, slot_of};
use crate::commit::txn;
use crate::fault::{Class, Fault};
use crate::fence::commit_outcome::{Asked, Outcome, Reply, outcome_of};
use crate::fence::writer::Held;
use crate::life::Known;
use crate::members::backoff;
use crate::read::reading::ranges_of;
use crate::records::revision;
use crate::records::witness::Witness;

/// What came of one attempt.
pub(crate) enum Attempt {
    Done(Position),
    /// Nothing was written, and it may be tried again.
    Again(Fault),
    /// Nothing was written, because the fence could not be: try without.
    Unfenced(Fault),
}

/// One round of a commit.
pub(crate) struct Round<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) transaction: &'a Transaction,
    pub(crate) keyspace: &'a Keyspace,
    pub(crate) known: Known,
    pub(crate) deadline: Instant,
}

impl Round<'_> {
    /// Sends it with a fence. Once it is given up nobody waits for its answer, and it is settled at once.
    pub(crate) async fn fenced(
        &self,
        mut held: Held,
        given_up: impl Future<Output = ()>,
    ) -> Result<Attempt> {
        let cluster = self.cluster;
        let tag = held.tag();
        let transaction = cluster.compose(self.transaction, Some(&held), &tag)?;
        held.set_unsure();
        let answer = tokio::select! {
            biased;
            answer = cluster.send_once(self.known.epoch, transaction, self.deadline) => answer,
            () = given_up => Err(Fault::new(Class::Unknown, "one of those who waited for it has gone")),
        };
        self.send_commit(held, &tag, answer).await
    }

    /// Does what the table says of an answer, or of none.
    async fn send_commit(
        &self,
        mut held: Held,
        tag: &[u8],
        answer: Result<PbTxnResponse, Fault>,
    ) -> Result<Attempt> {
        let reply = match &answer {
            Ok(answer) if answer.succeeded => {
                let at = answer.header.as_ref().map_or(0, |header| header.revision);
                Reply::Done(revision(at).0)
            }
            Ok(answer) => Reply::Slot(held.shows(slot_of(answer), tag)),
            Err(fault) => Reply::Failed(fault.class),
        };
        let outcome = outcome_of(Asked::Commit, reply);
        held.record(reply, outcome);
        match (outcome, answer) {
            (outcome, Ok(answer)) => self.answered(&held, outcome, answer).await,
            (Outcome::Ask(next), Err(fault)) => self.settle(held, tag, next, fault).await,
            (Outcome::LeaseGone, Err(fault)) => self.lease_gone(&held, fault).await,
            (Outcome::Denied, Err(fault)) => Ok(Attempt::Unfenced(fault)),
            (Outcome::NotApplied, Err(fault)) => {
                self.look_again().await?;
                Ok(Attempt::Again(fault))
            }
            (_, Err(fault)) => Err(self.refusal(fault).await),
        }
    }

    /// What an answer means; one that shows the slot moved, though nobody else writes it, makes the log be looked at
    /// again.
    async fn answered(
        &self,
        held: &Held,
        outcome: Outcome,
        answer: PbTxnResponse,
    ) -> Result<Attempt> {
        match outcome {
            Outcome::Applied(at) => {
                let position = self.position_of(&answer).await.map_err(unplaced)?;
                Ok(self.done(held, Position::new(position.epoch, Revision(at))))
            }
            Outcome::Refused => {
                let position = self.position_of(&answer).await;
                Err(self.conflict(position.map_err(Fault::into_error)?, answer))
            }
            _ => {
                self.look_again().await?;
                let text = "the writer's fence was moved";
                Ok(Attempt::Again(Fault::new(Class::NotExecuted, text)))
            }
        }
    }

    /// Finds out what became of a commit without an answer, and tells it or lets it be tried again.
    async fn settle(
        &self,
        mut held: Held,
        tag: &[u8],
        first: Asked,
        fault: Fault,
    ) -> Result<Attempt> {
        let settled = self.cluster.settle(&mut held, tag, first, self.deadline);
        match (settled.await, fault.class) {
            (Settled::Applied(at), _) => {
                Ok(self.done(&held, Position::new(self.known.epoch, Revision(at))))
            }
            (Settled::Unknowable(why), _) => {
                Err(indeterminate(&fault).with_source(why.into_error()))
            }
            (Settled::NotApplied, Class::Full) if txn::only_deletes(self.transaction) => {
                Ok(Attempt::Unfenced(fault))
            }
            // The same again would be answered the same again.
            (Settled::NotApplied, Class::Full | Class::TooLargeToDecode) => {
                Err(self.refusal(fault).await)
            }
            (Settled::NotApplied, _) => {
                self.look_again().await?;
                Ok(Attempt::Again(fault))
            }
        }
    }

    /// The slot's own record shows, from now on, that this history is still the log's.
    fn done(&self, held: &Held, position: Position) -> Attempt {
        let witness = Witness::at(held.key.clone(), position.revision.0);
        self.cluster.life.witnessed(position.epoch, &witness);
        Attempt::Done(position)
    }

    /// Nobody else writes this writer's fence, so what is wrong with it may be that the log has another history now: a
    /// read tells, and the next attempt goes by that.
    pub(crate) async fn look_again(&self) -> Result<()> {
        let now = self.cluster.now(self.keyspace, self.deadline).await;
        now.map(drop).map_err(Fault::into_error)
    }

    /// Whose lease is gone: the fence's, then there is nothing to tell; or the caller's.
    async fn lease_gone(&self, held: &Held, fault: Fault) -> Result<Attempt> {
        let lease = held.writer.lease;
        let is_there = self.cluster.lease_exists(lease, self.deadline).await;
        if is_there.map_err(Fault::into_error)? {
            return Err(fault.into_error());
        }
        held.writer.end();
        Ok(Attempt::Again(fault))
    }

    /// Sends it without a fence, after the fence was refused. If that is not refused as well, it was the fence's fault.
    pub(crate) async fn without_fence(&self, refusal: Fault) -> Result<Attempt> {
        let result = self.unfenced().await;
        let is_denied = |error: &Error| *error.kind() == ErrorKind::Denied;
        if refusal.class == Class::Denied && !result.as_ref().is_err_and(is_denied) {
            self.cluster.fence.forbid();
        }
        result
    }

    /// Sends it without a fence. An unknown outcome is settled by sending it again if revisions guard it, or told.
    pub(crate) async fn unfenced(&self) -> Result<Attempt> {
        let cluster = self.cluster;
        let mut unknown: Option<Fault> = None;
        let mut failures = 0;
        loop {
            let transaction = cluster.compose(self.transaction, None, &[])?;
            match cluster
                .send_once(self.known.epoch, transaction, self.deadline)
                .await
            {
                Ok(answer) if answer.succeeded => {
                    let position = self.position_of(&answer).await;
                    return position.map(Attempt::Done).map_err(unplaced);
                }
                Ok(answer) => {
                    if let Some(fault) = unknown {
                        return Err(indeterminate(&fault));
                    }
                    let position = self.position_of(&answer).await;
                    return Err(self.conflict(position.map_err(Fault::into_error)?, answer));
                }
                Err(fault) if fault.class == Class::Unchecked => {
                    self.look_again().await?;
                    match unknown.take() {
                        None => return Ok(Attempt::Again(fault)),
                        Some(fault) if !self.is_of_this_life() => {
                            return Err(indeterminate(&fault));
                        }
                        still => unknown = still,
                    }
                }
                Err(fault)
                    if fault.class.is_unknown()
                        && txn::is_guarded_by_revisions(self.transaction) =>
                {
                    unknown = Some(fault);
                    failures += 1;
                    pause(failures, self.deadline).await;
                }
                Err(fault) => {
                    let is_settled = !matches!(fault.class, Class::TooLargeToDecode | Class::Full);
                    let is_unknown = fault.class.is_unknown() || !is_settled;
                    return match unknown {
                        None if !is_unknown => Err(self.refusal(fault).await),
                        unknown => Err(indeterminate(&unknown.unwrap_or(fault))),
                    };
                }
            }
        }
    }

    /// Whether the log is still in the life this round began in.
    fn is_of_this_life(&self) -> bool {
        let known = self.cluster.life.known();
        known.is_some_and(|known| known.epoch == self.known.epoch)
    }

    /// The preconditions that did not hold, by what the answer shows at each.
    fn conflict(&self, position: Position, answer: PbTxnResponse) -> Error {
        let failed = txn::failed(self.transaction, &ranges_of(answer));
        Error::conflict(Conflict::new(position, failed))
    }

    async fn refusal(&self, fault: Fault) -> Error {
        self.cluster
            .refusal(self.transaction, fault, self.deadline)
            .await
    }

    async fn position_of(&self, answer: &PbTxnResponse) -> Result<Position, Fault> {
        let (known, keyspace) = (&self.known, self.keyspace);
        self.cluster
            .position_of(known, answer, keyspace, self.deadline)
            .await
    }
}

/// Waits before another attempt. After the first failure there is nothing to wait for: one more is often needed, and others
/// only while something is wrong with a server.
pub(crate) async fn pause(failures: u32, deadline: Instant) {
    if failures > 1 {
        let pause = backoff::pause(failures - 1, 1, fastrand::f64());
        sleep_until(deadline.min(Instant::now() + pause)).await;
    }
}

/// What is told of a commit that was done in a life of the log which is not known.
fn unplaced(fault: Fault) -> Error {
    let why =
        "it was committed in another life of the log than the known one, or undone by a restore";
    Error::new(ErrorKind::Indeterminate, why).with_source(fault.into_error())
}

/// What is told when nothing could be proved.
fn indeterminate(fault: &Fault) -> Error {
    Error::new(
        ErrorKind::Indeterminate,
        format!("the commit may or may not have been applied: {fault}"),
    )
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use globe_log_client::Precondition;
    use globe_test_support::{EtcdServer, EtcdVersion};

    use super::*;
    use crate::settings::builder::EtcdBuilder;

    /// A log on a server, and what is sent to it by hand.
    struct Rig {
        server: EtcdServer,
        cluster: Cluster,
        keyspace: Keyspace,
        deadline: Instant,
    }

    impl Rig {
        async fn new() -> Rig {
            let server = EtcdServer::start(EtcdVersion::Reference).await;
            let builder = EtcdBuilder::new().endpoint(server.endpoint());
            let cluster = Cluster::new(builder.settings);
            let deadline = Instant::now() + std::time::Duration::from_secs(60);
            let keyspace = Keyspace::new("flags").unwrap();
            cluster.now(&keyspace, deadline).await.unwrap();
            Rig {
                server,
                cluster,
                keyspace,
                deadline,
            }
        }

        fn round<'a>(&'a self, transaction: &'a Transaction) -> Round<'a> {
            Round {
                cluster: &self.cluster,
                transaction,
                keyspace: &self.keyspace,
                known: self.cluster.life.known().unwrap(),
                deadline: self.deadline,
            }
        }

        async fn held(&self) -> Held {
            let epoch = self.cluster.life.known().unwrap().epoch;
            let held = self.cluster.fence.take(&self.cluster, epoch, self.deadline);
            held.await.unwrap().unwrap()
        }

        /// Sends it on its way twice, and hears only of the second copy.
        async fn deliver_twice(&self, transaction: &Transaction) -> Result<Attempt> {
            let mut held = self.held().await;
            let tag = held.tag();
            let copy = || {
                self.cluster
                    .compose(transaction, Some(&held), &tag)
                    .unwrap()
            };
            let epoch = held.writer.epoch;
            let send = |copy| self.cluster.send_once(epoch, copy, self.deadline);
            assert!(send(copy()).await.unwrap().succeeded);
            let second = send(copy()).await;
            held.set_unsure();
            self.round(transaction)
                .send_commit(held, &tag, second)
                .await
        }

        async fn version_of(&self, key: &str) -> String {
            let json = self.server.etcdctl(&["get", key, "-w", "json"]).await;
            let version = json.split("\"version\":").nth(1).unwrap();
            version.split(',').next().unwrap().to_owned()
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_commit_delivered_twice_is_done_once_and_says_where() {
        let rig = Rig::new().await;
        let flags = &rig.keyspace;
        let create = Transaction::new()
            .when(flags, "new", Precondition::Absent)
            .put(flags, "new", "1");
        let put = Transaction::new().put(flags, "put", "1");
        for (transaction, key) in [(create, "flags/new"), (put, "flags/put")] {
            let attempt = rig.deliver_twice(&transaction).await.unwrap();
            let Attempt::Done(position) = attempt else {
                panic!("{key} was delivered twice, and the second copy found the first");
            };
            assert_eq!(rig.version_of(key).await, "1");
            let head = rig.cluster.now(flags, rig.deadline).await.unwrap();
            assert_eq!(position, head, "nothing was written since");
        }
        // The slot is as sure as ever: the next commit by it passes.
        let next = Transaction::new().put(flags, "next", "1");
        let attempt = rig.round(&next).fenced(rig.held().await, pending()).await;
        assert!(matches!(attempt, Ok(Attempt::Done(_))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_answer_of_a_life_that_nobody_names_is_of_no_position() {
        let rig = Rig::new().await;
        let put = Transaction::new().put(&rig.keyspace, "key", "1");
        let answer = || PbTxnResponse {
            header: Some(etcd_client::proto::PbResponseHeader {
                cluster_id: 7,
                revision: 1,
                ..Default::default()
            }),
            ..PbTxnResponse::default()
        };
        let mut round = rig.round(&put);
        // No time is left to ask.
        round.deadline = Instant::now();
        let table = [
            (Outcome::Applied(1), ErrorKind::Indeterminate),
            (Outcome::Refused, ErrorKind::Unavailable),
        ];
        for (outcome, kind) in table {
            let held = rig.held().await;
            let told = round.answered(&held, outcome, answer()).await;
            assert_eq!(*told.err().unwrap().kind(), kind, "{outcome:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_commit_that_landed_before_the_log_was_full_or_silent_is_done() {
        let rig = Rig::new().await;
        let flags = &rig.keyspace;
        for class in [Class::Full, Class::Unknown, Class::TooLargeToDecode] {
            let put = Transaction::new().put(flags, format!("{class:?}"), "1");
            let mut held = rig.held().await;
            let tag = held.tag();
            let copy = rig.cluster.compose(&put, Some(&held), &tag).unwrap();
            let epoch = held.writer.epoch;
            let landed = rig.cluster.send_once(epoch, copy, rig.deadline).await;
            held.set_unsure();
            let fault = Err(Fault::new(class, "no answer"));
            let attempt = rig
                .round(&put)
                .send_commit(held, &tag, fault)
                .await
                .unwrap();
            let Attempt::Done(position) = attempt else {
                panic!("{class:?}: it is done");
            };
            let at = landed.unwrap().header.unwrap().revision;
            assert_eq!(position.revision, Revision(revision(at).0));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_answer_too_large_to_read_is_settled_and_told_and_not_asked_for_again() {
        let rig = Rig::new().await;
        let put = Transaction::new().put(&rig.keyspace, "key", "1");
        let mut held = rig.held().await;
        let tag = held.tag();
        held.set_unsure();
        let text = "Error, decoded message length too large: found 99000000 bytes, the limit is: 67108864 bytes";
        let fault = Fault::new(Class::TooLargeToDecode, text);
        let attempt = rig.round(&put).send_commit(held, &tag, Err(fault)).await;
        let error = attempt.err().unwrap();
        let ErrorKind::TooLarge { actual, .. } = *error.kind() else {
            panic!("{error}");
        };
        assert_eq!(actual, 99_000_000);
    }
}
