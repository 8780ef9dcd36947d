//! Linearizable reads, each checked to come from the life of the log that is known.
//!
//! Never returns an answer from another life as if it were from the same.

use std::sync::Arc;

use etcd_client::proto::{PbRangeResponse, PbTxnOpResponse, PbTxnResponse};
use etcd_client::{GetOptions, Txn, TxnOp};
use globe_log_client::{Epoch, Keyspace, Position, Record, Revision};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::fault::{Class, Fault};
use crate::life::{Judgement, Known, Signs, judge};
use crate::members::call::{CallOptions, Repeat};
use crate::members::calls::Calls;
use crate::members::connection::Connection;
use crate::records::marker::Marker;
use crate::records::witness::{Testimony, Witness};
use crate::records::{number, record};

/// What a read found, all true at one position.
pub(crate) struct Reading {
    pub(crate) position: Position,
    /// One for each range asked for.
    pub(crate) answers: Vec<PbRangeResponse>,
}

/// What is asked besides the caller's ranges, to tell the life an answer comes from.
struct Question {
    known: Option<Known>,
    /// The key of the epoch marker, unless it cannot be read.
    marker: Option<Vec<u8>>,
    witness: Option<Witness>,
}

/// How much is asked. A read begins with everything, and goes one step down for each refusal, never up again.
///
/// All of it is one transaction, so that it is true at one revision; and etcd refuses a transaction as a whole if the
/// role does not allow one of its reads, or if one of its revisions does not exist. Hence the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// The caller's ranges, the epoch marker, and the witness at its revision.
    #[default]
    Everything,
    /// The role may not allow the witness any more: it may be of another keyspace.
    NoWitness,
    /// Nor the log's own records, and with them the marker.
    NoOwnRecords,
    /// A revision known to exist did not. So no revision is asked for, neither the caller's nor the witness's, and no
    /// agreement is believed: only which life this is now.
    LifeOnly,
    /// The same of a role that does not allow the marker.
    LifeWithoutMarker,
}

/// What a read has gone through so far.
#[derive(Default)]
struct ReadState {
    /// The life it is about. What was found of one life says nothing of the next, which may have begun meanwhile.
    life: Option<Epoch>,
    scope: Scope,
    /// An answer did not agree: it is asked once more, to be sure.
    is_suspicious: bool,
}

impl Scope {
    /// A known revision did not exist.
    fn is_lost(self) -> bool {
        self >= Scope::LifeOnly
    }

    fn has_witness(self) -> bool {
        self == Scope::Everything
    }

    fn has_marker(self) -> bool {
        !matches!(self, Scope::NoOwnRecords | Scope::LifeWithoutMarker)
    }

    /// The next step after a fault, if there is one that it may not stop.
    fn after(self, class: Class, question: &Question) -> Option<Scope> {
        match (class, self) {
            (Class::Future, scope) if !scope.is_lost() => Some(Scope::LifeOnly),
            (Class::Denied, Scope::Everything) if question.witness.is_some() => {
                Some(Scope::NoWitness)
            }
            (Class::Denied, _) if question.marker.is_none() => None,
            (Class::Denied, Scope::LifeOnly) => Some(Scope::LifeWithoutMarker),
            (Class::Denied, _) => Some(Scope::NoOwnRecords),
            _ => None,
        }
    }
}

impl Cluster {
    /// Reads `ranges` at one position. With an `epoch`, only in that life of the log; otherwise in the present one.
    ///
    /// Fails with the class `Future` when the log is in another life than asked for.
    pub(crate) async fn read(
        &self,
        keyspace: &Keyspace,
        ranges: &[TxnOp],
        epoch: Option<Epoch>,
        call_options: CallOptions,
    ) -> Result<Reading, Fault> {
        let probe = self.probe(keyspace);
        let reading = self.read_beside(&probe, ranges, epoch, call_options).await;
        if reading.is_ok() {
            self.life.set_readable(keyspace);
        }
        reading
    }

