//! What an attempt at a transaction has come to: sent, and what its answer means for it.
//!
//! Never calls the closure: whether it is called again is decided by who asked for the commit.

use std::any::Any;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use globe_log_client::{
    Conflict, Epoch, Error, ErrorKind, FailedPrecondition, Keyspace, Lease, Position, Result,
    Transaction,
};

use crate::write::attempt::{Basis, Outcome};
use crate::write::committer::Committer;
use crate::write::draft::{Draft, Stands};
use crate::write::leasing::Leasing;
use crate::write::replicas::Replicas;
use crate::write::wanted::{Intent, WantedValue};
use crate::write::wanted_keys::WantedKeys;
use crate::write::writing::{Writing, end};

/// A write of this attempt: what is sent, and what a read of this attempt gets.
pub(crate) struct Pending {
    pub(crate) draft: Draft,
    pub(crate) value: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) wanted: Arc<WantedKeys>,
    /// The session it is to stand as long as, and the life of the log in which it has a lease for it.
    pub(crate) session: Option<(Weak<dyn Leasing>, Epoch)>,
}

impl Pending {
    /// Tells the sessions of this process, before it is sent.
    pub(crate) fn begin(&self, text: &Bytes, stands: Stands) -> Option<Writing> {
        let intent = match (&self.draft, &self.session, &self.value) {
            (Draft::PutLeased(_, lease), Some((session, life)), Some(value)) => Intent::Want {
                session: Weak::clone(session),
                lease: *lease,
                life: *life,
                value: WantedValue::Decoded(Arc::clone(value)),
                is_claim: false,
            },
            (Draft::Put(_), None, Some(value)) => Intent::Keep {
                value: WantedValue::Decoded(Arc::clone(value)),
            },
            (draft, ..) if draft.leaves() => Intent::Leave,
            _ => return None,
        };
        Writing::begin(&self.wanted, text, intent, stands)
    }
}

/// What an attempt has come to, when its closure has returned.
pub(crate) struct Prepared {
    pub(crate) replicas: Replicas,
    pub(crate) transaction: Transaction,
    pub(crate) epochs: HashSet<Epoch>,
    /// The claims that have to stand.
    pub(crate) required: BTreeSet<(Keyspace, Bytes)>,
    pub(crate) sessions: Vec<(Arc<dyn Leasing>, Lease)>,
    pub(crate) writings: Vec<Option<Writing>>,
}

impl Prepared {
    /// Waits for others of this process that lost before and touch the same; whether it had to, and is not sent after all.
    pub(crate) async fn gives_way(&mut self, committer: &mut Committer<'_>) -> bool {
        let giving_way = committer.gives_way(&self.replicas, &self.transaction);
        let gives_way = giving_way.await;
        if gives_way {
            self.take_back();
        }
        gives_way
    }

    /// Commits it; nothing when another attempt is due.
    pub(crate) async fn commit(
        mut self,
        committer: &mut Committer<'_>,
    ) -> Result<Option<Position>> {
        let epoch = self.epochs.iter().next().copied();
        let transaction = std::mem::take(&mut self.transaction).within(epoch);
        let outcome = committer
            .commit(&self.replicas, &transaction, Basis::Read)
            .await;
        end(std::mem::take(&mut self.writings), &outcome);
        match outcome {
            Ok(Outcome::Committed(position)) => Ok(Some(position)),
            Ok(Outcome::Overtaken(conflict)) => self.lost(&conflict).map_or(Ok(None), Err),
            Ok(Outcome::OtherLife) => Ok(None),
            Err(error) => {
                let is_lost = *error.kind() == ErrorKind::LeaseLost && !self.sessions.is_empty();
                if is_lost {
                    self.doubt_sessions();
                }
                if is_lost && committer.pause().await {
                    return Ok(None);
                }
                Err(error)
            }
        }
    }

    /// It is not sent after all.
    pub(crate) fn take_back(&mut self) {
        end(std::mem::take(&mut self.writings), &Ok(Outcome::OtherLife));
    }

    /// A claim it requires that does not stand any more.
    fn lost(&self, conflict: &Conflict) -> Option<Error> {
        let is_required = |failed: &&FailedPrecondition| {
            let target = (
                failed.keyspace().clone(),
                Bytes::copy_from_slice(failed.key()),
            );
            self.required.contains(&target)
        };
        let failed = conflict.failed.iter().find(is_required)?;
        let (keyspace, key) = (failed.keyspace(), String::from_utf8_lossy(failed.key()));
        let why = format!("{keyspace}/{key} is not held any more: nothing was written");
        Some(Error::new(ErrorKind::NotHeld, why))
    }

    /// One of the leases it writes under may be gone.
    pub(crate) fn doubt_sessions(&self) {
        for (session, lease) in &self.sessions {
            session.doubt(*lease);
        }
    }
}
