//! What can be a key of a map, and how it is written in the log: as text, readable in the log's own tools.
//!
//! Nothing here looks at values.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::catch_unwind;
use std::str::FromStr;
use std::sync::Arc;

use globe_log_client::{Error, ErrorKind, Result};

/// A key of a [`Globe`](crate::Globe).
///
/// Implemented for texts (`String`, `Arc<str>`, `Box<str>`, `char`), the integers, `bool`, addresses (`IpAddr`, `Ipv4Addr`,
/// `Ipv6Addr`, `SocketAddr`), tuples of two to four keys, and `uuid::Uuid` (feature `uuid`). Each is written in one way only:
/// a record that spells it otherwise is quarantined. Texts, integers and `bool` are in the log in their own order; addresses
/// are not (`10.0.0.9` stands before `10.0.0.10` in a view, and behind it in the log).
///
/// To use a type of your own, say how it is written and read:
///
/// ```
/// use globe::{Error, Key, Result};
///
/// #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// struct Host { region: String, number: u16 }
///
/// impl Key for Host {
///     fn encode(&self) -> Result<String> {
///         Ok(format!("{}-{}", self.region, self.number))
///     }
///     fn decode(text: &str) -> Result<Host> {
///         let parts = text.rsplit_once('-');
///         let (region, number) = parts
///             .ok_or_else(|| globe::key_error("a host is REGION-NUMBER"))?;
///         let number = number.parse();
///         let number = number
///             .map_err(|_| globe::key_error("the number fits in 16 bits"))?;
///         Ok(Host { region: region.into(), number })
///     }
/// }
/// # assert!(Host::decode("eu-7").unwrap() == Host { region: "eu".into(), number: 7 });
/// ```
///
/// - `decode` MUST give back what `encode` wrote, and nothing else: `decode(encode(k)) == k`. A key for which that is not
///   so is refused before it is sent, and a record whose text `encode` would not have written is quarantined, so that no
///   two records of the log become one entry. Keys that are equal MUST be written alike; of two records whose keys are not,
///   one is shown (which, may differ between nodes) and the other kept out.
/// - `Hash`, `Eq`, `Ord`, `Borrow` and `Clone` MUST agree with each other, as for any map, and MUST neither wait nor call a
///   map: the map waits for them. One that panics ends the map as [`Phase::Failed`](crate::Phase::Failed).
/// - The order of entries in a view is the order of `Ord`; it need not be the order of the texts.
pub trait Key: Ord + Hash + Clone + Send + Sync + 'static {
    /// The key as text. It may hold any character, but must not be empty. A log may keep keys in a folder `.globe`
    /// (`.globe/…`, `…/.globe/…`) for itself, and refuse them.
    ///
    /// # Errors
    /// [`key_error`] when this value cannot be a key.
    fn encode(&self) -> Result<String>;

    /// Reads a key from the log, where another program may have written it.
    ///
    /// # Errors
    /// [`key_error`] when the text is not such a key: the record is then quarantined.
    fn decode(text: &str) -> Result<Self>;

    /// The smallest key whose text is not less than `text`, if keys are in the order of their texts, as bytes: then
    /// [`Globe::delete_prefix`](crate::Globe::delete_prefix) looks at no others than those it deletes. `None` (the default)
    /// where they are not, or it cannot be told: it then looks at all.
    fn at_or_after(_text: &str) -> Option<Self> {
        None
    }
}

/// Reads a key as it stands in the log; otherwise says why it is none. A text that would not have been written for that key
/// is none: two records would be one entry. A `decode` that panics could not decode it.
pub(crate) fn decode_key<K: Key>(key: &[u8]) -> Result<K, String> {
    let text = std::str::from_utf8(key).map_err(|_| "the key is not UTF-8".to_owned())?;
    let read = || {
        let key = K::decode(text)?;
        let is_canonical = key.encode()? == text;
        Ok(is_canonical.then_some(key))
    };
    match catch_unwind(read) {
        Ok(Ok(Some(key))) => Ok(key),
        Ok(Ok(None)) => Err("the key is not written as it would be here".to_owned()),
        Ok(Err(error)) => Err(Error::context(&error).to_owned()),
        Err(_) => Err("decoding the key panicked".to_owned()),
    }
}

