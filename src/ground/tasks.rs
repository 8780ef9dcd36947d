//! The running tasks of a map, and how they are stopped.
//!
//! Nothing here knows what the tasks do.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ground::careful::carefully;

/// How long stopping may take: a task that does not come to its next await by then is left to itself.
const BOUND: Duration = Duration::from_secs(5);

/// The tasks of a map: stopped when this is dropped.
pub(crate) struct Tasks {
    stop: DropGuard,
    stopped: CancellationToken,
}

impl Tasks {
    /// Of tasks that end when `stop` is cancelled, and then say so by cancelling `stopped`.
    pub(crate) fn new(stop: CancellationToken, stopped: CancellationToken) -> Tasks {
        Tasks {
            stop: stop.drop_guard(),
            stopped,
        }
    }

    /// Stops them, and waits until they have stopped, whoever else waits; false when they have not within five seconds.
    pub(crate) async fn stop(&self) -> bool {
        self.stop.token().cancel();
        timeout(BOUND, carefully(self.stopped.cancelled()))
            .await
            .is_ok()
    }
}
