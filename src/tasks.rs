//! The running tasks of a map, and how they are stopped.
//!
//! Nothing here knows what the tasks do.

use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The tasks of a map: stopped when this is dropped.
pub(crate) struct Tasks {
    stop: DropGuard,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Tasks {
    pub(crate) fn new(stop: CancellationToken, running: JoinHandle<()>) -> Tasks {
        Tasks {
            stop: if mutant!("leave_tasks_behind") {
                CancellationToken::new()
            } else {
                stop
            }
            .drop_guard(),
            running: Mutex::new(Some(running)),
        }
    }

    /// Stops them, and waits until they have stopped.
    pub(crate) async fn stop(&self) {
        self.stop.token().cancel();
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(running) = running {
            let _ = running.await;
        }
    }
}
