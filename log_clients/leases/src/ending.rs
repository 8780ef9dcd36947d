//! How a lease ends: first it alone, so that nothing more can be put under it, then what hangs on it.
//!
//! Never deletes a record that was written since it was looked at, and never ends a lease that was renewed since.

use std::collections::BTreeSet;

use bytes::Bytes;
use globe_log_client::{
    Conflict, Epoch, Error, ErrorKind, Keyspace, LeaseId, Precondition, Result, Revision,
    Transaction,
};

use crate::error::{epoch_changed, unsettled};
use crate::granting::is_unsettled;
use crate::lease_record::{Entry, State, alive_key, encode_ended, ended_key};
use crate::leases::{ATTEMPTS, Leases};

/// How often a deletion is sent whose answer is lost.
const REPEATS: usize = 3;

/// A record that hangs on a lease: its key, and the commit that last wrote it.
type Hanging = (Bytes, Revision);

impl Leases {
    /// Ends a lease, or goes on with its end, and returns when nothing hangs on it any more.
    pub(crate) async fn revoke(&self, id: LeaseId) -> Result<()> {
        let ids = [id].into();
        for _ in 0..ATTEMPTS {
            let mut look = self.look(&ids).await?;
            let Some(state) = look.states.remove(&id) else {
                return Ok(());
            };
            match self.finish(look.epoch, id, state).await {
                Err(error) if is_unsettled(&error) => {}
                outcome => return outcome,
            }
        }
        Err(unsettled("the end of a lease"))
    }

    /// Ends a lease as it was seen, in that life of the log: whoever dies meanwhile leaves something behind that another goes
    /// on from.
    ///
    /// # Errors
    /// `Conflict` for a lease that has changed since.
    pub(crate) async fn finish(&self, epoch: Epoch, id: LeaseId, state: State) -> Result<()> {
        let keyspaces = match state {
            State::Alive(entry) => {
                self.end(epoch, id, &entry).await?;
                entry.record.keyspaces
            }
            State::Ended(keyspaces) => keyspaces,
        };
        for keyspace in &keyspaces {
            self.delete_hanging(epoch, id, keyspace).await?;
        }
        let over = Transaction::new().within(epoch);
        self.settle(over.delete(&self.keyspace, ended_key(id)))
            .await
    }

    async fn end(&self, epoch: Epoch, id: LeaseId, entry: &Entry) -> Result<()> {
        let (alive, ended) = (alive_key(id), ended_key(id));
        let end = Transaction::new()
            .within(epoch)
            .when(
                &self.keyspace,
                alive.clone(),
                Precondition::At(entry.modified),
            )
            .delete(&self.keyspace, alive)
            .put(&self.keyspace, ended, encode_ended(&entry.record.keyspaces));
        self.inner.commit(end).await?;
        self.known.remove(epoch, id);
        Ok(())
    }

    async fn delete_hanging(&self, epoch: Epoch, id: LeaseId, keyspace: &Keyspace) -> Result<()> {
        let hanging = self.hanging(epoch, id, keyspace).await?;
        for chunk in self.chunks(keyspace, hanging) {
            self.delete_as_seen(epoch, keyspace, chunk).await?;
        }
        Ok(())
    }

    /// What hangs on a lease that has ended. Nothing can be added to it.
    async fn hanging(
        &self,
        epoch: Epoch,
        id: LeaseId,
        keyspace: &Keyspace,
    ) -> Result<Vec<Hanging>> {
        for _ in 0..ATTEMPTS {
            match self.read_hanging(epoch, id, keyspace).await {
                Err(error) if *error.kind() == ErrorKind::Compacted => {}
                outcome => return outcome,
            }
        }
        Err(unsettled("a look at what hangs on a lease"))
    }

    async fn read_hanging(
        &self,
        epoch: Epoch,
        id: LeaseId,
        keyspace: &Keyspace,
    ) -> Result<Vec<Hanging>> {
        let mut snapshot = self.inner.snapshot(keyspace).await?;
        // In another life the lease may live.
        if snapshot.position().epoch != epoch {
            return Err(epoch_changed());
        }
        let mut hanging = Vec::new();
        while let Some(page) = snapshot.next_page().await? {
            let bound = page.into_iter().filter(|record| record.lease == Some(id));
            hanging.extend(bound.map(|record| (record.key, record.modified)));
        }
        Ok(hanging)
    }

    /// As many in one transaction as the log takes: each is compared and deleted.
    fn chunks(&self, keyspace: &Keyspace, hanging: Vec<Hanging>) -> Vec<Vec<Hanging>> {
        let capabilities = self.inner.capabilities();
        let mut chunks: Vec<Vec<Hanging>> = Vec::new();
        let mut bytes = 0;
        for record in hanging {
            let more = 2 * (keyspace.as_str().len() + 1 + record.0.len());
            match chunks.last_mut() {
                Some(chunk)
                    if chunk.len() < capabilities.max_operations
                        && bytes + more <= capabilities.max_transaction_bytes =>
                {
                    bytes += more;
                    chunk.push(record);
                }
                _ => {
                    bytes = more;
                    chunks.push(vec![record]);
                }
            }
        }
        chunks
    }

    /// Deletes records as they were seen. One that was written or deleted since does not hang on the lease any more.
    async fn delete_as_seen(
        &self,
        epoch: Epoch,
        keyspace: &Keyspace,
        mut chunk: Vec<Hanging>,
    ) -> Result<()> {
        while !chunk.is_empty() {
            let begin = Transaction::new().within(epoch);
            let delete = chunk.iter().fold(begin, |delete, (key, modified)| {
                let at = Precondition::At(*modified);
                let delete = delete.when(keyspace, key.clone(), at);
                delete.delete(keyspace, key.clone())
            });
            match self.settle(delete).await {
                Ok(()) => return Ok(()),
                Err(error) => chunk = without_failed(chunk, error)?,
            }
        }
        Ok(())
    }

    /// Commits what may be repeated: of deletes that are compared, or of a key that never comes back, a second one does
    /// nothing.
    async fn settle(&self, transaction: Transaction) -> Result<()> {
        let mut outcome = self.inner.commit(transaction.clone()).await;
        for _ in 1..REPEATS {
            match outcome {
                Err(error) if *error.kind() == ErrorKind::Indeterminate => {
                    outcome = self.inner.commit(transaction.clone()).await;
                }
                settled => return settled.map(drop),
            }
        }
        outcome.map(drop)
    }
}

/// What is left of a chunk after a conflict.
fn without_failed(mut chunk: Vec<Hanging>, error: Error) -> Result<Vec<Hanging>> {
    let ErrorKind::Conflict(Conflict { failed, .. }) = error.kind() else {
        return Err(error);
    };
    let before = chunk.len();
    let failed: BTreeSet<&[u8]> = failed.iter().map(|failed| failed.key()).collect();
    chunk.retain(|(key, _)| !failed.contains(&key[..]));
    // A conflict names what failed. One that does not would be repeated for ever.
    if chunk.len() == before {
        return Err(error);
    }
    Ok(chunk)
}
