//! The types of `std` that can be keys (and `uuid::Uuid`), each written in one way only.
//!
//! Nothing here knows a map: what a key is for stands at [`Key`].

use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use globe_log_client::Result;

use crate::entry::key::{Key, key_error};

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

            fn is_written(&self, text: &str) -> bool {
                !self.is_empty() && **self == *text
            }

            fn cmp_text(&self, text: &str) -> Option<Ordering> {
                Some((**self).cmp(text))
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

            fn is_written(&self, text: &str) -> bool {
                is_shown(text, format_args!("{self:0width$}", width = $digits))
            }
        }
    )*};
}

/// The sign of an integer, and what is written behind it.
macro_rules! sign_and_number {
    ($key:ident, $int:ty) => {
        match *$key < 0 {
            true => ("-", $key.abs_diff(<$int>::MIN)),
            false => ("", $key.unsigned_abs()),
        }
    };
}

/// Negative integers are written as `-` and the distance from the smallest one, which sorts before all digits and in
/// their order; the others as unsigned ones.
macro_rules! signed_keys {
    ($($int:ty, $unsigned:ty: $digits:literal),*) => {$(
        impl Key for $int {
            fn encode(&self) -> Result<String> {
                let (sign, number) = sign_and_number!(self, $int);
                Ok(format!("{sign}{number:0width$}", width = $digits))
            }

            fn is_written(&self, text: &str) -> bool {
                let (sign, number) = sign_and_number!(self, $int);
                is_shown(text, format_args!("{sign}{number:0width$}", width = $digits))
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

/// Whether something is shown as this text, which is told without writing it down.
fn is_shown(text: &str, what: fmt::Arguments<'_>) -> bool {
    /// What is left of the text behind what was shown so far.
    struct Rest<'a>(&'a str);

    impl fmt::Write for Rest<'_> {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(piece).ok_or(fmt::Error)?;
            Ok(())
        }
    }

    let mut rest = Rest(text);
    fmt::write(&mut rest, what).is_ok() && rest.0.is_empty()
}

/// The key, if it is written as we would write it: otherwise two texts would be one key.
fn canonical<K: Key>(text: &str, key: Option<K>, name: &str, digits: usize) -> Result<K> {
    match key {
        Some(key) if key.is_written(text) => Ok(key),
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
        assert!(key.is_written(&text), "{text:?}");
        for other in [format!("{text}0"), format!("0{text}"), String::new()] {
            assert!(!key.is_written(&other), "{text:?} is not {other:?}");
        }
        assert!(!key.is_written(&text[..text.len() - last_width(&text)]));
    }

    fn last_width(text: &str) -> usize {
        text.chars().next_back().map_or(0, char::len_utf8)
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
        fn a_text_stands_to_a_key_as_the_key_that_is_written_so(a in "[a-c%]{1,3}", b in "[a-c%]{1,3}") {
            prop_assert_eq!(a.cmp_text(&b), Some(a.cmp(&b)));
            let (c, d) = (Arc::<str>::from(a), Arc::<str>::from(b));
            prop_assert_eq!(c.cmp_text(&d), Some(c.cmp(&d)));
            prop_assert_eq!(Box::<str>::from(&*c).cmp_text(&d), Some(c.cmp(&d)));
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
