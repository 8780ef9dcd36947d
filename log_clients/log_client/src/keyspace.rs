//! The part of a log one map lives in.
//!
//! Never looks at what is stored there.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// The name of the range of a log that one map lives in.
///
/// Prefix-safe by construction: a name has no `/`, and a backend stores the key `k` of keyspace `flags` as `flags/k`
/// (or in a table, stream or hash of that name), so `foo` never sees a record of `foobar`, whatever the keys hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyspace(Arc<str>);

impl Keyspace {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Checks a name: 1 to 128 characters of `A-Z a-z 0-9 - _ . :`, not beginning with `.` (such names are kept for
    /// what a backend must store about itself).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], naming what was wrong.
    pub fn new(name: impl AsRef<str>) -> Result<Keyspace> {
        let name = name.as_ref();
        let refuse = |why: String| Err(Error::new(ErrorKind::Invalid, why));
        if name.is_empty() {
            return refuse("a keyspace needs a name: it is empty".into());
        }
        if name.len() > Self::MAX_LEN {
            return refuse(format!(
                "the keyspace name is {} bytes long; at most {} are allowed",
                name.len(),
                Self::MAX_LEN
            ));
        }
        if name.starts_with('.') {
            return refuse(format!(
                "the keyspace name {name:?} begins with a dot: those are kept for the log's own records"
            ));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        match name.chars().find(|c| !allowed(*c)) {
            Some(bad) => refuse(format!(
                "the keyspace name {name:?} holds {bad:?}; allowed are A-Z a-z 0-9 - _ . :"
            )),
            None => Ok(Keyspace(name.into())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<&str> for Keyspace {
    type Error = Error;

    fn try_from(name: &str) -> Result<Keyspace> {
        Keyspace::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_reach_into_another_keyspace_are_refused() {
        for bad in [
            "",
            "a/b",
            "/",
            ".globe",
            "prod/.globe",
            "a b",
            "ä",
            "a\0",
            &"x".repeat(129),
        ] {
            let error = Keyspace::new(bad).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Invalid),
                "{bad:?}: {error}"
            );
        }
        for good in ["a", "flags", "prod.eu-1:flags_2", &"x".repeat(128)] {
            assert_eq!(Keyspace::new(good).unwrap().as_str(), good);
        }
    }
}