/// Whether a key is written like this: of two keys that are equal but are not written alike, only one can be shown.
pub(crate) fn is_written<K: Key>(key: &K, text: &[u8]) -> bool {
    key.encode().is_ok_and(|written| written.as_bytes() == text)
}

/// Writes a key as it will stand in the log. One that would not be read back as itself is refused: nobody could find it.
pub(crate) fn encode_key<K: Key>(key: &K) -> Result<String> {
    let text = key.encode()?;
    let again = catch_unwind(|| K::decode(&text))
        .unwrap_or_else(|_| Err(key_error("decoding the key panicked")))
        .map_err(|error| error.while_doing("the key cannot be read as it was written"))?;
    if again == *key {
        return Ok(text);
    }
    Err(key_error("the key is read as another one than was written"))
}

/// An error that says why something cannot be a key.
pub fn key_error(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Codec, why)
}

/// Texts are written as they are, whatever holds them.
macro_rules! text_keys {
    ($($text:ty),*) => {$(
        impl Key for $text {
            fn encode(&self) -> Result<String> {
                if self.is_empty() {
                    return Err(key_error("the key is empty"));
                }
                Ok(self.to_string())
            }

            fn decode(text: &str) -> Result<$text> {
                Ok(text.into())
            }

            fn at_or_after(text: &str) -> Option<$text> {
                Some(text.into())
            }
        }
    )*};
}

text_keys!(String, Arc<str>, Box<str>);

impl Key for char {
    fn encode(&self) -> Result<String> {
        Ok(self.to_string())
    }

    fn decode(text: &str) -> Result<char> {
        let key = text.parse();
        key.map_err(|_| key_error(format!("{text:?} is not one character")))
    }

    fn at_or_after(text: &str) -> Option<char> {
        let Some(first) = text.chars().next() else {
            return Some('\0');
        };
        match text.len() > first.len_utf8() {
            true => (first..=char::MAX).nth(1),
            false => Some(first),
        }
    }
}

impl Key for bool {
    fn encode(&self) -> Result<String> {
        Ok(self.to_string())
    }

    fn decode(text: &str) -> Result<bool> {
        let key = text.parse();
        key.map_err(|_| key_error(format!("{text:?} is neither true nor false")))
    }

    fn at_or_after(text: &str) -> Option<bool> {
        let keys = [("false", false), ("true", true)];
        keys.iter().find(|key| key.0 >= text).map(|key| key.1)
    }
}

/// Addresses are written as they are shown. Their order is not that of these texts.
macro_rules! address_keys {
    ($($address:ty),*) => {$(
        impl Key for $address {
            fn encode(&self) -> Result<String> {
                Ok(self.to_string())
            }

            fn decode(text: &str) -> Result<$address> {
                shown_like(text, stringify!($address))
            }
        }
    )*};
}

address_keys!(IpAddr, Ipv4Addr, Ipv6Addr);

impl Key for SocketAddr {
    fn encode(&self) -> Result<String> {
        match self {
            SocketAddr::V6(address) if address.flowinfo() != 0 => {
                Err(key_error("the flow of a socket address cannot be written"))
            }
            _ => Ok(self.to_string()),
        }
    }

    fn decode(text: &str) -> Result<SocketAddr> {
        shown_like(text, "SocketAddr")
    }
}

/// The key, if it is shown as it is written here: `::1` has other spellings.
fn shown_like<K: FromStr + ToString>(text: &str, name: &str) -> Result<K> {
    let key = text.parse().ok().filter(|key: &K| key.to_string() == text);
    key.ok_or_else(|| key_error(format!("{text:?} is not an {name} as it is written here")))
}

/// Unsigned integers are written with leading zeros, so that the log's own tools list them in their order.
macro_rules! unsigned_keys {
    ($($int:ty: $digits:literal),*) => {$(
        impl Key for $int {
            fn encode(&self) -> Result<String> {
                Ok(format!("{self:0width$}", width = $digits))
            }

            fn decode(text: &str) -> Result<$int> {
                canonical(text, text.parse().ok(), stringify!($int), $digits)
            }
        }
    )*};
}

