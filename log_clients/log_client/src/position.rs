//! Where in a log something is: a revision, inside one life of the log.
//!
//! Nothing here waits or talks to a log.

use std::fmt;
use std::time::Duration;

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
/// revision numbers are used again for other commits. Opaque: two epochs are the same or not, and have no order. It travels
/// as text (`Display`, `FromStr`, and serde alike).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Epoch(u64);

impl Epoch {
    /// For the author of a log: an epoch from any 64 bits that differ between two lives of it. Random ones do, and so does
    /// a hash of what tells the lives apart.
    #[must_use]
    pub const fn new(bits: u64) -> Epoch {
        Epoch(bits)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// A point in one life of a log. It may travel to another service, which then waits until it has seen at least as much: it is
/// written as text (`Display`, `FromStr`, and serde alike), which survives JavaScript and fits a header.
///
/// ```
/// # use globe_log_client::{Epoch, Position, Revision};
/// let position = Position::new(Epoch::new(0xfeed), Revision(7));
/// assert_eq!(position.to_string(), "7@000000000000feed");
/// assert_eq!("7@000000000000feed".parse::<Position>().unwrap(), position);
/// assert!("7".parse::<Position>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub struct Position {
    /// Which life of the log.
    pub epoch: Epoch,
    /// Where in that life.
    pub revision: Revision,
}

impl Position {
    /// A position from its parts.
    #[must_use]
    pub const fn new(epoch: Epoch, revision: Revision) -> Position {
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

/// Which write of a key this is, in which life of the log: equal only for the very same write. Opaque, and small enough to
/// travel: it is written as text (`Display`, `FromStr`, and serde alike) that fits an HTTP `ETag` between its quotes.
///
/// ```
/// # use globe_log_client::{Epoch, Revision, Version};
/// let version = Version::new(Epoch::new(0xfeed), Revision(7));
/// assert_eq!(version.to_string(), "7-000000000000feed");
/// assert_eq!("7-000000000000feed".parse::<Version>().unwrap(), version);
/// assert!("7".parse::<Version>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version {
    epoch: Epoch,
    revision: Revision,
}

impl Version {
    /// The version that a commit made of a key.
    #[must_use]
    pub fn new(epoch: Epoch, revision: Revision) -> Version {
        Version { epoch, revision }
    }

    /// The life of the log it is from.
    #[must_use]
    pub fn epoch(self) -> Epoch {
        self.epoch
    }

    /// The commit, in that life.
    #[must_use]
    pub fn revision(self) -> Revision {
        self.revision
    }

    /// Where in the log the commit is.
    #[must_use]
    pub fn position(self) -> Position {
        Position::new(self.epoch, self.revision)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.revision, self.epoch)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the log was, and when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecentHead {
    /// Covers every commit acknowledged anywhere before the log was asked.
    pub position: Position,
    /// How long before the call that was, at most; zero if the log was asked after the call began.
    pub age: Duration,
}

impl RecentHead {
    /// A head from its parts.
    #[must_use]
    pub fn new(position: Position, age: Duration) -> RecentHead {
        RecentHead { position, age }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_of_another_life_is_another_version() {
        let here = Version::new(Epoch::new(1), Revision(2));
        assert_ne!(here, Version::new(Epoch::new(2), Revision(2)));
        assert_ne!(here, Version::new(Epoch::new(1), Revision(1)));
        assert_eq!(here.position(), Position::new(Epoch::new(1), Revision(2)));
    }
}
