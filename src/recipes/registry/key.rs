//! The keys of members: `{service}/{id}`, each escaped.
//!
//! Never takes two keys for one member: a name that is escaped otherwise than a registry would is no name.

use crate::Result;
use crate::recipes::name::escaped;

/// The key of a member.
pub(crate) fn key_of(service: &str, id: &str) -> Result<String> {
    let (service, id) = (escaped("service", service)?, escaped("member", id)?);
    Ok(format!("{service}/{id}"))
}

/// The service and the id that a key is of; `None` for one that is no member's.
pub(crate) fn names_in(key: &str) -> Option<(String, String)> {
    let (service, id) = key.split_once('/')?;
    Some((unescaped(service)?, unescaped(id)?))
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => digit(rest.next()?)? * 16 + digit(rest.next()?)?,
            byte => byte,
        };
        bytes.push(byte);
    }
    let name = String::from_utf8(bytes).ok()?;
    let again = escaped("member", &name).ok()?;
    (again == text).then_some(name)
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_the_names_it_was_made_of() {
        for (service, id) in [("billing", "web-7"), ("a/b", "c%2F/"), ("Zürich", "1\n2")] {
            let key = key_of(service, id).unwrap();
            let names = Some((service.to_owned(), id.to_owned()));
            assert_eq!(names_in(&key), names, "{key}");
        }
    }

    #[test]
    fn what_a_registry_would_not_write_is_no_member() {
        let strange = [
            "", "a", "a/", "/a", "a/b/c", "a/%2f", "a/%41", "a/%", "a/%FF",
        ];
        for key in strange {
            assert_eq!(names_in(key), None, "{key}");
        }
    }
}
