//! The memory log keeps the contract; and one that can do less keeps what is left of it.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::{Arc, Mutex};

use globe_log_client::conformance::Harness;
use globe_log_client::{LogClient, Revision, async_trait};
use globe_memory::{MemoryBackup, MemoryLog};

struct MemoryHarness(MemoryLog, Mutex<Option<MemoryBackup>>);

impl MemoryHarness {
    fn of(log: MemoryLog) -> MemoryHarness {
        MemoryHarness(log, Mutex::default())
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    async fn start() -> MemoryHarness {
        MemoryHarness::of(MemoryLog::builder().page_size(7).build())
    }

    fn log(&self) -> Arc<dyn LogClient> {
        Arc::new(self.0.clone())
    }

    async fn another(&self) -> Arc<dyn LogClient> {
        self.log()
    }

    async fn compact(&self, revision: Revision) {
        self.0.compact(revision).unwrap();
    }

    async fn set_reachable(&self, reachable: bool) -> bool {
        self.0.set_available(reachable);
        true
    }

    async fn wipe(&self) -> bool {
        self.0.wipe();
        true
    }

    async fn backup(&self) -> bool {
        *self.1.lock().unwrap() = Some(self.0.backup());
        true
    }

    async fn restore(&self) {
        let backup = self.1.lock().unwrap().take();
        self.0.restore(&backup.unwrap());
    }
}

globe_log_client::conformance!(MemoryHarness);

/// Few operations, little room, one keyspace at a time, no leases, no history, no differences.
mod limited {
    use super::*;

    struct LimitedHarness(MemoryHarness);

    #[async_trait]
    impl Harness for LimitedHarness {
        async fn start() -> LimitedHarness {
            let mut capabilities = MemoryLog::new().capabilities();
            capabilities.max_operations = 8;
            capabilities.max_transaction_bytes = 4096;
            capabilities.max_value_bytes = 1024;
            capabilities.max_key_bytes = 64;
            capabilities.spans_keyspaces = false;
            capabilities.leases = false;
            capabilities.history = false;
            capabilities.differences = false;
            let log = MemoryLog::builder().capabilities(capabilities).build();
            LimitedHarness(MemoryHarness::of(log))
        }

        fn log(&self) -> Arc<dyn LogClient> {
            self.0.log()
        }

        async fn another(&self) -> Arc<dyn LogClient> {
            self.0.another().await
        }

        async fn compact(&self, revision: Revision) {
            self.0.compact(revision).await;
        }
    }

    globe_log_client::conformance!(LimitedHarness);
}
