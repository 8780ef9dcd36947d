//! The part of a log one map lives in.
//!
//! Never looks at what is stored there.

use std::fmt;
use std::sync::Arc;

/// The name of the range of a log that one map lives in.
///
/// Prefix-safe by construction: a name has no `/`, and a backend stores the key `k` of keyspace `flags` as `flags/k`
/// (or in a table, stream or hash of that name), so `foo` never sees a record of `foobar`, whatever the keys hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyspace(Arc<str>);

impl Keyspace {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// A name that was checked by [`Keyspace::problem`].
    pub(crate) fn checked(name: &str) -> Keyspace {
        Keyspace(name.into())
    }

    /// What is wrong with a name, if anything is.
    pub(crate) fn problem(name: &str) -> Option<String> {
        if name.is_empty() {
            return Some("a keyspace needs a name: it is empty".into());
        }
        let (length, limit) = (name.len(), Self::MAX_LEN);
        if length > limit {
            return Some(format!(
                "the keyspace name is {length} bytes long; at most {limit} are allowed"
            ));
        }
        if name.starts_with('.') {
            return Some(format!(
                "the keyspace name {name:?} begins with a dot: those are kept for the log's own records"
            ));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        let bad = name.chars().find(|c| !allowed(*c))?;
        Some(format!(
            "the keyspace name {name:?} holds {bad:?}; allowed are A-Z a-z 0-9 - _ . :"
        ))
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
