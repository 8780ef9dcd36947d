//! A map in which a session has keys, whatever its type.
//!
//! Never decides when something is done there: the session does.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use globe_log_client::{Epoch, Keyspace, LeaseId, Result};

use crate::ground::sync::Mutex;
use crate::write::leasing::Leasing;
use crate::write::wanted_keys::WantedKeys;

/// What came of putting entries back.
#[derive(Default)]
pub(crate) struct Restoration {
    /// Those that are: once each, however often the leases were lost meanwhile.
    pub(crate) put_back: BTreeSet<(Keyspace, Bytes)>,
    /// Those that the session wanted when its leases were lost: one of them that stands under one of its new leases is back,
    /// whoever has written it. That may have been a write whose answer was lost, or one that was begun before the loss.
    lost: BTreeSet<(Keyspace, Bytes)>,
    pub(crate) kept_out: BTreeSet<(Keyspace, Bytes)>,
}

impl Restoration {
    /// Of all that a session wants in these maps.
    pub(crate) fn of(session: &Weak<dyn Leasing>, maps: &[Arc<dyn Attended>]) -> Restoration {
        let lost = maps.iter().flat_map(|map| {
            let wanted = map.wanted().all_of(session).into_iter();
            wanted.map(|text| (map.keyspace().clone(), text))
        });
        Restoration {
            lost: lost.collect(),
            ..Restoration::default()
        }
    }

    pub(crate) fn put_back(&mut self, keyspace: &Keyspace, text: &Bytes) {
        self.put_back.insert((keyspace.clone(), text.clone()));
    }

    /// It stands there as it is wanted.
    pub(crate) fn stands(&mut self, keyspace: &Keyspace, text: &Bytes) {
        let entry = (keyspace.clone(), text.clone());
        if self.lost.contains(&entry) {
            self.put_back.insert(entry);
        }
    }

    /// Another's stands there.
    pub(crate) fn kept_out(&mut self, keyspace: &Keyspace, text: &Bytes) {
        let entry = (keyspace.clone(), text.clone());
        self.put_back.remove(&entry);
        self.kept_out.insert(entry);
    }
}

/// A key, as an event names it.
pub(crate) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
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
