//! The members of a cluster, what is known of their log, and what it is called there.
//!
//! Holds no task: everything here, and the tasks of its watch streams, end with the last user.

use std::sync::Arc;

use globe_log_client::LogId;

use crate::endpoints::Endpoints;
use crate::fence::Fence;
use crate::heads::Heads;
use crate::keys::Keys;
use crate::life::Life;
use crate::limits::Limits;
use crate::settings::Settings;
use crate::streams::Streams;

/// What all clones, tails and snapshots of one log share.
pub(crate) struct Cluster {
    pub(crate) id: LogId,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) keys: Keys,
    pub(crate) life: Life,
    pub(crate) heads: Heads,
    pub(crate) fence: Fence,
    pub(crate) limits: Limits,
    pub(crate) streams: Streams,
}

impl Cluster {
    pub(crate) fn new(settings: Settings) -> Cluster {
        Cluster {
            id: LogId::unique(),
            keys: Keys::new(&settings.namespace),
            limits: Limits::new(&settings.commits),
            fence: Fence::new(settings.commits.fence),
            endpoints: Endpoints::new(settings),
            life: Life::default(),
            heads: Heads::default(),
            streams: Streams::default(),
        }
    }
}
