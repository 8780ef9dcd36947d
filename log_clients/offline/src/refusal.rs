//! Why nothing of a file is believed.
//!
//! Never holds anything that stands in it but a name and a number of its head.

use std::error::Error;
use std::fmt;

use crate::file::VERSION;

/// Why a copy is not used. Whatever it is, a process starts as if there were none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is the file of something else.
    Foreign,
    /// It is of a newer version than this program knows: that one.
    Newer(u32),
    /// It is damaged, or cut, before the end of what it must hold.
    Damaged,
    /// It is of another keyspace: that one.
    Elsewhere(String),
    /// It is encrypted, and nothing is set to decrypt it with.
    Sealed,
    /// It is not encrypted, and a seal is set.
    Unsealed,
    /// What is set to decrypt it does not open it: why.
    Unopened(String),
    /// The disk does not let it be read: why.
    Unreadable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Foreign => f.write_str("it is the file of something else"),
            Refusal::Newer(version) => write!(
                f,
                "it is of version {version}; this program knows version {VERSION}"
            ),
            Refusal::Damaged => f.write_str("it is damaged, or cut"),
            Refusal::Elsewhere(keyspace) => write!(f, "it is of the keyspace {keyspace:?}"),
            Refusal::Sealed => {
                f.write_str("it is encrypted, and nothing is set to decrypt it with")
            }
            Refusal::Unsealed => f.write_str("it is not encrypted, and a seal is set"),
            Refusal::Unopened(why) => write!(f, "it cannot be decrypted: {why}"),
            Refusal::Unreadable(why) => write!(f, "it cannot be read: {why}"),
        }
    }
}

impl Error for Refusal {}
