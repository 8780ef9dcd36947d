//! Where in a log something is: a revision, inside one life of the log.
//!
//! Nothing here waits or talks to a log.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

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

/// Which write of a key this is, in which life of the log: equal only for the very same write. Opaque, and small enough to
/// travel: it is written as text (`Display`, `FromStr`, and serde alike) that fits an HTTP `ETag` between its quotes.
///
/// ```
/// # use globe_log_client::{Epoch, Revision, Version};
/// let version = Version::new(Epoch(0xfeed), Revision(7));
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

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Version> {
        let parse = || {
            let (revision, epoch) = text.split_once('-')?;
            let version = Version {
                epoch: Epoch(u64::from_str_radix(epoch, 16).ok()?),
                revision: Revision(revision.parse().ok()?),
            };
            // Two texts are never one version.
            (version.to_string() == text).then_some(version)
        };
        parse().ok_or_else(|| {
            let why = "a version is written REVISION-EPOCH, like 7-00000000000000fe";
            Error::new(ErrorKind::Invalid, why)
        })
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = Error;

    fn try_from(text: String) -> Result<Version> {
        text.parse()
    }
}

/// Where the log was, and when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentHead {
    /// Covers every commit acknowledged anywhere before the log was asked.
    pub position: Position,
    /// How long before the call that was, at most; zero if the log was asked after the call began.
    pub age: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with every count of digits, and both ends.
    fn numbers() -> impl Iterator<Item = u64> {
        let ends = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit]);
        ends.chain([u64::MAX, 0x0123_4567_89ab_cdef])
    }

    #[test]
    fn a_version_is_read_back_from_its_text() {
        for revision in numbers() {
            for epoch in numbers() {
                let version = Version::new(Epoch(epoch), Revision(revision));
                assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
                let json = serde_json::to_string(&version).unwrap();
                assert_eq!(json, format!("\"{version}\""));
                assert_eq!(serde_json::from_str::<Version>(&json).unwrap(), version);
            }
        }
    }

    #[test]
    fn a_text_that_is_not_canonical_is_no_version() {
        let good = "7-00000000000000fe";
        good.parse::<Version>().unwrap();
        let mut bad: Vec<String> = [
            "",
            "-",
            "7",
            "7-",
            "-00000000000000fe",
            "7-fe",
            "7-0000000000000fe",
            "7-000000000000000fe",
            "7-00000000000000FE",
            "7-+0000000000000fe",
            "7-0x000000000000fe",
            "+7-00000000000000fe",
            "-7-00000000000000fe",
            "07-00000000000000fe",
            "7.0-00000000000000fe",
            "\u{667}-00000000000000fe",
            "18446744073709551616-00000000000000fe",
            "7@00000000000000fe",
            "7\u{2013}00000000000000fe",
            "W/7-00000000000000fe",
            "\"7-00000000000000fe\"",
        ]
        .map(String::from)
        .into();
        // One character too many, wherever.
        for at in 0..=good.len() {
            for extra in [' ', '\n', '\0', '0', '-', '_'] {
                let mut text = String::from(good);
                text.insert(at, extra);
                // `70-…` is another version, and a good one.
                if text != "70-00000000000000fe" {
                    bad.push(text);
                }
            }
        }
        for text in bad {
            let error = text.parse::<Version>().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Invalid, "{text:?}");
            let json = serde_json::to_string(&text).unwrap();
            serde_json::from_str::<Version>(&json).unwrap_err();
        }
    }

    #[test]
    fn a_revision_of_another_life_is_another_version() {
        let here = Version::new(Epoch(1), Revision(2));
        assert_ne!(here, Version::new(Epoch(2), Revision(2)));
        assert_ne!(here, Version::new(Epoch(1), Revision(1)));
        assert_eq!(here.position(), Position::new(Epoch(1), Revision(2)));
    }
}
