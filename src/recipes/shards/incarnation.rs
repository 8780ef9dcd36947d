//! One life of a member of a shard table.
//!
//! Never the same twice: a member that comes again, under the id it had, is another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One life of a member: its id, and the number of the commit that created its record. Written `w7@81`.
///
/// What is owned is owned by an incarnation, so that a member that was away cannot take itself for the one it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation {
    id: Arc<str>,
    created: u64,
}

impl Incarnation {
    pub(crate) fn new(id: impl Into<Arc<str>>, created: u64) -> Incarnation {
        let id = id.into();
        Incarnation { id, created }
    }

    /// The id of the member.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The number of the commit that created its record.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.created)
    }
}

impl FromStr for Incarnation {
    type Err = String;

    fn from_str(text: &str) -> Result<Incarnation, String> {
        let parts = text.rsplit_once('@');
        let parts = parts.and_then(|(id, created)| Some((id, created.parse().ok()?)));
        let (id, created) = parts.ok_or_else(|| {
            format!("{text:?} is no incarnation of a member, which is written id@revision")
        })?;
        Ok(Incarnation::new(id, created))
    }
}

impl Serialize for Incarnation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Incarnation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Incarnation, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_reads_as_it_is_written() {
        for (id, created) in [("w7", 81), ("a@b", 0), ("", u64::MAX)] {
            let incarnation = Incarnation::new(id, created);
            assert_eq!(incarnation.to_string().parse(), Ok(incarnation));
        }
        for nonsense in ["", "w7", "w7@", "w7@x", "w7@-1"] {
            assert!(nonsense.parse::<Incarnation>().is_err(), "{nonsense}");
        }
    }
}
