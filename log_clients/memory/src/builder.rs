//! The settings of a memory log.
//!
//! Never makes a log that keeps less than the contract, but for what its capabilities say.

use globe_log_client::{Capabilities, Result};

use crate::memory_log::MemoryLog;
use crate::server::Server;

/// How one is made.
impl MemoryLog {
    /// A new, empty log. It keeps its whole history, so it grows with every commit until it is told to
    /// [`compact`](MemoryLog::compact): right for a test; for a process that runs for long, say how much
    /// [history](MemoryLogBuilder::history) it keeps.
    #[must_use]
    pub fn new() -> MemoryLog {
        MemoryLog::builder().build()
    }

    /// A new, empty log that differs from the default.
    pub fn builder() -> MemoryLogBuilder {
        MemoryLogBuilder::new()
    }

    /// A new, empty log by its URL: see [`MemoryLogBuilder::from_url`].
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong.
    pub fn from_url(url: &str) -> Result<MemoryLog> {
        Ok(MemoryLogBuilder::from_url(url)?.build())
    }
}

impl Default for MemoryLog {
    fn default() -> MemoryLog {
        MemoryLog::new()
    }
}

/// Builds a [`MemoryLog`] that differs from the default. Nothing is checked, and nothing can fail.
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryLogBuilder {
    capabilities: Capabilities,
    page_size: usize,
    /// How many commits it keeps.
    pub(crate) history: usize,
    is_available: bool,
}

impl MemoryLogBuilder {
    fn new() -> MemoryLogBuilder {
        let mut capabilities = Capabilities::full("memory");
        capabilities.durable = false;
        MemoryLogBuilder {
            capabilities,
            page_size: 1000,
            history: usize::MAX,
            is_available: true,
        }
    }

    /// The records in one page of a snapshot, 1000 if not set; zero counts as one.
    pub fn page_size(mut self, records: usize) -> MemoryLogBuilder {
        self.page_size = records.max(1);
        self
    }

    /// How many commits the log remembers, from 1 on (zero counts as one); all of them if not set. Each commit beyond that
    /// makes it forget the oldest, as [`MemoryLog::compact`] does, so what it holds is bounded by this and by the live
    /// records.
    ///
    /// A tail that was left behind further, and a snapshot that is still being read so much later, fail with `Compacted`; a
    /// map then takes a new snapshot by itself, and shows the exact difference. So keep more than is committed while a
    /// snapshot is read.
    ///
    /// ```
    /// # use globe_memory::MemoryLog;
    /// let log = MemoryLog::builder().history(10_000).build();
    /// ```
    pub fn history(mut self, commits: usize) -> MemoryLogBuilder {
        self.history = commits.max(1);
        self
    }

    /// Other limits than the usual ones, to see how a caller does with them. What they say the log cannot do
    /// (leases, several keyspaces, history) it then refuses. Without leases it stores the lease a put names, as the
    /// contract asks, and that is all it does with it.
    pub fn capabilities(mut self, capabilities: Capabilities) -> MemoryLogBuilder {
        self.capabilities = capabilities;
        self
    }

    /// Whether the log can be reached from the start; true if not set: for a test of a program that starts before its
    /// log. See [`MemoryLog::set_available`].
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
            self.history,
            self.is_available,
        ))
    }
}
