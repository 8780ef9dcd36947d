//! A log that is given leases keeps the contract, and so does one that is slow; one that cannot be given any says so.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe_faulty::{Fault, Faults, FaultyLog};
use globe_leases::LeasedLog;
use globe_log_client::conformance::{Harness, Line};
use globe_log_client::{Capabilities, LogClient, Revision, async_trait};
use globe_memory::{MemoryBackup, MemoryLog};

/// What is around the memory log, and what it can do.
const HEALTHY: u8 = 0;
const SLOW: u8 = 1;
const SLOW_OUTSIDE: u8 = 2;
const SMALL: u8 = 3;
const NARROW: u8 = 4;

/// A memory log without leases, and clients of it that have them.
struct Around<const KIND: u8> {
    memory: MemoryLog,
    log: Arc<dyn LogClient>,
    /// Another client, whose line is frozen at times.
    frail: (FaultyLog, LeasedLog),
    backup: Mutex<Option<MemoryBackup>>,
}

impl<const KIND: u8> Around<KIND> {
    fn capabilities() -> Capabilities {
        let mut capabilities = MemoryLog::new().capabilities();
        capabilities.leases = false;
        capabilities.spans_keyspaces = KIND != NARROW;
        if KIND == SMALL {
            capabilities.max_operations = 9;
            capabilities.max_transaction_bytes = 8192;
            capabilities.max_value_bytes = 1024;
            capabilities.max_key_bytes = 64;
            capabilities.history = false;
        }
        capabilities
    }

    fn faults() -> Faults {
        match KIND {
            SLOW => slow(),
            _ => Faults::none(),
        }
    }

    fn another_client(memory: &MemoryLog, seed: u64) -> Arc<dyn LogClient> {
        let (_, leased) = Self::client(memory, seed);
        match KIND {
            SLOW_OUTSIDE => Arc::new(FaultyLog::builder(leased).faults(slow()).build()),
            _ => Arc::new(leased),
        }
    }

    fn client(memory: &MemoryLog, seed: u64) -> (FaultyLog, LeasedLog) {
        let inner = FaultyLog::builder(memory.clone()).seed(seed);
        let inner = inner.faults(Self::faults()).build();
        let leased = LeasedLog::new(inner.clone()).unwrap();
        (inner, leased)
    }
}

/// What only takes time, or comes in pieces.
fn slow() -> Faults {
    Faults::none()
        .delay(Duration::from_millis(1))
        .with(Fault::Delay, 0.05)
        .with(Fault::LagTail, 0.1)
        .with(Fault::Progress, 0.5)
        .with(Fault::SplitPage, 0.5)
}

#[async_trait]
impl<const KIND: u8> Harness for Around<KIND> {
    async fn start() -> Around<KIND> {
        let memory = MemoryLog::builder().page_size(7);
        let memory = memory.capabilities(Self::capabilities()).build();
        Around {
            log: Self::another_client(&memory, 0),
            frail: Self::client(&memory, 1),
            memory,
            backup: Mutex::default(),
        }
    }

    fn log(&self) -> Arc<dyn LogClient> {
        Arc::clone(&self.log)
    }

    async fn another(&self) -> Arc<dyn LogClient> {
        Self::another_client(&self.memory, 2)
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
        Some(Arc::new(self.frail.1.clone()))
    }

    /// Commits are held on a frozen line, and so are the pages of a snapshot.
    async fn set_line(&self, line: Line) {
        let faults = Self::faults();
        let second = Duration::from_secs(1);
        self.frail.0.set_faults(match line {
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

mod slow_inside {
    use super::*;
    globe_log_client::conformance!(Around<SLOW>);
}

mod slow_outside {
    use super::*;
    globe_log_client::conformance!(Around<SLOW_OUTSIDE>);
}

/// Few operations and little room, so that the end of a lease takes many commits.
mod small {
    use super::*;
    globe_log_client::conformance!(Around<SMALL>);
}

/// One keyspace at a time: there are no leases.
mod narrow {
    use super::*;
    globe_log_client::conformance!(Around<NARROW>);
}
