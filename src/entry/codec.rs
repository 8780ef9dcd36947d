//! How values are written in the log.
//!
//! A codec never sees a key, and its errors never show a value.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a value could not be written or read. Shown to people: it must not hold the value.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// How bytes from the log become values of type `V`: all that reading needs.
///
/// Called once for every record that arrives; a read never decodes. It is handed whatever another program wrote: it must
/// answer with an error, never panic.
///
/// Alone it is enough for a [`Reader`](crate::Reader):
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// use globe::{CodecError, Decode, Globe, MemoryLog, Reader};
///
/// /// The length of a text, whatever it says.
/// struct Length;
///
/// impl Decode<usize> for Length {
///     fn decode(&self, bytes: &[u8]) -> Result<usize, CodecError> {
///         Ok(std::str::from_utf8(bytes)?.len())
///     }
/// }
///
/// # let log = MemoryLog::new();
/// # let names: Globe<String, u64> = Globe::open(log.clone(), "names").await?;
/// # names.put("a", 1234).await?;
/// let lengths: Reader<String, usize> =
///     Reader::builder_with(log, "names", Length).open().await?;
/// # assert_eq!(lengths.get("a").as_deref(), Some(&4));
/// # Ok(()) }
/// ```
pub trait Decode<V>: Send + Sync + 'static {
    /// The value from bytes.
    ///
    /// # Errors
    /// When these bytes are not such a value. The record is then quarantined, with this reason.
    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError>;
}

/// How values of type `V` become bytes in the log: the half of a [`Codec`] that writes.
///
/// Called once for each value that is written, however often the write is tried. It must neither wait nor call a map.
pub trait Encode<V>: Send + Sync + 'static {
    /// The value as bytes.
    ///
    /// # Errors
    /// When this value cannot be written.
    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError>;
}

/// Both directions of one format: what a map that is written needs. Everything that can do both is one.
///
/// What was encoded is decoded once before it is sent, to see that it can be: a value that could not be read again (a float
/// in JSON that is no number, a field that is skipped when written and has no default) is refused with `Codec`.
///
/// ```
/// use globe::{CodecError, Decode, Encode, Globe, MemoryLog};
///
/// /// One byte.
/// struct Byte;
///
/// impl Encode<u8> for Byte {
///     fn encode(&self, value: &u8) -> Result<Vec<u8>, CodecError> {
///         Ok(vec![*value])
///     }
/// }
///
/// impl Decode<u8> for Byte {
///     fn decode(&self, bytes: &[u8]) -> Result<u8, CodecError> {
///         bytes.first().copied().ok_or_else(|| "there is no byte".into())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// let log = MemoryLog::new();
/// let map: Globe<String, u8> =
///     Globe::builder_with(log, "bytes", Byte).open().await?;
/// map.put("a", 7).await?;
/// # assert_eq!(map.get("a").as_deref(), Some(&7));
/// # Ok(()) }
/// ```
pub trait Codec<V>: Encode<V> + Decode<V> {}

impl<V, C: Encode<V> + Decode<V>> Codec<V> for C {}

/// A value as bytes that can be read again: what nobody could decode is not sent.
pub(crate) fn encode<V: 'static>(codec: &dyn Codec<V>, value: &V) -> Result<Vec<u8>, String> {
    let bytes = codec.encode(value).map_err(|error| error.to_string())?;
    let decode = || {
        let decoded = codec.decode(&bytes).map(drop);
        decoded.map_err(|error| error.to_string())
    };
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(error)) => Err(format!("what was written cannot be read again: {error}")),
        Err(_) => Err("what was written cannot be read again: the codec panicked".to_owned()),
    }
}

/// JSON: the default. Readable in the log's own tools, and by other languages. Floats come back exactly; those that are no
/// number cannot be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<V: Serialize> Encode<V> for Json {
    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError> {
        serde_json::to_vec(value).map_err(|error| Discreet::json(&error).into())
    }
}

impl<V: DeserializeOwned> Decode<V> for Json {
    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError> {
        serde_json::from_slice(bytes).map_err(|error| Discreet::json(&error).into())
    }
}

/// MessagePack with field names: smaller and faster than JSON, and as tolerant of added fields.
#[cfg(feature = "messagepack")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

#[cfg(feature = "messagepack")]
impl<V: Serialize> Encode<V> for MessagePack {
    fn encode(&self, value: &V) -> Result<Vec<u8>, CodecError> {
        rmp_serde::to_vec_named(value)
            .map_err(|error| Discreet::new("MessagePack", &error.to_string(), "").into())
    }
}

#[cfg(feature = "messagepack")]
impl<V: DeserializeOwned> Decode<V> for MessagePack {
    fn decode(&self, bytes: &[u8]) -> Result<V, CodecError> {
        rmp_serde::from_slice(bytes)
            .map_err(|error| Discreet::new("MessagePack", &error.to_string(), "").into())
    }
}

/// What is left of a serde error when everything that might quote the value is taken out: what was expected is named by
/// the type, what was found comes from the data.
#[derive(Debug)]
struct Discreet(String);

impl Discreet {
    fn json(error: &serde_json::Error) -> Discreet {
        let place = format!(" at line {} column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => Discreet::new("JSON", &error.to_string(), &place),
            serde_json::error::Category::Eof => Discreet(format!("JSON: ends too early{place}")),
            _ => Discreet(format!("JSON: syntax error{place}")),
        }
    }

    fn new(format: &str, message: &str, place: &str) -> Discreet {
        let message = message.strip_suffix(place).unwrap_or(message);
        if message.starts_with("missing field `") {
            return Discreet(format!("{format}: {message}{place}"));
        }
        match message.rsplit_once(", expected ") {
            Some((_, expected)) => Discreet(format!("{format}: expected {expected}{place}")),
            None => Discreet(format!("{format}: not such a value{place}")),
        }
    }
}

impl fmt::Display for Discreet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Discreet {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, serde::Deserialize)]
    struct Login {
        user: String,
        port: u16,
    }

    fn reason(bytes: &str) -> String {
        Decode::<Login>::decode(&Json, bytes.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_reason_says_what_was_expected_and_never_what_was_found() {
        assert_eq!(
            reason(r#"{"user":"u"}"#),
            "JSON: missing field `port` at line 1 column 12"
        );
        assert_eq!(
            reason(r#"{"user":"u","port":"hunter2"}"#),
            "JSON: expected u16 at line 1 column 28"
        );
        assert_eq!(
            reason(r#"{"user":"u","#),
            "JSON: ends too early at line 1 column 12"
        );
        assert_eq!(reason("hunter2"), "JSON: syntax error at line 1 column 1");
        assert!(!reason(r#""hunter2""#).contains("hunter2"));
    }
}
