//! The members of a cluster, what is known of their log, and what it is called there.
//!
//! Holds no task: everything here, and the tasks of its watch streams, end with the last user.

use std::sync::Arc;

use globe_log_client::{Error, LogId, LogStatus};

use crate::fence::Fence;
use crate::heads::Heads;
use crate::life::Life;
use crate::limits::Limits;
use crate::members::endpoints::Endpoints;
use crate::queue::turns::Turns;
use crate::records::keys::Keys;
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
    pub(crate) turns: Arc<Turns>,
    pub(crate) limits: Limits,
    pub(crate) streams: Streams,
}

impl Cluster {
    /// A cluster that was not asked yet: nothing is dialled here.
    pub(crate) fn new(settings: Settings) -> Cluster {
        Cluster {
            id: LogId::unique(),
            keys: Keys::new(&settings.namespace),
            limits: Limits::new(&settings.commits),
            fence: Fence::new(settings.commits.fence),
            turns: Arc::default(),
            endpoints: Endpoints::new(settings),
            life: Life::default(),
            heads: Heads::default(),
            streams: Streams::default(),
        }
    }

    /// Why no member answered, if none has since.
    pub(crate) fn last_failure(&self) -> Option<Error> {
        let fault = self.endpoints.last_failure()?;
        Some(fault.into_error())
    }

    /// What is known of it without asking. What no member has told yet is left out.
    pub(crate) fn status(&self) -> LogStatus {
        let failure = self.last_failure();
        let mut status = LogStatus::new(self.capabilities().name)
            .failing(failure.as_ref())
            .with("member", self.endpoints.pinned_address())
            .with("members", self.endpoints.len())
            .with("streams", self.streams.count());
        if let Some(version) = self.endpoints.pinned_version() {
            status = status.with("version", version);
        }
        if let Some(cluster) = self.endpoints.known_cluster() {
            status = status.with("cluster", format_args!("{cluster:x}"));
        }
        status
    }
}
