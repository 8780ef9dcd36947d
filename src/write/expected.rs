//! What a caller expects to stand at a key, for a write that is made only then.
//!
//! It never holds a bare revision: those are used again after a restore.

use globe_log_client::Version;

/// What must stand at a key for [`Globe::put_if`](crate::Globe::put_if) and
/// [`Globe::delete_if`](crate::Globe::delete_if) to write. A [`Version`] alone stands for [`Expected::At`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// There is no such key.
    Absent,
    /// There is such a key, whatever it holds.
    Present,
    /// The key was last written by exactly this commit: false after delete-then-recreate, and in another life of the log.
    At(Version),
}

impl From<Version> for Expected {
    fn from(version: Version) -> Expected {
        Expected::At(version)
    }
}
