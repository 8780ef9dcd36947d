//! How a lease begins, and how it is kept alive.
//!
//! Never repeats a write blindly: a lost answer is settled by a look, or by another id.

use std::time::Duration;

use globe_log_client::{
    Epoch, Error, ErrorKind, Lease, LeaseId, Position, Precondition, Result, Transaction,
};

use crate::chance;
use crate::error::{lost, of_another_life, unsettled};
use crate::known::Stand;
use crate::lease_record::{Entry, LeaseRecord, alive_key};
use crate::leases::{ATTEMPTS, Leases, ROUNDS};

impl Leases {
    /// Grants a lease of a time that was checked. One whose commit was not answered ends by itself: nobody keeps it alive.
    pub(crate) async fn grant(&self, ttl: Duration) -> Result<Lease> {
        let ttl_ms = ttl.as_nanos().div_ceil(1_000_000);
        let record = LeaseRecord::new(u64::try_from(ttl_ms).unwrap_or(u64::MAX));
        for _ in 0..ATTEMPTS {
            let id = LeaseId::new(chance::id());
            let epoch = self.inner.head(&self.keyspace).await?.epoch;
            match self.create(epoch, id, &record).await {
                Ok(position) => return Ok(Lease::new(id, record.ttl, position.epoch)),
                Err(error) if is_unsettled(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(unsettled("the grant of a lease"))
    }

    /// Makes a lease live for its full time again.
    pub(crate) async fn renew(&self, lease: Lease) -> Result<Lease> {
        let ids = [lease.id].into();
        let mut seen = self.known.all(&ids, Some(lease.epoch));
        let mut unanswered = 0;
        for _ in 0..ROUNDS {
            let now = match seen.take() {
                Some(seen) => seen,
                None => self.look(&ids).await?.alive(),
            };
            match self.swap(lease, living(lease, &now)?).await {
                Err(error) if error.is_conflict() => seen = Some(self.anew(&ids, &now).await?),
                // It may be written or not. The look that follows tells, and what is then compared keeps a late copy out.
                Err(error) if *error.kind() == ErrorKind::Indeterminate => unanswered += 1,
                outcome => return outcome,
            }
            if unanswered == ATTEMPTS {
                break;
            }
        }
        Err(unsettled("the renewal of a lease"))
    }

    async fn create(&self, epoch: Epoch, id: LeaseId, record: &LeaseRecord) -> Result<Position> {
        let create = Transaction::new()
            .within(epoch)
            .when(&self.keyspace, alive_key(id), Precondition::Absent)
            .put(&self.keyspace, alive_key(id), record.encode());
        let position = self.inner.commit(create).await?;
        self.written(position, id, record.clone());
        Ok(position)
    }

    /// Another `n`, if nothing came between.
    async fn swap(&self, lease: Lease, entry: &Entry) -> Result<Lease> {
        let (key, renewed) = (alive_key(lease.id), entry.record.renewed());
        let at = Precondition::At(entry.modified);
        let swap = Transaction::new()
            .within(lease.epoch)
            .when(&self.keyspace, key.clone(), at)
            .put(&self.keyspace, key, renewed.encode());
        let position = self.inner.commit(swap).await.map_err(|error| {
            if *error.kind() != ErrorKind::EpochChanged {
                return error;
            }
            self.known.forget(lease.epoch);
            of_another_life(lease.id)
        })?;
        let ttl = renewed.ttl;
        self.written(position, lease.id, renewed);
        Ok(Lease::new(lease.id, ttl, lease.epoch))
    }

    /// A commit of ours has written a lease.
    pub(crate) fn written(&self, at: Position, id: LeaseId, record: LeaseRecord) {
        let entry = Entry {
            modified: at.revision,
            record,
        };
        self.known.note(at.epoch, id, entry);
    }
}

/// The lease, if it lives, and in its own life of the log.
fn living(lease: Lease, now: &Stand) -> Result<&Entry> {
    if now.epoch != lease.epoch {
        return Err(of_another_life(lease.id));
    }
    now.leases.get(&lease.id).ok_or_else(|| lost(lease.id))
}

/// What is known does not hold any more, or it is not known what was written.
pub(crate) fn is_unsettled(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Conflict(_) | ErrorKind::Indeterminate | ErrorKind::EpochChanged
    )
}