    /// As `read`, with another probe than that of a keyspace.
    pub(crate) async fn read_beside(
        &self,
        probe: &TxnOp,
        ranges: &[TxnOp],
        epoch: Option<Epoch>,
        call_options: CallOptions,
    ) -> Result<Reading, Fault> {
        let mut state = ReadState::default();
        loop {
            let known = self.life.known();
            let known_epoch = known.as_ref().map(|known| known.epoch);
            if state.life != known_epoch {
                state = ReadState {
                    life: known_epoch,
                    ..ReadState::default()
                };
            }
            let question = self.question(known, state.scope);
            if epoch.is_some() && known_epoch.is_some() && epoch != known_epoch {
                return Err(Fault::new(Class::Future, "the log is in another epoch"));
            }
            let asks_life_only =
                state.scope.is_lost() || (epoch.is_some() && known_epoch.is_none());
            let ranges = if asks_life_only { &[] } else { ranges };
            let asked = question.with(ranges, probe);
            let (connection, answer) = match self.send_over(call_options, asked).await {
                Ok(answered) => answered,
                Err(fault) => {
                    self.survive(fault, &question, &mut state)?;
                    continue;
                }
            };
            self.remember_refusals(state.scope, &question);
            let (signs, answers) = question.signs(answer);
            let same = self.settle_life(&question, &signs, &mut state, call_options.deadline);
            let same = same.await?;
            if let Some(epoch) = same {
                connection.set_life(epoch);
            }
            if let Some(epoch) = same
                && !asks_life_only
            {
                let position = Position::new(epoch, Revision(signs.revision));
                return Ok(Reading { position, answers });
            }
        }
    }

    /// What stood at a key at a position.
    pub(crate) async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> globe_log_client::Result<Option<Record>> {
        let failed = |fault: Fault| {
            let doing = format_args!("reading a key of keyspace {keyspace} at {at}");
            fault.into_error().while_doing(doing)
        };
        // Revision 0 would mean the present, and at etcd's first, 1, there is no record yet.
        let options = GetOptions::new().with_revision(number(at.revision.0.max(1)));
        let get = TxnOp::get(self.keys.record(keyspace, key), Some(options));
        let call_options = self
            .endpoints
            .call_options(Repeat::Harmless, self.endpoints.deadline());
        let reading = self
            .read(keyspace, &[get], Some(at.epoch), call_options)
            .await;
        let found = reading.map_err(failed)?.answers.into_iter().next();
        let found = found.and_then(|found| found.kvs.into_iter().next());
        Ok(found.map(|found| record(&self.keys, keyspace, found)))
    }

    /// The present position: enough to know the life of the log. A linearizable read of nothing.
    pub(crate) async fn now(
        &self,
        keyspace: &Keyspace,
        deadline: Instant,
    ) -> Result<Position, Fault> {
        let call_options = self.endpoints.call_options(Repeat::Harmless, deadline);
        Ok(self.read(keyspace, &[], None, call_options).await?.position)
    }

    /// Sends a commit of this life of the log: once, and only to where that is known to be.
    pub(crate) async fn send_once(
        &self,
        epoch: Epoch,
        transaction: Txn,
        deadline: Instant,
    ) -> Result<PbTxnResponse, Fault> {
        let call_options = CallOptions {
            within: Some(epoch),
            ..self.endpoints.call_options(Repeat::Never, deadline)
        };
        Ok(self.send_over(call_options, transaction).await?.1)
    }

    /// Sends one transaction as it is.
    pub(crate) async fn send(
        &self,
        repeat: Repeat,
        transaction: Txn,
        deadline: Instant,
    ) -> Result<PbTxnResponse, Fault> {
        let call_options = self.endpoints.call_options(repeat, deadline);
        Ok(self.send_over(call_options, transaction).await?.1)
    }

    /// Sends it, and says over which connection the answer came.
    async fn send_over(
        &self,
        call_options: CallOptions,
        transaction: Txn,
    ) -> Result<(Arc<Connection>, PbTxnResponse), Fault> {
        let largest = self.endpoints.settings.max_message_bytes;
        let request = |client: Arc<Calls>| {
            let transaction = transaction.clone();
            async move {
                let mut kv = client.kv_client().max_decoding_message_size(largest);
                kv.txn(transaction).await
            }
        };
        let answered = self.endpoints.call_member(call_options, request).await?;
        let answer = answered.answer.0;
        if let Some(header) = &answer.header {
            self.endpoints.observe_term(header.raft_term);
        }
        Ok((answered.connection, answer))
    }

    /// What to ask besides, as far as the role is known to allow it.
    fn question(&self, known: Option<Known>, scope: Scope) -> Question {
        let witness = known.as_ref().and_then(|known| known.witness.clone());
        let has_marker = scope.has_marker() && !self.life.is_blind();
        Question {
            marker: has_marker.then(|| self.keys.epoch_marker()),
            witness: witness.filter(|_| scope.has_witness()),
            known,
        }
    }

