//! What stood where a precondition failed.
//!
//! Never holds a value: who needs it reads it.

use std::fmt;

use bytes::Bytes;

use crate::keyspace::Keyspace;
use crate::position::{Position, Version};
use crate::record::Standing;

/// What stood where preconditions failed, and when that was looked at. Nothing was written.
///
/// ```
/// use globe_log_client::{Conflict, Epoch, FailedPrecondition, Keyspace, Position, Precondition, Revision, Standing, Transaction};
///
/// # fn main() -> globe_log_client::Result<()> {
/// let flags = Keyspace::new("flags")?;
/// let at = Position::new(Epoch::new(1), Revision(9));
/// let stands = Standing::new(Revision(3), Revision(7));
/// let conflict = Conflict::new(at, vec![FailedPrecondition::new(flags.clone(), "dark-mode", stands)]);
///
/// // What stands there is enough for the next attempt.
/// let version = conflict.version(&flags, b"dark-mode").expect("it was compared");
/// let guard = Precondition::At(version.revision());
/// let next = Transaction::new().within(version.epoch()).when(&flags, "dark-mode", guard);
/// assert_eq!(next.preconditions().len(), 1);
/// assert_eq!(conflict.to_string(), "flags/dark-mode stands at revision 7");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The log's position when the preconditions were checked.
    pub position: Position,
    /// Every precondition that did not hold. Never empty.
    pub failed: Vec<FailedPrecondition>,
}

/// One precondition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedPrecondition {
    keyspace: Keyspace,
    key: Bytes,
    found: Option<Standing>,
}

impl Conflict {
    /// For the author of a log: what was found when the log stood at `position`.
    #[must_use]
    pub fn new(position: Position, failed: Vec<FailedPrecondition>) -> Conflict {
        Conflict { position, failed }
    }

    /// The version of what stood at a key whose precondition failed, to compare with at the next attempt; `None` when
    /// there was no such key, or it was not compared.
    #[must_use]
    pub fn version(&self, keyspace: &Keyspace, key: &[u8]) -> Option<Version> {
        let is_it = |failed: &&FailedPrecondition| failed.is_of(keyspace, key);
        let found = self.failed.iter().find(is_it)?.found?;
        Some(Version::new(self.position.epoch, found.modified))
    }
}

impl FailedPrecondition {
    /// What was found at a key: `None` when there was no such key.
    pub fn new(
        keyspace: Keyspace,
        key: impl Into<Bytes>,
        found: impl Into<Option<Standing>>,
    ) -> FailedPrecondition {
        FailedPrecondition {
            keyspace,
            key: key.into(),
            found: found.into(),
        }
    }

    /// The keyspace of the key.
    #[must_use]
    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// The key: UTF-8, unless the caller compared one that another program has put.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// What stood there: `None` when there is no such key. Its value is not told: read it, if it is needed.
    #[must_use]
    pub fn found(&self) -> Option<Standing> {
        self.found
    }

    fn is_of(&self, keyspace: &Keyspace, key: &[u8]) -> bool {
        self.keyspace == *keyspace && self.key == key
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, failed) in self.failed.iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}{failed}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FailedPrecondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keyspace, key) = (&self.keyspace, String::from_utf8_lossy(&self.key));
        match &self.found {
            Some(found) => write!(f, "{keyspace}/{key} stands at revision {}", found.modified),
            None => write!(f, "{keyspace}/{key} does not exist"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::position::{Epoch, Revision};

    fn failed(key: &'static str, found: Option<u64>) -> FailedPrecondition {
        let found = found.map(|revision| Standing::new(Revision(1), Revision(revision)));
        FailedPrecondition::new(Keyspace::new("flags").unwrap(), key, found)
    }

    fn conflict() -> Conflict {
        let position = Position::new(Epoch::new(0xfe), Revision(9));
        Conflict::new(
            position,
            vec![failed("there", Some(7)), failed("missing", None)],
        )
    }

    #[test]
    fn a_conflict_gives_the_version_to_compare_with_next() {
        let conflict = conflict();
        let version = Version::new(Epoch::new(0xfe), Revision(7));
        let flags = Keyspace::new("flags").unwrap();
        assert_eq!(conflict.version(&flags, b"there"), Some(version));
        assert_eq!(conflict.version(&flags, b"missing"), None);
        assert_eq!(conflict.version(&flags, b"not compared"), None);
        let other = Keyspace::new("other").unwrap();
        assert_eq!(conflict.version(&other, b"there"), None);
    }

    #[test]
    fn a_conflict_names_what_stood_there() {
        let error = Error::conflict(conflict());
        let wrapped = error.clone().while_doing("putting").with_source(error);
        let shown = format!("{wrapped} {wrapped:?} {:?}", wrapped.kind());
        assert!(
            shown.contains("flags/there stands at revision 7"),
            "{shown}"
        );
        assert!(shown.contains("flags/missing does not exist"), "{shown}");
    }
}