/// Negative integers are written as `-` and the distance from the smallest one, which sorts before all digits and in
/// their order; the others as unsigned ones.
macro_rules! signed_keys {
    ($($int:ty, $unsigned:ty: $digits:literal),*) => {$(
        impl Key for $int {
            fn encode(&self) -> Result<String> {
                let sign = if *self < 0 { "-" } else { "" };
                let number = if *self < 0 { self.abs_diff(<$int>::MIN) } else { self.unsigned_abs() };
                Ok(format!("{sign}{number:0width$}", width = $digits))
            }

            fn decode(text: &str) -> Result<$int> {
                let number = match text.strip_prefix('-') {
                    Some(distance) => distance.parse().ok().and_then(|d: $unsigned| <$int>::MIN.checked_add_unsigned(d)),
                    None => text.parse().ok(),
                };
                canonical(text, number, stringify!($int), $digits)
            }
        }
    )*};
}

unsigned_keys!(u8: 3, u16: 5, u32: 10, u64: 20, u128: 39);
signed_keys!(i8, u8: 3, i16, u16: 5, i32, u32: 10, i64, u64: 19, i128, u128: 39);

/// The key, if it is written as we would write it: otherwise two texts would be one key.
fn canonical<K: Key>(text: &str, key: Option<K>, name: &str, digits: usize) -> Result<K> {
    match key {
        Some(key) if key.encode()? == text => Ok(key),
        _ => Err(key_error(format!(
            "{text:?} is not a {name} as it is written here, like {:?}",
            format!("{:0digits$}", 7)
        ))),
    }
}

/// Tuples are written as a path, `a/b`; a `/` or `%` inside a part is written `%2F` or `%25`.
macro_rules! tuple_keys {
    ($(($($part:ident $index:tt),+) $count:literal),*) => {$(
        impl<$($part: Key),+> Key for ($($part,)+) {
            fn encode(&self) -> Result<String> {
                Ok([$(escape(&self.$index.encode()?)),+].join("/"))
            }

            fn decode(text: &str) -> Result<Self> {
                let parts: Vec<&str> = text.split('/').collect();
                if parts.len() != $count {
                    return Err(key_error(format!("{text:?} is not a path of {} parts", $count)));
                }
                Ok(($($part::decode(&unescape(parts[$index])?)?,)+))
            }
        }
    )*};
}

tuple_keys!((A 0, B 1) 2, (A 0, B 1, C 2) 3, (A 0, B 1, C 2, D 3) 4);

