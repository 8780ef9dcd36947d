//! What every verb of the layer shares: the log inside, the keyspace of the leases, and a look at them.
//!
//! Never decides anything: it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use globe_log_client::{Epoch, Error, ErrorKind, Keyspace, LeaseId, LogClient, Result};

use crate::error::unsettled;
use crate::known::{Known, Stand};
use crate::lease_record::{KEYSPACE, State};

/// How often a call tries again where an answer was lost, or the log is in another life.
pub(crate) const ATTEMPTS: usize = 6;

/// How often a call tries again where somebody else was faster: each time somebody has got on.
pub(crate) const ROUNDS: usize = 100;

/// The leases of a log.
pub(crate) struct Leases {
    pub(crate) inner: Arc<dyn LogClient>,
    pub(crate) keyspace: Keyspace,
    pub(crate) known: Known,
}

/// Leases as they were at one moment of the log.
pub(crate) struct Look {
    pub(crate) epoch: Epoch,
    pub(crate) states: BTreeMap<LeaseId, State>,
}

impl Look {
    /// Those that live.
    pub(crate) fn alive(self) -> Stand {
        let alive = |(id, state)| match state {
            State::Alive(entry) => Some((id, entry)),
            State::Ended(_) => None,
        };
        Stand {
            epoch: self.epoch,
            leases: self.states.into_iter().filter_map(alive).collect(),
        }
    }
}

impl Leases {
    pub(crate) fn new(inner: Arc<dyn LogClient>) -> Result<Leases> {
        Ok(Leases {
            inner,
            keyspace: Keyspace::new(KEYSPACE)?,
            known: Known::default(),
        })
    }

    /// What there is of some leases now: linearizable, and a snapshot of the keyspace.
    pub(crate) async fn look(&self, ids: &BTreeSet<LeaseId>) -> Result<Look> {
        for _ in 0..ATTEMPTS {
            match self.read(ids).await {
                Err(error) if is_overtaken(&error) => {}
                outcome => return outcome,
            }
        }
        Err(unsettled("a look at the leases"))
    }

    /// The leases as they are now, after something else than `seen` was found: what this client has learned since, if it is
    /// anything else, or a look.
    pub(crate) async fn anew(&self, ids: &BTreeSet<LeaseId>, seen: &Stand) -> Result<Stand> {
        match self.known.all(ids, Some(seen.epoch)) {
            Some(known) if known != *seen => Ok(known),
            _ => Ok(self.look(ids).await?.alive()),
        }
    }

    async fn read(&self, ids: &BTreeSet<LeaseId>) -> Result<Look> {
        let mut snapshot = self.inner.snapshot(&self.keyspace).await?;
        let epoch = snapshot.position().epoch;
        let mut states = BTreeMap::new();
        while states.len() < ids.len()
            && let Some(page) = snapshot.next_page().await?
        {
            let found = page.iter().filter_map(State::of);
            states.extend(found.filter(|(id, _)| ids.contains(id)));
        }
        for (id, state) in &states {
            if let State::Alive(entry) = state {
                self.known.note(epoch, *id, entry.clone());
            }
        }
        Ok(Look { epoch, states })
    }
}

/// What was being read is not there any more: it has to be begun anew.
pub(crate) fn is_overtaken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Compacted | ErrorKind::EpochChanged)
}
