//! The handle of a shard table: who owns what, and coming in where this process does.
//!
//! Never waits for the log in a look-up.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::recipes::hash::{hash, part};
use crate::recipes::shards::common::Common;
use crate::recipes::shards::owned::{NotOwner, ShardGuard};
use crate::recipes::shards::record::RowId;
use crate::recipes::shards::table::{Owner, Table};
use crate::{Position, Result};

/// A shard table: which member of a cluster owns which shard, as every node knows it, and moves it from one to another by
/// steps that all agree on.
///
/// - **Whoever routes** asks [`owner_of`](Shards::owner_of): a local look-up, at one revision of the table.
/// - **Whoever owns** [joins](Shards::join), or [runs](Shards::run) a closure for each shard, and lets work in by
///   [`enter`](Shards::enter).
/// - **One of the members plans**, elected among them, and holds no state: any prefix of what it has committed is a valid table.
///
/// An outage of the log, however long, moves nothing. See `docs/recipes.md` for what each failure does.
#[derive(Clone)]
pub struct Shards {
    common: Arc<Common>,
    _stop: Arc<DropGuard>,
}

impl Shards {
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        common: Arc<Common>,
        follow: impl FnOnce(Arc<Common>, CancellationToken) -> F,
    ) -> Shards {
        let stop = CancellationToken::new();
        tokio::spawn(follow(Arc::clone(&common), stop.clone()));
        let _stop = Arc::new(stop.drop_guard());
        Shards { common, _stop }
    }

    pub(crate) fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// The table as this process sees it, at one revision. O(1).
    #[must_use]
    pub fn table(&self) -> Table {
        (**self.common.table()).clone()
    }

    /// Waits until the table is another than the one that stood at a position, and returns that: at once, if it is by now. For
    /// who routes, and asked somebody who did not own a shard any more. What came and went meanwhile is left out. Has no
    /// deadline: while the log is away, nothing changes. Cancel safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
    /// use globe::shards::{Mode, ShardMember};
    /// use globe::{MemoryLog, Session, Shards};
    ///
    /// # let log = MemoryLog::new();
    /// let orders = Shards::builder(log.clone(), "orders").slots(4).mode(Mode::Strict).open().await?;
    /// let session = Session::open(log).await?;
    /// let _worker = orders.join(&session, ShardMember::new("w7")).await?;
    /// let mut table = orders.table();
    /// while table.owner_of("order-4711").is_none() {
    ///     table = orders.changed(table.position()).await;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn changed(&self, seen: Position) -> Table {
        self.common.moves_on(seen).await;
        self.table()
    }

    /// Which shard a key belongs to.
    #[must_use]
    #[inline]
    pub fn shard_of(&self, key: impl AsRef<[u8]>) -> u32 {
        match self.common.settings.shape.slots {
            // Whatever the table says.
            Some(slots) => part(hash(key.as_ref()), slots),
            None => self.common.table().shard_of(key),
        }
    }

    /// Who owns the shard of a key: its first owner, where it has several. Local, without waiting.
    #[must_use]
    #[inline]
    pub fn owner_of(&self, key: impl AsRef<[u8]>) -> Option<Owner> {
        self.common.table().owner_of(key)
    }

    /// All who own the shard of a key, the first of them first. Local, without waiting.
    #[must_use]
    pub fn owners_of(&self, key: impl AsRef<[u8]>) -> Vec<Owner> {
        self.common.table().owners_of(key)
    }

    /// Comes in to the shard of a key, if this member is its first owner and may serve it at this moment: from the step that
    /// says so to the one that ends it, and in strict mode only while its session is live by the clocks. Local, without
    /// waiting.
    ///
    /// # Errors
    /// [`NotOwner`], with who is, to forward to.
    #[inline]
    pub fn enter(&self, key: impl AsRef<[u8]>) -> Result<ShardGuard, NotOwner> {
        let shard = self.shard_of(key);
        self.enter_row(RowId { shard, replica: 0 })
    }

    /// As [`Shards::enter`], whichever of the owners of the shard this member is.
    ///
    /// # Errors
    /// As there.
    pub fn enter_any(&self, key: impl AsRef<[u8]>) -> Result<ShardGuard, NotOwner> {
        let shard = self.shard_of(key);
        let replicas = 0..self.common.settings.shape.replicas;
        let mut tried = replicas.map(|replica| self.enter_row(RowId { shard, replica }));
        let first = tried.next().unwrap_or(Err(NotOwner { shard, owner: None }));
        first.or_else(|not| tried.find_map(Result::ok).ok_or(not))
    }

    #[inline]
    fn enter_row(&self, row: RowId) -> Result<ShardGuard, NotOwner> {
        let at = self.common.settings.shape.at(row);
        let guard = self
            .common
            .seats
            .get(at)
            .and_then(|seat| ShardGuard::enter(seat));
        guard.ok_or_else(|| NotOwner {
            shard: row.shard,
            owner: self.common.table().owner(row),
        })
    }

    /// Waits until the local table shows all that was committed before this call. Cancel safe.
    ///
    /// # Errors
    /// As [`Reader::sync`](crate::Reader::sync).
    pub async fn sync(&self) -> Result<Position> {
        let position = self.common.map.sync().await?;
        self.common.shows(position).await;
        Ok(position)
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards")
            .field("keyspace", self.common.map.keyspace())
            .field("position", &self.common.table().position())
            .finish_non_exhaustive()
    }
}
