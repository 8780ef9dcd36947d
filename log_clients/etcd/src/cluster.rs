//! The members of a cluster, what is known of their log, and what it is called there.
//!
//! Holds no task: everything here, and the tasks of its watch streams, end with the last user.

use globe_log_client::LogId;

use crate::endpoints::Endpoints;
use crate::fence::Fence;
use crate::keys::Keys;
use crate::life::Life;
use crate::settings::Settings;
use crate::streams::Streams;

/// What all clones, tails and snapshots of one log share.
pub(crate) struct Cluster {
    pub(crate) id: LogId,
    pub(crate) endpoints: Endpoints,
    pub(crate) keys: Keys,
    pub(crate) life: Life,
    pub(crate) fence: Fence,
    pub(crate) streams: Streams,
}

impl Cluster {
    pub(crate) fn new(settings: Settings) -> Cluster {
        Cluster {
            id: LogId::unique(),
            keys: Keys::new(&settings.namespace),
            endpoints: Endpoints::new(settings),
            life: Life::default(),
            fence: Fence::default(),
            streams: Streams::default(),
        }
    }
}
