//! What can be a key of a map, and how it is written in the log: as text, readable in the log's own tools.
//!
//! Nothing here looks at values.

use std::cmp::Ordering;
use std::hash::Hash;
use std::panic::catch_unwind;

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
/// - `Hash`, `Eq`, `Ord`, `cmp_text`, `Borrow` and `Clone` MUST agree with each other, as for any map, and MUST neither wait nor
///   call a map: the map waits for them. One that panics while the log is followed, for which nothing is cloned, ends the map as
///   [`Phase::Failed`](crate::Phase::Failed).
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

    /// Whether [`encode`](Key::encode) would write this text: asked of every record that arrives, so a key type that can tell
    /// without writing it says so here. MUST be true exactly where `encode` gives that text; as it is by default.
    fn is_written(&self, text: &str) -> bool {
        self.encode().is_ok_and(|written| written == text)
    }

    /// How this key is ordered beside the one that is written like this text, as `Ord` would order the two: asked for each record
    /// that arrives, of O(log n) keys, so that a key that is there already is not read, and made, once more. `None` (the default)
    /// where that cannot be told without reading the text. A wrong answer loses nothing: the text is read then.
    fn cmp_text(&self, _text: &str) -> Option<Ordering> {
        None
    }

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
        if key.is_written(text) {
            return Ok(Some(key));
        }
        // Why it is not: it may be that it cannot be written at all.
        key.encode().map(|_| None)
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
    std::str::from_utf8(text).is_ok_and(|text| key.is_written(text))
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