fn escape(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

fn unescape(part: &str) -> Result<String> {
    let plain = part.replace("%2F", "/").replace("%25", "%");
    if escape(&plain) == part {
        Ok(plain)
    } else {
        Err(key_error(format!(
            "{part:?} is not a part of a path as it is written here: only %2F and %25 are escapes"
        )))
    }
}

#[cfg(feature = "uuid")]
impl Key for uuid::Uuid {
    fn encode(&self) -> Result<String> {
        Ok(self.hyphenated().to_string())
    }

    fn decode(text: &str) -> Result<uuid::Uuid> {
        let key = uuid::Uuid::try_parse(text)
            .ok()
            .filter(|uuid| uuid.hyphenated().to_string() == text);
        key.ok_or_else(|| key_error(format!("{text:?} is not a lower-case hyphenated UUID")))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use proptest::prelude::*;

    use super::*;

    fn survives<K: Key + std::fmt::Debug>(key: K) {
        let text = key.encode().unwrap();
        assert_eq!(K::decode(&text).unwrap(), key, "{text:?}");
    }

    proptest! {
        #[test]
        fn a_key_is_read_as_it_was_written(a: u64, b: i64, c: i8, d: u128, text in "\\PC{1,20}", other in "[/%25F]{1,8}") {
            survives(a);
            survives(b);
            survives(c);
            survives(d);
            survives((text.clone(), b));
            survives((other, text, a));
        }

        #[test]
        fn texts_addresses_and_truths_are_read_as_they_were_written(text in "\\PC{1,20}", c: char, yes: bool, v4: u32, v6: u128, port: u16, scope: u32) {
            survives(Arc::<str>::from(text.as_str()));
            survives(Box::<str>::from(text.as_str()));
            survives((c, yes));
            let (v4, v6) = (Ipv4Addr::from(v4), Ipv6Addr::from(v6));
            survives(v4);
            survives(v6);
            survives(v4.to_ipv6_mapped());
            survives((IpAddr::from(v4), IpAddr::from(v6)));
            survives(SocketAddr::new(v4.into(), port));
            survives((SocketAddr::new(v6.into(), port), text));
            survives(SocketAddr::V6(SocketAddrV6::new(v6, port, 0, scope)));
        }

        #[test]
        fn texts_and_truths_are_written_in_their_order(a: char, b: char, c: bool, d: bool, e in "\\PC{1,3}", f in "\\PC{1,3}") {
            prop_assert_eq!(a.cmp(&b), a.encode()?.cmp(&b.encode()?));
            prop_assert_eq!(c.cmp(&d), c.encode()?.cmp(&d.encode()?));
            let (e, f) = (Arc::<str>::from(e), Arc::<str>::from(f));
            prop_assert_eq!(e.cmp(&f), e.encode()?.cmp(&f.encode()?));
        }

        #[test]
        fn the_first_key_at_or_after_a_text_leaves_none_out(text in "\\PC{0,2}", c: char, yes: bool) {
            let is_first = |written: String, begins: Option<bool>| match begins {
                Some(begins) => begins == (written >= text),
                None => true,
            };
            let first = char::at_or_after(&text);
            prop_assert!(is_first(c.encode()?, first.map(|first| c >= first)), "{:?} {:?}", text, first);
            let first = bool::at_or_after(&text);
            prop_assert!(is_first(yes.encode()?, first.map(|first| yes >= first)), "{:?} {:?}", text, first);
        }

        #[test]
        fn integers_are_written_in_their_order(a: i64, b: i64, c: u32, d: u32, e: i8, f: i8) {
            prop_assert_eq!(a.cmp(&b), a.encode()?.cmp(&b.encode()?));
            prop_assert_eq!(c.cmp(&d), c.encode()?.cmp(&d.encode()?));
            prop_assert_eq!(e.cmp(&f), e.encode()?.cmp(&f.encode()?));
        }
    }

    #[test]
    fn the_extremes_survive() {
        survives(i64::MIN);
        survives(i64::MAX);
        survives(i8::MIN);
        survives(i128::MIN);
        survives(u128::MAX);
        survives(0_i32);
        survives(-1_i32);
    }

    #[test]
    fn a_text_that_would_not_have_been_written_is_no_key() {
        assert!(u64::decode("7").is_err(), "two texts must not be one key");
        assert!(u8::decode("999").is_err());
        assert!(i64::decode("+000000000000000007").is_err());
        assert!(<(String, String)>::decode("a").is_err());
        assert!(<(String, String)>::decode("a/b/c").is_err());
        assert!(<(String, String)>::decode("a/%41").is_err());
        assert!(String::new().encode().is_err());
        assert!(Arc::<str>::from("").encode().is_err());
        assert!(char::decode("ab").is_err() && char::decode("").is_err());
        assert!(bool::decode("True").is_err() && bool::decode("1").is_err());
        assert!(Ipv6Addr::decode("0:0::1").is_err(), "it is ::1");
        assert!(IpAddr::decode("::FFFF").is_err());
        assert!(Ipv4Addr::decode("127.0.0.01").is_err());
        assert!(SocketAddr::decode("127.0.0.1:080").is_err());
        assert!(SocketAddr::decode("[::1%07]:80").is_err());
    }

    #[test]
    fn a_socket_address_with_a_flow_is_refused_for_it_could_not_be_read_again() {
        let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 7, 0);
        assert!(SocketAddr::V6(address).encode().is_err());
    }
}
