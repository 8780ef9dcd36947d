//! The memory log keeps the contract.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use globe_log_client::conformance::Harness;
use globe_log_client::{LogClient, Revision, async_trait};
use globe_memory::MemoryLog;

struct MemoryHarness(MemoryLog);

#[async_trait]
impl Harness for MemoryHarness {
    async fn start() -> MemoryHarness {
        MemoryHarness(MemoryLog::builder().page_size(7).build())
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
}

globe_log_client::conformance!(MemoryHarness);
