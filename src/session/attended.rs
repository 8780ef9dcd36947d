//! A map in which a session has keys, whatever its type.
//!
//! Never decides when something is done there: the session does.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use globe_log_client::{Epoch, Keyspace, LeaseId, Result};

use crate::ground::sync::Mutex;
use crate::write::leasing::Leasing;
use crate::write::wanted_keys::WantedKeys;

/// What came of putting entries back.
#[derive(Default)]
pub(crate) struct Restoration {
    pub(crate) put_back: usize,
    pub(crate) kept_out: Vec<(Keyspace, String)>,
}

#[async_trait]
pub(crate) trait Attended: Send + Sync {
    /// The keys that are wanted there: what tells one opened map from another.
    fn wanted(&self) -> &Arc<WantedKeys>;

    fn keyspace(&self) -> &Keyspace;

    fn is_same(&self, other: &dyn Attended) -> bool {
        Arc::ptr_eq(self.wanted(), other.wanted())
    }

    /// The life of the log it shows; `None` before the first snapshot.
    fn epoch(&self) -> Option<Epoch>;

    /// Waits until it shows all that was committed before.
    async fn sync(&self) -> Result<()>;

    /// Writes what the session wants there under its leases of now, and adds to `found` what came of it. May be repeated
    /// until it succeeds.
    async fn restore(&self, found: &Mutex<Restoration>) -> Result<()>;

    /// Looks at all keys of the session again.
    fn stir(&self);

    fn entries(&self, session: &Weak<dyn Leasing>) -> usize {
        self.wanted().len_of(session)
    }

    fn count(&self, session: &Weak<dyn Leasing>, loads: &mut HashMap<LeaseId, usize>) {
        self.wanted().count(session, loads);
    }

    fn clear_claims(&self, session: &Weak<dyn Leasing>) {
        self.wanted().clear_claims(session);
    }

    /// The session has ended.
    fn clear(&self, session: &Weak<dyn Leasing>) {
        self.wanted().clear(session);
    }
}
