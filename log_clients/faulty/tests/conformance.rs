//! Without faults it keeps the contract of the log inside; with those that only take time or come in pieces, as well.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;
use std::time::Duration;

use globe_faulty::{Fault, Faults, FaultyLog};
use globe_log_client::conformance::Harness;
use globe_log_client::{LogClient, Revision, async_trait};
use globe_memory::MemoryLog;

struct Around {
    memory: MemoryLog,
    log: FaultyLog,
}

impl Around {
    fn new(faults: Faults) -> Around {
        let memory = MemoryLog::builder().page_size(7).build();
        let log = FaultyLog::builder(memory.clone()).faults(faults).build();
        Around { memory, log }
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
