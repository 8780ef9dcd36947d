//! The names of locks and their kin, and the keys that are made of them.
//!
//! Never makes one key of two names: what would end a name is escaped.

use std::fmt::Write;

use crate::{Error, ErrorKind, Result};

/// The longest name, in bytes, as it stands in a key.
const MAX: usize = 512;

/// A name as it stands in a key: `/`, `%` and control characters are escaped as in a URL.
pub(crate) fn escaped(kind: &str, name: &str) -> Result<String> {
    if name.is_empty() {
        return refuse(format!("the name of a {kind} has no characters"));
    }
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '/' | '%') || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing to a text cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        } else {
            escaped.push(character);
        }
    }
    let length = escaped.len();
    if length > MAX {
        return refuse(format!(
            "the name of a {kind} takes {length} bytes in a key: at most {MAX} are allowed"
        ));
    }
    Ok(escaped)
}

fn refuse(why: String) -> Result<String> {
    Err(Error::new(ErrorKind::Invalid, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_make_one_key() {
        let table = [
            ("invoices", "invoices"),
            ("a/b", "a%2Fb"),
            ("a%2Fb", "a%252Fb"),
            ("a\nb\u{85}", "a%0Ab%C2%85"),
            ("Zürich .", "Zürich ."),
        ];
        for (name, key) in table {
            assert_eq!(escaped("lock", name).unwrap(), key);
        }
    }

    #[test]
    fn a_name_without_characters_or_with_too_many_is_refused() {
        for name in [String::new(), "x".repeat(513), "/".repeat(200)] {
            let error = escaped("lock", &name).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("the name of a lock"), "{error}");
        }
    }
}