    /// A read of one key that never exists, inside the keyspace: the cheapest that a role for the keyspace allows.
    pub(crate) fn probe(&self, keyspace: &Keyspace) -> TxnOp {
        TxnOp::get(self.keys.start(keyspace), None)
    }

    /// Whether the read may go on after this fault, in another way; or the fault.
    fn survive(
        &self,
        fault: Fault,
        question: &Question,
        state: &mut ReadState,
    ) -> Result<(), Fault> {
        if let (Class::Compacted, Some(witness)) = (fault.class, &question.witness)
            && !witness.is_forgotten
        {
            self.life.weaken(witness);
            return Ok(());
        }
        state.scope = state.scope.after(fault.class, question).ok_or(fault)?;
        Ok(())
    }

    /// What had to be left out for the read to be allowed is not asked again.
    fn remember_refusals(&self, scope: Scope, question: &Question) {
        if !scope.has_marker() {
            self.life.set_blind();
        } else if scope == Scope::NoWitness
            && let Some(witness) = question
                .known
                .as_ref()
                .and_then(|known| known.witness.as_ref())
        {
            self.life.dismiss(witness);
        }
    }

    /// The epoch of an answer that comes from the known life, or nothing: then the life is another now, or a second
    /// answer is needed to be sure.
    async fn settle_life(
        &self,
        question: &Question,
        signs: &Signs,
        state: &mut ReadState,
        deadline: Instant,
    ) -> Result<Option<Epoch>, Fault> {
        let known = question.known.as_ref();
        let mut judgement = judge(known, signs);
        if state.scope.is_lost() && judgement == Judgement::Same {
            judgement = Judgement::Changed("a revision it once had does not exist");
        }
        let before = known.map(|known| known.epoch);
        match (judgement, known) {
            (Judgement::Same, Some(known)) => {
                if let (Some(Testimony::Silent), Some(witness)) =
                    (signs.testimony, &question.witness)
                {
                    self.life.dismiss(witness);
                }
                let epoch = known.epoch;
                Ok(self.life.raise(epoch, signs).then_some(epoch))
            }
            (Judgement::First, _) | (Judgement::Same, None) => {
                let first = Known::first(signs);
                let epoch = first.epoch;
                self.life.begin(None, first);
                Ok(self.life.raise(epoch, signs).then_some(epoch))
            }
            (Judgement::Named(_), _) => {
                tracing::warn!(
                    "the etcd log was restored, wiped or replaced, as another client found"
                );
                self.life.begin(before, Known::first(signs));
                Ok(None)
            }
            (Judgement::Changed(why), Some(known))
                if state.is_suspicious || state.scope.is_lost() =>
            {
                self.begin_again(known, signs, why, deadline).await?;
                Ok(None)
            }
            (Judgement::Changed(_), _) => {
                state.is_suspicious = true;
                Ok(None)
            }
        }
    }
}

impl Question {
    /// The transaction that asks everything. What is asked besides comes last, so that the caller's answers keep their
    /// places.
    fn with(&self, ranges: &[TxnOp], probe: &TxnOp) -> Txn {
        let mut asked = ranges.to_vec();
        if asked.is_empty() {
            asked.push(probe.clone());
        }
        if let Some(witness) = &self.witness {
            asked.push(witness.question());
        }
        if let Some(marker) = &self.marker {
            asked.push(TxnOp::get(marker.clone(), None));
        }
        Txn::new().and_then(asked)
    }

    /// Takes an answer apart again, from the end.
    fn signs(&self, answer: PbTxnResponse) -> (Signs, Vec<PbRangeResponse>) {
        let mut signs = Signs::of(answer.header.as_ref());
        let mut answers = ranges_of(answer);
        if self.marker.is_some() {
            let found = answers.pop();
            signs.marker = Some(found.as_ref().and_then(Marker::in_answer));
        }
        if let Some(witness) = &self.witness {
            let found = answers.pop();
            let record = found.as_ref().and_then(|found| found.kvs.first());
            signs.testimony = Some(witness.testify(record));
        }
        (signs, answers)
    }
}

/// The ranges a transaction read.
pub(crate) fn ranges_of(answer: PbTxnResponse) -> Vec<PbRangeResponse> {
    let ranges = answer
        .responses
        .into_iter()
        .filter_map(|op| match op.response {
            Some(PbTxnOpResponse::ResponseRange(range)) => Some(range),
            _ => None,
        });
    ranges.collect()
}
