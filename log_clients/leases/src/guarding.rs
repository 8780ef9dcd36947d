//! A commit that puts under leases: it requires each lease in the same commit, and tells it where to look at its end.
//!
//! Never shows its own guards to the caller, and never sends twice what may have been written.

use std::collections::{BTreeMap, BTreeSet};

use globe_log_client::{
    Conflict, Error, ErrorKind, FailedPrecondition, Keyspace, LeaseId, Position, Precondition,
    Result, Transaction, Write,
};

use crate::deadline::Deadline;
use crate::error::{epoch_changed, kept_for_leases, lost, unsettled};
use crate::known::Stand;
use crate::lease_record::{LeaseRecord, Place, alive_key, place};
use crate::leases::{Leases, ROUNDS};

/// Under which leases a transaction puts, and in which keyspaces.
type Bound = BTreeMap<LeaseId, BTreeSet<Keyspace>>;

/// A transaction with its guards, and the leases it writes anew.
struct Guarded {
    transaction: Transaction,
    grown: Vec<(LeaseId, LeaseRecord)>,
}

impl Leases {
    /// Commits what was checked against the limits of the layer.
    pub(crate) async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.check_keyspaces(&transaction)?;
        let bound = bound(&transaction);
        if bound.is_empty() {
            return self.inner.commit(transaction).await;
        }
        let deadline = Deadline::after(transaction.timeout());
        let ids = bound.keys().copied().collect();
        let mut now = match self.known.all(&ids, transaction.epoch()) {
            Some(known) => known,
            None => deadline.bound(self.look(&ids)).await?.alive(),
        };
        for _ in 0..ROUNDS {
            let guarded = self.guarded(&transaction, &bound, &now)?;
            let left = guarded.transaction.taking_at_most(deadline.left());
            match self.inner.commit(left).await {
                Ok(position) => {
                    let grown = guarded.grown.into_iter();
                    grown.for_each(|(id, record)| self.written(position, id, record));
                    return Ok(position);
                }
                Err(error) => self.judged(&now, error)?,
            }
            now = deadline.bound(self.anew(&ids, &now)).await?;
        }
        Err(unsettled("a lease that is put under"))
    }

    fn check_keyspaces(&self, transaction: &Transaction) -> Result<()> {
        let compared = transaction.preconditions().iter().map(|(at, ..)| at);
        let mut all = compared.chain(transaction.writes().iter().map(|(at, ..)| at));
        match all.find(|keyspace| **keyspace == self.keyspace) {
            Some(kept) => Err(kept_for_leases(kept)),
            None => Ok(()),
        }
    }

    /// The transaction, in the life in which the leases were seen. A lease that was not seen is required all the same: the
    /// log then says whether anything else was wrong.
    fn guarded(&self, transaction: &Transaction, bound: &Bound, now: &Stand) -> Result<Guarded> {
        if transaction.epoch().is_some_and(|epoch| epoch != now.epoch) {
            return Err(epoch_changed());
        }
        let mut guarded = transaction.clone().within(now.epoch);
        let mut grown = Vec::new();
        for (id, keyspaces) in bound {
            let (key, entry) = (alive_key(*id), now.leases.get(id));
            let larger = entry.and_then(|entry| {
                let record = entry.record.grown(keyspaces)?;
                Some((Precondition::At(entry.modified), record))
            });
            let Some((at, record)) = larger else {
                guarded = guarded.when(&self.keyspace, key, Precondition::Present);
                continue;
            };
            guarded = guarded.when(&self.keyspace, key.clone(), at);
            guarded = guarded.put(&self.keyspace, key, record.encode());
            grown.push((*id, record));
        }
        let fits = guarded.check(&self.inner.capabilities());
        fits.map_err(|error| error.while_doing("requiring the leases it puts under"))?;
        Ok(Guarded {
            transaction: guarded,
            grown,
        })
    }

    /// What a refusal means to the caller. Nothing, if only a lease had changed that still lives: then it is tried again.
    fn judged(&self, now: &Stand, error: Error) -> Result<()> {
        if *error.kind() == ErrorKind::EpochChanged {
            self.known.forget(now.epoch);
        }
        let ErrorKind::Conflict(conflict) = error.kind() else {
            return Err(error);
        };
        let is_ours = |failed: &FailedPrecondition| *failed.keyspace() == self.keyspace;
        let (ours, theirs): (Vec<_>, Vec<_>) = conflict.failed.iter().cloned().partition(is_ours);
        if !theirs.is_empty() {
            return Err(Error::conflict(Conflict::new(conflict.position, theirs)));
        }
        let gone = ours.iter().find(|failed| failed.found().is_none());
        match gone.and_then(|failed| place(failed.key())) {
            Some(Place::Alive(id)) => {
                self.known.remove(now.epoch, id);
                Err(lost(id))
            }
            _ => Ok(()),
        }
    }
}

fn bound(transaction: &Transaction) -> Bound {
    let mut bound = Bound::new();
    for (keyspace, _, write) in transaction.writes() {
        if let Write::Put {
            lease: Some(id), ..
        } = write
        {
            bound.entry(*id).or_default().insert(keyspace.clone());
        }
    }
    bound
}
