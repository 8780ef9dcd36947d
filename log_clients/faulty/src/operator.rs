//! What an operator does to a log, behind its clients' backs.
//!
//! Never part of the contract: a log that has no such verbs is faulty without them.

use globe_log_client::{Result, Revision};
use globe_memory::MemoryLog;

/// Goes back to a backup.
pub type Restore = Box<dyn FnOnce() + Send>;

/// The verbs of an operator of a log.
pub trait Operator: Send + Sync + 'static {
    /// Forgets the history up to and including `revision`.
    ///
    /// # Errors
    /// What the log says against it.
    fn compact(&self, revision: Revision) -> Result<()>;

    /// Keeps what the log holds now; calling what is returned goes back to it, in a new epoch.
    fn backup(&self) -> Restore;
}

impl Operator for MemoryLog {
    fn compact(&self, revision: Revision) -> Result<()> {
        MemoryLog::compact(self, revision)
    }

    fn backup(&self) -> Restore {
        let (log, backup) = (self.clone(), MemoryLog::backup(self));
        Box::new(move || log.restore(&backup))
    }
}
