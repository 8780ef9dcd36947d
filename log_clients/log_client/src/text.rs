//! The nouns that travel as text, read back from it: names of keyspaces, epochs, positions, versions, leases.
//!
//! Never takes two texts for one thing: only what [`Display`](fmt::Display) writes is read; a lease may be filled up with
//! zeros besides, as the tools of logs write it.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::keyspace::Keyspace;
use crate::lease::LeaseId;
use crate::position::{Epoch, Position, Revision, Version};

impl Keyspace {
    /// Checks a name: 1 to 128 characters of `A-Z a-z 0-9 - _ . :`, not beginning with `.` (such names are kept for
    /// what a backend must store about itself).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], naming what was wrong.
    pub fn new(name: impl AsRef<str>) -> Result<Keyspace> {
        let name = name.as_ref();
        match Keyspace::problem(name) {
            Some(problem) => Err(Error::new(ErrorKind::Invalid, problem)),
            None => Ok(Keyspace::checked(name)),
        }
    }
}

impl TryFrom<&str> for Keyspace {
    type Error = Error;

    fn try_from(name: &str) -> Result<Keyspace> {
        Keyspace::new(name)
    }
}

impl FromStr for Epoch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Epoch> {
        let form = "an epoch is written as 16 hexadecimal digits, like 00000000000000fe";
        canonical(text, hexadecimal(text).map(Epoch::new), form)
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Position> {
        let form = "a position is written REVISION@EPOCH, like 7@00000000000000fe";
        let parts = revision_and_epoch(text, '@');
        let position = parts.map(|(revision, epoch)| Position::new(epoch, revision));
        canonical(text, position, form)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Version> {
        let form = "a version is written REVISION-EPOCH, like 7-00000000000000fe";
        let parts = revision_and_epoch(text, '-');
        let version = parts.map(|(revision, epoch)| Version::new(epoch, revision));
        canonical(text, version, form)
    }
}

impl FromStr for LeaseId {
    type Err = Error;

