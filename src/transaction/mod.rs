//! Transactions over one or several maps of one log: what was read is validated when it is committed.
//!
//! Nothing is locked in the log, and nothing is written before the closure has returned.

pub(crate) mod prepared;
pub(crate) mod txn;

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Error, ErrorKind, LogClient, Result};
use tokio::time::timeout_at;

use crate::entry::key::Key;
use crate::globe::Globe;
use crate::transaction::txn::Txn;
use crate::write::committer::Committer;
use crate::write::leasing::Leasing;
use crate::write::written::Committed;

/// Transactions.
impl<K: Key, V: Send + Sync + 'static> Globe<K, V> {
    /// Runs a closure over views of this map and others of the same log, and commits what it wrote if everything it read
    /// still stands: whole, or not at all, in one round trip. When something has changed in between, the closure is called
    /// again with newer views, so it should do nothing but compute. Those of one process that lose to each other do so once:
    /// then they wait for each other, in the order in which they came. See [`Txn`].
    ///
    /// An error that the closure returns is returned as it is: what it was decided on has not been validated, and may be
    /// older than the log.
    ///
    /// Cancel safe, as every write is. What is validated is the keys it read, or wrote. Each map is read at one position; several maps may be read at
    /// different ones until the commit proves that nothing in between mattered.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::{Globe, MemoryLog};
    ///
    /// let bank: Globe<String, u64> = Globe::open(MemoryLog::new(), "bank").await?;
    /// bank.put("alice", 100).await?;
    /// let moved = bank
    ///     .transact(|txn| {
    ///         let alice = txn.get(&bank, "alice")?.map_or(0, |alice| *alice);
    ///         let bob = txn.get(&bank, "bob")?.map_or(0, |bob| *bob);
    ///         let amount = alice.min(30);
    ///         txn.put(&bank, "alice", alice - amount)?;
    ///         txn.put(&bank, "bob", bob + amount)?;
    ///         Ok(amount)
    ///     })
    ///     .await?;
    /// assert_eq!(*moved.value(), 30);
    /// assert!(bank.view().position().covers(moved.position()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What the closure returned; `Conflict` only when others kept coming in between until the deadline; otherwise as
    /// every write.
    pub async fn transact<R>(
        &self,
        body: impl FnMut(&mut Txn<'_>) -> Result<R>,
    ) -> Result<Committed<R>> {
        self.try_transact(body).await
    }

    /// As [`Globe::transact`], with an error of the caller's own, for which nothing is written and nothing tried again.
    /// [`Globe::try_update`] has an example of such an error.
    ///
    /// # Errors
    /// As [`Globe::transact`].
    pub async fn try_transact<R, E: From<Error>>(
        &self,
        body: impl FnMut(&mut Txn<'_>) -> Result<R, E>,
    ) -> Result<Committed<R>, E> {
        transact(self.log(), self.deadline()?, body).await
    }
}

/// Runs a closure and commits what it wrote, again and again until nothing it read has changed in between.
async fn transact<R, E: From<Error>>(
    log: &Arc<dyn LogClient>,
    bound: Duration,
    mut body: impl FnMut(&mut Txn<'_>) -> Result<R, E>,
) -> Result<Committed<R>, E> {
    let mut committer = Committer::new(log, bound);
    loop {
        let mut attempt = Txn::new(log);
        let value = match body(&mut attempt) {
            Ok(value) => value,
            Err(error) => match attempt.awaited.take() {
                Some(session) if is_live(&mut committer, &session).await => continue,
                _ => return Err(error),
            },
        };
        let mut prepared = attempt.prepare();
        if prepared.epochs.len() > 1 {
            prepared.take_back();
            // One map, or a session, has followed the log into another life, the other has not yet.
            prepared.doubt_sessions();
            if committer.pause().await {
                continue;
            }
            let why = "the maps of a transaction show different lives of the log";
            return Err(Error::new(ErrorKind::EpochChanged, why).into());
        }
        if prepared.gives_way(&mut committer).await {
            continue;
        }
        match prepared.commit(&mut committer).await? {
            Some(position) => return Ok(Committed { position, value }),
            None => continue,
        }
    }
}

/// Whether a session is live before the time is up.
async fn is_live(committer: &mut Committer<'_>, session: &Arc<dyn Leasing>) -> bool {
    let live = timeout_at(committer.deadline, session.live()).await;
    matches!(live, Ok(Ok(()))) && committer.pause().await
}
