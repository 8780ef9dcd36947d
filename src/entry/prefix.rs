//! What keys can begin with: a text for keys that are texts, the first parts for tuples.
//!
//! It only compares: it never looks at how a key is written in the log.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;

use equivalent::{Comparable, Equivalent};

/// What keys of a type can begin with: the argument of [`View::prefix`](crate::View::prefix) and
/// [`Reader::watch_prefix`](crate::Reader::watch_prefix).
///
/// - `&str` and `String`, for keys that borrow as `str`: `prefix("service/")`.
/// - The first parts of a tuple, with `&str` in the place of any `String`: `prefix(("eu",))` is every `("eu", _)`, and
///   `prefix(("eu", "web"))` every `("eu", "web", _)`. A part is compared as a whole: `("e",)` is not the beginning of
///   `("eu", 7)`.
///
/// The keys that begin with a prefix stand side by side in the order of all keys, so they are found without looking at the
/// others. To implement it for a type of your own, keep to that.
pub trait KeyPrefix<K> {
    /// The same prefix, as a watch keeps it.
    type Kept: KeyPrefix<K> + Send + Sync + 'static;

    /// Where a key stands to those that begin with this: `Equal` if it is one of them, `Less` if it stands before all of
    /// them, `Greater` if it stands behind. MUST never fall from one key to a greater one.
    fn place(&self, key: &K) -> Ordering;

    /// The same prefix, to be kept.
    fn keep(self) -> Self::Kept;
}

impl<K: Borrow<str>> KeyPrefix<K> for &str {
    type Kept = String;

    fn place(&self, key: &K) -> Ordering {
        let key: &str = key.borrow();
        match key.starts_with(self) {
            true => Ordering::Equal,
            false => key.cmp(self),
        }
    }

    fn keep(self) -> String {
        self.to_owned()
    }
}

impl<K: Borrow<str>> KeyPrefix<K> for String {
    type Kept = String;

    fn place(&self, key: &K) -> Ordering {
        self.as_str().place(key)
    }

    fn keep(self) -> String {
        self
    }
}

impl<K: Borrow<str>> KeyPrefix<K> for &String {
    type Kept = String;

    fn place(&self, key: &K) -> Ordering {
        self.as_str().place(key)
    }

    fn keep(self) -> String {
        self.clone()
    }
}

/// One end of the keys that begin with a prefix: it stands between them and the next key outside, and is equal to none.
pub(crate) struct End<'a, P> {
    prefix: &'a P,
    /// Where the keys inside stand to this end.
    inside: Ordering,
}

impl<K, P: KeyPrefix<K>> Equivalent<K> for End<'_, P> {
    fn equivalent(&self, _: &K) -> bool {
        false
    }
}

impl<K, P: KeyPrefix<K>> Comparable<K> for End<'_, P> {
    fn compare(&self, key: &K) -> Ordering {
        // The key's place to this end, turned round: the end's to the key.
        self.prefix.place(key).then(self.inside).reverse()
    }
}

/// The keys that begin with a prefix, as a range.
pub(crate) fn range_of<P>(prefix: &P) -> (Bound<End<'_, P>>, Bound<End<'_, P>>) {
    let end = |inside| Bound::Excluded(End { prefix, inside });
    (end(Ordering::Greater), end(Ordering::Less))
}
