//! What an operator does to a log, behind its clients' backs.
//!
//! Never part of the contract: a log that has no such verbs is faulty without them.

use globe_log_client::{Result, Revision};
use globe_memory::MemoryLog;

/// Goes back to a backup, in a new epoch: everything committed since is gone. Called once, after a commit, outside
/// every lock.
pub type Restore = Box<dyn FnOnce() + Send>;

/// The verbs of an operator of a log, which are no part of the contract of a
/// [`LogClient`](globe_log_client::LogClient). A [`MemoryLog`] has them; for a log of your own, implement them to have
/// [`Fault::Compact`](crate::Fault::Compact), [`Fault::Backup`](crate::Fault::Backup) and
/// [`Fault::Restore`](crate::Fault::Restore) happen to it.
///
/// They are called in the middle of a commit, which waits for them: they must return at once, so a log whose operator
/// is another process is told what to do and not waited for.
pub trait Operator: Send + Sync + 'static {
    /// Forgets the history up to and including `revision`.
    ///
    /// # Errors
    /// What the log says against it. The faulty log goes on all the same: another operator may have been there before.
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
