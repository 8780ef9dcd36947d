//! Hearing of records that are kept out of the map, and of those that no longer are.
//!
//! It never looks at the entries, and keeps nothing of them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use globe_log_client::{Error, Position};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::entry::key::Key;
use crate::entry::quarantine::Quarantined;
use crate::ground::careful::carefully;
use crate::ground::pace::{Pace, let_go};
use crate::replica::Replica;

/// What came into the quarantine and what left it between two looks. Never empty.
#[derive(Clone)]
pub struct QuarantineChanges {
    from: Position,
    to: Position,
    came_in: Vec<Quarantined>,
    left: Vec<Quarantined>,
}

impl QuarantineChanges {
    /// The records that are kept out now and were not before, in the order of their keys. A bad record that was written
    /// again and is bad again left, and came in.
    #[must_use]
    pub fn came_in(&self) -> &[Quarantined] {
        &self.came_in
    }

    /// The records that were kept out before and are not now, in the order of their keys: written anew, or deleted.
    #[must_use]
    pub fn left(&self) -> &[Quarantined] {
        &self.left
    }

    /// Where in the log the map stood when the watch looked last: what is kept out had not changed since it showed its last.
    #[must_use]
    pub fn from(&self) -> Position {
        self.from
    }

    /// Where it stands with these changes.
    #[must_use]
    pub fn to(&self) -> Position {
        self.to
    }
}

impl fmt::Debug for QuarantineChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantineChanges")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("came_in", &self.came_in)
            .field("left", &self.left)
            .finish()
    }
}

/// What is kept out of a map, by its key in the log.
type Quarantine = OrdMap<Bytes, Quarantined>;

/// Follows the quarantine of a map. Made by [`Reader::watch_quarantine`](crate::Reader::watch_quarantine).
///
/// It starts from what is kept out when it is made; everything after that is shown by [`QuarantineWatch::next`], as the exact
/// difference to what this watch showed last. Changes of the map's entries do not wake it. While nobody calls `next` it keeps
/// the quarantine as it was then, and nothing of the map. It does not keep the map alive.
///
/// ```
/// # use globe::{Globe, Keyspace, LogClient, MemoryLog, log_client::Transaction};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> globe::Result<()> {
/// let log = MemoryLog::new();
/// let map: Globe<String, u64> = Globe::open(log.clone(), "numbers").await?;
/// let mut quarantine = map.watch_quarantine();
/// # let keyspace = Keyspace::new("numbers")?;
/// // Another program writes what this one cannot read.
/// log.commit(Transaction::new().put(&keyspace, "a", "no number")).await?;
/// let changes = quarantine.next().await.expect("the map is open");
/// assert_eq!(changes.came_in().len(), 1);
///
/// map.put("a", 1).await?;
/// let changes = quarantine.next().await.expect("the map is open");
/// assert_eq!((changes.came_in().len(), changes.left().len()), (0, 1));
/// # Ok(())
/// # }
/// ```
pub struct QuarantineWatch<K: Key, V> {
    pub(super) replica: Arc<Replica<K, V>>,
    shown: Quarantine,
    /// Where in the log that was so.
    position: Position,
}

impl<K: Key, V: Send + Sync + 'static> QuarantineWatch<K, V> {
    pub(crate) fn new(replica: Arc<Replica<K, V>>) -> QuarantineWatch<K, V> {
        let (shown, position) = stands(&replica);
        QuarantineWatch {
            replica,
            shown,
            position,
        }
    }

    /// What is kept out now, in the order of the keys. What leads to it counts as shown: the next changes are those after
    /// it. Called first, it is the list to begin with.
    pub fn catch_up(&mut self) -> Vec<Quarantined> {
        (self.shown, self.position) = stands(&self.replica);
        self.shown.values().cloned().collect()
    }

    /// Waits for the next changes of what is kept out. `None` when the map has ended and everything was shown:
    /// [`QuarantineWatch::ended`] says why.
    ///
    /// Cancel safe: what was not returned is shown by the next call.
    pub async fn next(&mut self) -> Option<QuarantineChanges> {
        loop {
            // Both before looking: what is published in between is not missed.
            let moved = self.replica.bells().quarantine.notified();
            let ended = self.replica.has_ended();
            let (now, to) = stands(&self.replica);
            let (came_in, left) = difference(&self.shown, &now).await;
            let count = came_in.len() + left.len();
            if count > 0 {
                let_go(count, std::mem::replace(&mut self.shown, now));
                let from = std::mem::replace(&mut self.position, to);
                return Some(QuarantineChanges {
                    from,
                    to,
                    came_in,
                    left,
                });
            }
            if ended {
                return None;
            }
            carefully(moved).await;
        }
    }

    /// Why the map has ended and no more will come: `Closed`, or what it could not go on with. `None` while it follows.
    #[must_use]
    pub fn ended(&self) -> Option<Error> {
        self.replica.ended()
    }
}

/// What is kept out at present, and where in the log that is so.
fn stands<K: Key, V>(replica: &Replica<K, V>) -> (Quarantine, Position) {
    let state = replica.state();
    (state.quarantine.clone(), state.position)
}

/// What is only in the newer one, and what is only in the older one.
async fn difference(
    older: &Quarantine,
    newer: &Quarantine,
) -> (Vec<Quarantined>, Vec<Quarantined>) {
    let (mut came_in, mut left) = (Vec::new(), Vec::new());
    let mut pace = Pace::new();
    for item in older.diff(newer) {
        let (old, new) = match item {
            DiffItem::Add(_, new) => (None, Some(new)),
            DiffItem::Update {
                old: (_, old),
                new: (_, new),
            } => (Some(old), Some(new)),
            DiffItem::Remove(_, old) => (Some(old), None),
        };
        left.extend(old.cloned());
        came_in.extend(new.cloned());
        pace.step().await;
    }
    (came_in, left)
}

impl<K: Key, V> fmt::Debug for QuarantineWatch<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantineWatch")
            .field("keyspace", self.replica.keyspace())
            .finish_non_exhaustive()
    }
}
