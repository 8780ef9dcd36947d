//! The keys somebody knows of a keyspace, in their order.
//!
//! Never holds one twice, nor out of order, and never looks at what they mean.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};

/// Which keys a keyspace held at some position, for [`LogClient::difference`](crate::LogClient::difference): ascending, each
/// once. Clones share them.
///
/// ```
/// use globe_log_client::{Bytes, KnownKeys};
///
/// # fn main() -> globe_log_client::Result<()> {
/// let known = KnownKeys::new(vec![Bytes::from("dark-mode"), Bytes::from("limits/web")])?;
/// assert_eq!(known.as_slice().len(), 2);
/// assert!(KnownKeys::new(vec![Bytes::from("b"), Bytes::from("a")]).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct KnownKeys(Arc<Vec<Bytes>>);

impl KnownKeys {
    /// These keys, any bytes. Compares each with the one before it.
    ///
    /// # Errors
    /// `Invalid`, naming the first key that does not come after the one before it.
    pub fn new(keys: Vec<Bytes>) -> Result<KnownKeys> {
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] >= pair[1]) {
            let why = format!(
                "the known keys are to ascend, each once: {:?} comes after {:?}",
                pair[1], pair[0]
            );
            return Err(Error::new(ErrorKind::Invalid, why));
        }
        Ok(KnownKeys(Arc::new(keys)))
    }

    /// All of them, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[Bytes] {
        &self.0
    }
}

/// How many there are.
impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&'static [u8]]) -> Result<KnownKeys> {
        KnownKeys::new(names.iter().map(|name| Bytes::from_static(name)).collect())
    }

    #[test]
    fn keys_that_do_not_ascend_are_invalid_and_named() {
        for wrong in [
            &[&b"a"[..], b"a"][..],
            &[b"a", b"c", b"b"],
            &[b"", b"a", b""],
            &[b"\xff", b"\xfe"],
        ] {
            let error = keys(wrong).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Invalid, "{error}");
        }
        let error = keys(&[b"a", b"c", b"b", b"a"]).unwrap_err();
        assert!(
            error.to_string().contains(r#"b"b" comes after b"c""#),
            "{error}"
        );
    }

    #[test]
    fn keys_that_ascend_may_be_any_bytes_and_none() {
        for right in [&[][..], &[&b""[..], b"\0", b"a", b"a\0", b"b", b"\xff"]] {
            assert_eq!(keys(right).unwrap().as_slice(), right);
        }
    }
}
