//! Hearing of what the guard of a map withholds: when it begins, and when it is over.
//!
//! It never looks at the map, and decides nothing.

use std::fmt;
use std::sync::Arc;

use globe_log_client::Error;

use crate::entry::key::Key;
use crate::ground::careful::carefully;
use crate::replica::Replica;
use crate::replica::withheld::{Seen, Withheld};

/// Follows what the [guard](crate::Builder::guard) of a map withholds. Made by
/// [`Reader::watch_withheld`](crate::Reader::watch_withheld).
///
/// It starts from what is withheld when it is made. Commits that come while something is withheld do not wake it:
/// [`Status::withheld`](crate::Status::withheld) has the present numbers. It keeps nothing of the map, and does not keep it alive.
/// [`Guard`](crate::Guard) has an example.
pub struct WithheldWatch<K: Key, V> {
    pub(super) replica: Arc<Replica<K, V>>,
    seen: Seen,
}

impl<K: Key, V: Send + Sync + 'static> WithheldWatch<K, V> {
    pub(crate) fn new(replica: Arc<Replica<K, V>>) -> WithheldWatch<K, V> {
        let (seen, _) = replica.withholding().look();
        WithheldWatch { replica, seen }
    }

    /// Waits until something is withheld, or is no longer: `Some(None)` says that the map shows all that it knows again. What
    /// came and went between two looks is not shown. `None` when the map has ended, for which [`WithheldWatch::ended`] has the
    /// reason. Cancel safe.
    pub async fn next(&mut self) -> Option<Option<Withheld>> {
        let replica = Arc::clone(&self.replica);
        loop {
            // Made before looking: what happens in between is not missed.
            let ended = replica.bells().end.notified();
            let (seen, withheld) = replica.withholding().look();
            if seen != std::mem::replace(&mut self.seen, seen) {
                return Some(withheld);
            }
            if replica.has_ended() {
                return None;
            }
            tokio::select! {
                () = replica.withholding().other_than(seen) => {}
                () = carefully(ended) => {}
            }
        }
    }

    /// Why the map has ended and no more will come: `Closed`, or what it could not go on with. `None` while it follows.
    #[must_use]
    pub fn ended(&self) -> Option<Error> {
        self.replica.ended()
    }
}

impl<K: Key, V> fmt::Debug for WithheldWatch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithheldWatch")
            .field("keyspace", self.replica.keyspace())
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
