//! What can be handed over where a key is written: the key itself, or what it is plainly made of.
//!
//! It only converts: whether a key can stand in the log is asked where it is encoded.

use std::borrow::Cow;
use std::sync::Arc;

use crate::entry::key::Key;

/// What a key can be made of: the argument of every method that writes a key, or keeps one.
///
/// A key itself, or a reference to one (it is cloned); `&str` and other texts for the keys that are texts; and for a tuple
/// every mix of its parts in which `&str` stands for `String`:
///
/// ```
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// let log = MemoryLog::new();
/// let limits: Globe<(String, String), u64> = Globe::open(log, "limits").await?;
/// limits.put(("eu", "web"), 100).await?;
/// assert_eq!(limits.get(("eu", "web")).as_deref(), Some(&100));
/// # Ok(()) }
/// ```
///
/// For a key type of your own, say yourself what it can be made of:
///
/// ```
/// # #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// struct Host(String);
///
/// impl globe::IntoKey<Host> for &str {
///     fn into_key(self) -> Host {
///         Host(self.to_owned())
///     }
/// }
/// # impl globe::Key for Host {
/// #     fn encode(&self) -> globe::Result<String> { self.0.encode() }
/// #     fn decode(text: &str) -> globe::Result<Host> { String::decode(text).map(Host) }
/// # }
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # let map: Globe<Host, u64> = Globe::open(MemoryLog::new(), "hosts").await?;
/// map.put("eu-7", 100).await?;
/// # assert!(map.contains_key(&Host("eu-7".into())));
/// # Ok(()) }
/// ```
pub trait IntoKey<K> {
    /// The key.
    fn into_key(self) -> K;
}

impl<K: Key> IntoKey<K> for K {
    fn into_key(self) -> K {
        self
    }
}

impl<K: Key> IntoKey<K> for &K {
    fn into_key(self) -> K {
        self.clone()
    }
}

/// Keys that are texts, from texts of other kinds.
macro_rules! texts {
    ($($given:ty => $key:ty),* $(,)?) => {$(
        impl IntoKey<$key> for $given {
            fn into_key(self) -> $key {
                self.into()
            }
        }
    )*};
}

texts! {
    &str => String, Cow<'_, str> => String, Box<str> => String, char => String,
    &str => Arc<str>, Cow<'_, str> => Arc<str>, String => Arc<str>, Box<str> => Arc<str>,
    &str => Box<str>, Cow<'_, str> => Box<str>, String => Box<str>,
}

/// A reference to a `String` is not one to the key, so it is none of the impls above.
macro_rules! references_to_strings {
    ($($key:ty),*) => {$(
        impl IntoKey<$key> for &String {
            fn into_key(self) -> $key {
                self.as_str().into()
            }
        }
    )*};
}

references_to_strings!(Arc<str>, Box<str>);