    fn from_str(text: &str) -> Result<LeaseId> {
        let form = "a lease is written in hexadecimal digits, like 694d9a2f00e1c07b";
        let zeros = text.len() - text.trim_start_matches('0').len();
        // All of 16 digits may be zeros but the last.
        let digits = match text.len() {
            1..=16 => text.split_at(zeros.min(text.len() - 1)).1,
            _ => text,
        };
        canonical(digits, hexadecimal(digits).map(LeaseId::new), form)
    }
}

fn revision_and_epoch(text: &str, between: char) -> Option<(Revision, Epoch)> {
    let (revision, epoch) = text.split_once(between)?;
    Some((
        Revision(revision.parse().ok()?),
        Epoch::new(hexadecimal(epoch)?),
    ))
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// What was parsed, if it is written as it was read.
fn canonical<T: fmt::Display>(text: &str, parsed: Option<T>, form: &str) -> Result<T> {
    let canonical = parsed.filter(|parsed| parsed.to_string() == text);
    canonical.ok_or_else(|| Error::new(ErrorKind::Invalid, form))
}

/// What serde writes and reads: the text, which survives JavaScript (whose numbers end at 53 bits) and can be a key of a
/// JSON object.
macro_rules! travels_as_text {
    ($($noun:ty),*) => {$(
        impl From<$noun> for String {
            fn from(noun: $noun) -> String {
                noun.to_string()
            }
        }

        impl TryFrom<String> for $noun {
            type Error = Error;

            fn try_from(text: String) -> Result<$noun> {
                text.parse()
            }
        }
    )*};
}

travels_as_text!(Epoch, Position, Version, LeaseId);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::{Debug, Display};
    use std::hash::Hash;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

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

    /// Numbers with every count of digits, and both ends.
    fn numbers() -> impl Iterator<Item = u64> {
        let ends = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit]);
        ends.chain([u64::MAX, 0x0123_4567_89ab_cdef])
    }

    fn read_back<T>(noun: T)
    where
        T: Display + Debug + PartialEq + FromStr<Err = Error> + Serialize + DeserializeOwned,
    {
        assert_eq!(noun.to_string().parse::<T>().unwrap(), noun);
        let json = serde_json::to_string(&noun).unwrap();
        assert_eq!(json, format!("\"{noun}\""));
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), noun);
    }

    #[test]
    fn a_noun_that_travels_is_read_back_from_its_text() {
        for epoch in numbers() {
            read_back(Epoch::new(epoch));
            read_back(LeaseId::new(epoch));
            for revision in numbers() {
                read_back(Version::new(Epoch::new(epoch), Revision(revision)));
                read_back(Position::new(Epoch::new(epoch), Revision(revision)));
            }
        }
    }

    #[test]
    fn a_lease_is_read_as_the_tools_of_logs_write_it() {
        for id in numbers() {
            let lease: LeaseId = format!("{id:016x}").parse().unwrap();
            assert_eq!(lease, LeaseId::new(id));
        }
        for bad in [
            "",
            "00000000000000001",
            "0x1",
            "0A",
            "000g",
            "+1",
            "0+1",
            "é",
        ] {
            let error = bad.parse::<LeaseId>().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Invalid), "{bad:?}");
        }
    }

    #[test]
    fn a_noun_that_travels_can_be_a_key_of_a_json_object() {
        fn as_key<T: Eq + Hash + Ord + Serialize + DeserializeOwned>(noun: T) {
            let json = serde_json::to_string(&BTreeMap::from([(&noun, 1)])).unwrap();
            let back: BTreeMap<T, u8> = serde_json::from_str(&json).unwrap();
            assert!(back.contains_key(&noun), "{json}");
        }
        fn as_hashed_key<T: Eq + Hash + Serialize + DeserializeOwned>(noun: T) {
            let map = std::collections::HashMap::from([(&noun, 1)]);
            let json = serde_json::to_string(&map).unwrap();
            let back: std::collections::HashMap<T, u8> = serde_json::from_str(&json).unwrap();
            assert!(back.contains_key(&noun), "{json}");
        }
        let epoch = Epoch::new(u64::MAX);
        as_hashed_key(epoch);
        as_hashed_key(Position::new(epoch, Revision(u64::MAX)));
        as_hashed_key(Version::new(epoch, Revision(u64::MAX)));
        as_key(LeaseId::new(u64::MAX));
    }

    /// Texts that are almost `good`: a character too many, wherever.
    fn one_more(good: &str) -> impl Iterator<Item = String> {
        let places = 0..=good.len();
        places.flat_map(move |at| {
            [' ', '\n', '\0', '0', '-', '_'].map(|extra| {
                let mut text = String::from(good);
                text.insert(at, extra);
                text
            })
        })
    }

    fn refused<T: FromStr<Err = Error> + Debug + DeserializeOwned>(text: &str) {
        let error = text.parse::<T>().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Invalid, "{text:?}");
        let json = serde_json::to_string(text).unwrap();
        serde_json::from_str::<T>(&json).unwrap_err();
    }

    /// What stands for `-` in a text of the other kind.
    const BAD: &[&str] = &[
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
        "7\u{2013}00000000000000fe",
        "W/7-00000000000000fe",
        "\"7-00000000000000fe\"",
    ];

    #[test]
    fn a_text_that_is_not_canonical_is_nothing() {
        let good = "7-00000000000000fe";
        good.parse::<Version>().unwrap();
        // `70-…` is another version, and a good one.
        let almost = one_more(good).filter(|text| !text.starts_with("70-"));
        for text in BAD.iter().map(|text| String::from(*text)).chain(almost) {
            refused::<Version>(&text);
            refused::<Position>(&text.replace('-', "@"));
        }
        refused::<Version>("7@00000000000000fe");
        refused::<Position>("7-00000000000000fe");
        for text in [
            "",
            "fe",
            "0x000000000000fe",
            "00000000000000FE",
            "+0000000000000fe",
        ] {
            refused::<Epoch>(text);
        }
        for text in [
            "",
            "000000000000000fe",
            "FE",
            "+fe",
            "-1",
            "0xfe",
            "10000000000000000",
        ] {
            refused::<LeaseId>(text);
        }
    }
}
