//! Without faults it keeps the contract of the log inside; with those that only take time or come in pieces, as well.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe_faulty::{Fault, Faults, FaultyLog};
use globe_log_client::conformance::{Harness, Line};
use globe_log_client::{LogClient, Revision, async_trait};
use globe_memory::{MemoryBackup, MemoryLog};

const HEALTHY: bool = false;
const SLOW: bool = true;

/// A memory log, and ways to it that have no faults, or those that only take time or come in pieces.
struct Around<const IS_SLOW: bool> {
    memory: MemoryLog,
    log: FaultyLog,
    /// Another client, whose line is frozen at times.
    frail: FaultyLog,
    backup: Mutex<Option<MemoryBackup>>,
}

impl<const IS_SLOW: bool> Around<IS_SLOW> {
    fn faults() -> Faults {
        match IS_SLOW {
            HEALTHY => Faults::none(),
            SLOW => Faults::none()
                .delay(Duration::from_millis(1))
                .with(Fault::Delay, 0.05)
                .with(Fault::LagTail, 0.1)
                .with(Fault::Progress, 0.5)
                .with(Fault::SplitPage, 0.5),
        }
    }
}

#[async_trait]
impl<const IS_SLOW: bool> Harness for Around<IS_SLOW> {
    async fn start() -> Around<IS_SLOW> {
        let memory = MemoryLog::builder().page_size(7).build();
        let client = || FaultyLog::builder(memory.clone()).faults(Self::faults());
        Around {
            log: client().build(),
            frail: client().seed(1).build(),
            memory,
            backup: Mutex::default(),
        }
    }

    fn log(&self) -> Arc<dyn LogClient> {
        Arc::new(self.log.clone())
    }

    async fn another(&self) -> Arc<dyn LogClient> {
        self.log()
    }

    async fn compact(&self, revision: Revision) {
        self.memory.compact(revision).unwrap();
    }

    async fn set_reachable(&self, reachable: bool) -> bool {
        self.memory.set_available(reachable);
        true
    }

    async fn wipe(&self) -> bool {
        self.memory.wipe();
        true
    }

    async fn backup(&self) -> bool {
        *self.backup.lock().unwrap() = Some(self.memory.backup());
        true
    }

    async fn restore(&self) {
        let backup = self.backup.lock().unwrap().take();
        self.memory.restore(&backup.unwrap());
    }

    async fn frail(&self) -> Option<Arc<dyn LogClient>> {
        Some(Arc::new(self.frail.clone()))
    }

    /// Commits are held on a frozen line, and so are the pages of a snapshot.
    async fn set_line(&self, line: Line) {
        let faults = Self::faults();
        let second = Duration::from_secs(1);
        self.frail.set_faults(match line {
            Line::Well | Line::Renewed => faults,
            Line::Frozen => faults
                .with(Fault::HoldRequest, 1.0)
                .with(Fault::SilenceSnapshot, 1.0)
                .silence(second)
                .lateness(2 * second),
            other => panic!("what is a line that is {other:?}?"),
        });
    }
}

globe_log_client::conformance!(Around<HEALTHY>);

mod slow {
    use super::*;
    globe_log_client::conformance!(Around<SLOW>);
}
