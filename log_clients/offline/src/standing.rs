//! What the thread that writes says of the copy, to whoever wants to know.
//!
//! Never waits, and never touches the disk.

use globe_log_client::{Error, Position};

/// How the copy is doing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Up to where it can be read. Nothing while there is none, it cannot be written, or another process writes it.
    pub(crate) written: Option<Position>,
    /// Something is missing in it that no reader of the log will bring.
    pub(crate) is_behind: bool,
    /// Why it cannot be written.
    pub(crate) failure: Option<Error>,
}
