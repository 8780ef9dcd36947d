//! The settings of a memory log.
//!
//! Never makes a log that keeps less than the contract, but for what its capabilities say.

use globe_log_client::Capabilities;

use crate::memory_log::MemoryLog;
use crate::server::Server;

/// How one is made.
impl MemoryLog {
    /// A new, empty log.
    #[must_use]
    pub fn new() -> MemoryLog {
        MemoryLog::builder().build()
    }

    /// A new, empty log that differs from the default.
    pub fn builder() -> MemoryLogBuilder {
        MemoryLogBuilder::new()
    }
}

impl Default for MemoryLog {
    fn default() -> MemoryLog {
        MemoryLog::new()
    }
}

/// Builds a [`MemoryLog`] that differs from the default.
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryLogBuilder {
    capabilities: Capabilities,
    page_size: usize,
    is_available: bool,
}

impl MemoryLogBuilder {
    fn new() -> MemoryLogBuilder {
        let mut capabilities = Capabilities::full("memory");
        capabilities.durable = false;
        MemoryLogBuilder {
            capabilities,
            page_size: 1000,
            is_available: true,
        }
    }

    /// The records in one page of a snapshot, 1000 if not set; zero counts as one.
    pub fn page_size(mut self, records: usize) -> MemoryLogBuilder {
        self.page_size = records.max(1);
        self
    }

    /// Other limits than the usual ones, to see how a caller does with them. What they say the log cannot do
    /// (leases, several keyspaces, history) it then refuses.
    pub fn capabilities(mut self, capabilities: Capabilities) -> MemoryLogBuilder {
        self.capabilities = capabilities;
        self
    }

    /// Whether the log can be reached from the start; true if not set. See [`MemoryLog::set_available`].
    pub fn available(mut self, is_available: bool) -> MemoryLogBuilder {
        self.is_available = is_available;
        self
    }

    /// The log.
    #[must_use]
    pub fn build(self) -> MemoryLog {
        MemoryLog::of(Server::new(
            self.capabilities,
            self.page_size,
            self.is_available,
        ))
    }
}
