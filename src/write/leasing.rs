//! Who has leases to write under: a session, as the writer of a map sees it.
//!
//! Never keeps one alive: that is done above.

use async_trait::async_trait;
use globe_log_client::{Lease, LeaseId, Result};

/// A session, of which a write only asks for a lease.
#[async_trait]
pub(crate) trait Leasing: Send + Sync {
    /// Waits until there is a lease to write under; has no deadline.
    ///
    /// # Errors
    /// `Closed` when there never will be one again.
    async fn live(&self) -> Result<()>;

    /// A lease to write under now: the one the key is under already, if that is one of them.
    ///
    /// # Errors
    /// `Unavailable` while there is none; `Closed` when there never will be one again.
    fn lease(&self, bound: Option<LeaseId>) -> Result<Lease>;

    /// The log says of this lease that it is gone, or of another life: it is to be looked at.
    fn doubt(&self, lease: Lease);

    /// Whether a lease is its own, or was: what stands under it is this session's. Not so of one that is over.
    fn owns(&self, lease: LeaseId) -> bool;

    /// Whether there never will be a lease again.
    fn is_over(&self) -> bool;
}
