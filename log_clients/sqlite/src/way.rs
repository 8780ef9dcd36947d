//! How a log is opened: which file, and what its commits wait for.
//!
//! Never opens it.

use std::path::PathBuf;

/// What a commit waits for: SQLite's own word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Synchronous {
    /// Until the disk has it: what was acknowledged survives a loss of power. The default.
    #[default]
    Full,
    /// Until the operating system has it. What was acknowledged survives the death of every process; the commits of the last
    /// moments may be lost when the machine itself dies, the newest first, never one in part. The log is then in another
    /// epoch, where that can be seen.
    Normal,
}

/// What all threads of a log open it by.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) path: PathBuf,
    pub(crate) synchronous: Synchronous,
    pub(crate) read_only: bool,
}
