//! One open tail: where it is in the history, and what it waits for.
//!
//! Never runs a task: it looks at the history when it is polled, and sleeps until the log changes or a lease ends.

use std::sync::Arc;

use globe_log_client::{Batch, Error, ErrorKind, Keyspace, Position, Result, Tail};
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use crate::server::{Server, State};

pub(crate) struct Tailing {
    server: Arc<Server>,
    keyspace: Keyspace,
    /// Everything up to here was delivered.
    cursor: Position,
    /// The how-manieth tail of this log it is: outages name the tails they end by it.
    number: u64,
}

/// What a look at the history found.
enum Look {
    Found(Batch),
    /// Nothing new. The next lease that ends will delete something then.
    Nothing(Option<Instant>),
}

impl Tailing {
    /// Opens a tail, if the history after `after` is still there.
    pub(crate) fn open(server: &Arc<Server>, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let number = server.reach(|state| {
            state.check_followable(after)?;
            Ok(state.tails.replace(state.tails.get() + 1))
        })?;
        let tailing = Tailing {
            server: Arc::clone(server),
            keyspace: keyspace.clone(),
            cursor: after,
            number,
        };
        let batches = futures::stream::unfold(tailing, |mut tailing| async move {
            Some((tailing.next().await, tailing))
        });
        Ok(Tail::new(batches))
    }

    async fn next(&mut self) -> Result<Batch> {
        let server = Arc::clone(&self.server);
        loop {
            // Made before looking: a change in between ends the wait at once.
            let changed = server.changed.notified();
            match self.look()? {
                Look::Found(batch) => return Ok(batch),
                Look::Nothing(deadline) => wait(changed, deadline).await,
            }
        }
    }

    fn look(&mut self) -> Result<Look> {
        let look = self.server.look(|state| self.found(state))?;
        if let Look::Found(batch) = &look {
            self.cursor.revision = batch.revision;
        }
        Ok(look)
    }

    fn found(&self, state: &State) -> Result<Look> {
        let deadline = state.store.leases.next_deadline();
        if state.holds_tails || self.number < state.silent_below {
            return Ok(Look::Nothing(deadline));
        }
        state.check_available()?;
        state.check_followable(self.cursor)?;
        if self.number < state.broken_below {
            let context = "the memory log was unavailable meanwhile";
            return Err(Error::new(ErrorKind::Unavailable, context));
        }
        let found = state.store.after(self.cursor.revision, &self.keyspace);
        Ok(found.map_or(Look::Nothing(deadline), Look::Found))
    }
}

/// Until the log changes or a lease ends. Everything is looked at again afterwards, so waking too early is harmless.
async fn wait(changed: Notified<'_>, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => drop(tokio::time::timeout_at(deadline, changed).await),
        None => changed.await,
    }
}
