//! Without faults it keeps the contract of the log inside; with those that only take time or come in pieces, as well.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe_faulty::{Fault, Faults, FaultyLog};
use globe_log_client::conformance::{Harness, Line};
use globe_log_client::{LogClient, Revision, async_trait};
use globe_memory::{MemoryBackup, MemoryLog};

struct Around {
    memory: MemoryLog,
    log: FaultyLog,
    /// Another client, whose line is frozen at times.
    frail: FaultyLog,
    faults: Faults,
    backup: Mutex<Option<MemoryBackup>>,
}

impl Around {
    fn new(faults: Faults) -> Around {
        let memory = MemoryLog::builder().page_size(7).build();
        let client = || FaultyLog::builder(memory.clone()).faults(faults.clone());
        Around {
            log: client().build(),
            frail: client().seed(1).build(),
            memory,
            faults,
            backup: Mutex::default(),
        }
    }

    /// Commits are held on a frozen line, and so are the pages of a snapshot.
    fn set_line(&self, line: Line) {
        let faults = self.faults.clone();
        let second = Duration::from_secs(1);
        self.frail.set_faults(match line {
            Line::Well | Line::Renewed => faults,
            Line::Frozen => faults
                .with(Fault::HoldRequest, 1.0)
                .with(Fault::SilenceSnapshot, 1.0)
                .silence(second)
                .lateness(2 * second),
        });
    }

    fn compact(&self, revision: Revision) {
        self.memory.compact(revision).unwrap();
    }
}

/// A harness around a log with these faults.
macro_rules! harness {
    ($name:ident, $faults:expr) => {
        struct $name(Around);

        #[async_trait]
        impl Harness for $name {
            async fn start() -> $name {
                $name(Around::new($faults))
            }

            fn log(&self) -> Arc<dyn LogClient> {
                Arc::new(self.0.log.clone())
            }

            async fn another(&self) -> Arc<dyn LogClient> {
                self.log()
            }

            async fn compact(&self, revision: Revision) {
                self.0.compact(revision);
            }

            async fn set_reachable(&self, reachable: bool) -> bool {
                self.0.memory.set_available(reachable);
                true
            }

            async fn wipe(&self) -> bool {
                self.0.memory.wipe();
                true
            }

            async fn backup(&self) -> bool {
                *self.0.backup.lock().unwrap() = Some(self.0.memory.backup());
                true
            }

            async fn restore(&self) {
                let backup = self.0.backup.lock().unwrap().take();
                self.0.memory.restore(&backup.unwrap());
            }

            async fn frail(&self) -> Option<Arc<dyn LogClient>> {
                Some(Arc::new(self.0.frail.clone()))
            }

            async fn set_line(&self, line: Line) {
                self.0.set_line(line);
            }
        }
    };
}

harness!(Healthy, Faults::none());
globe_log_client::conformance!(Healthy);

mod slow {
    use super::*;

    harness!(
        Slow,
        Faults::none()
            .delay(Duration::from_millis(1))
            .with(Fault::Delay, 0.05)
            .with(Fault::LagTail, 0.1)
            .with(Fault::Progress, 0.5)
            .with(Fault::SplitPage, 0.5)
    );
    globe_log_client::conformance!(Slow);
}
