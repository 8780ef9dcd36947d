//! Where in a log something is: a revision, inside one life of the log.
//!
//! Nothing here waits or talks to a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in the history of a log: the number of a commit. Compares only inside one [`Epoch`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// Before every commit. No record was ever changed at it.
    pub const ZERO: Revision = Revision(0);

    /// The revision after this one.
    #[must_use]
    pub fn next(self) -> Revision {
        Revision(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which life of the log: it changes when the log was restored, wiped, replaced or rolled back, because from then on
/// revision numbers are used again for other commits. Opaque: two epochs are the same or not, and have no order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A point in one life of a log. Small and serialisable: it may travel to another service, which then waits until it
/// has seen at least as much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which life of the log.
    pub epoch: Epoch,
    /// Where in that life.
    pub revision: Revision,
}

impl Position {
    /// A position from its parts.
    #[must_use]
    pub fn new(epoch: Epoch, revision: Revision) -> Position {
        Position { epoch, revision }
    }

    /// Whether who stands here has seen everything up to `other`: never true across epochs.
    #[must_use]
    pub fn covers(self, other: Position) -> bool {
        self.epoch == other.epoch && self.revision >= other.revision
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.revision, self.epoch)
    }
}
