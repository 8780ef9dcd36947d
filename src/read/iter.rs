//! Going through the entries of a view: all of them, or those of a range.
//!
//! It holds nothing but the view, and never shows an entry of another one.

use std::fmt;
use std::iter::FusedIterator;

use crate::entry::Entry;
use crate::replica::entries;

/// All entries of a [`View`](crate::View), in the order of their keys: made by [`View::iter`](crate::View::iter). It knows
/// how many are left.
pub struct Iter<'a, K, V> {
    pub(crate) entries: entries::Iter<'a, K, V>,
}

/// The entries of a range of keys, in their order: made by [`View::range`](crate::View::range) and
/// [`View::prefix`](crate::View::prefix).
pub struct Range<'a, K, V> {
    pub(crate) entries: entries::Range<'a, K, V>,
}

macro_rules! iterators {
    ($($iter:ident),*) => {$(
        impl<'a, K, V> Iterator for $iter<'a, K, V> {
            type Item = (&'a K, &'a Entry<V>);

            fn next(&mut self) -> Option<Self::Item> {
                self.entries.next().map(|(key, entry)| (&**key, entry))
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.entries.size_hint()
            }
        }

        impl<K, V> DoubleEndedIterator for $iter<'_, K, V> {
            fn next_back(&mut self) -> Option<Self::Item> {
                self.entries.next_back().map(|(key, entry)| (&**key, entry))
            }
        }

        impl<K, V> FusedIterator for $iter<'_, K, V> {}

        impl<K, V> Clone for $iter<'_, K, V> {
            fn clone(&self) -> Self {
                $iter { entries: self.entries.clone() }
            }
        }

        impl<K, V> fmt::Debug for $iter<'_, K, V> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($iter)).finish_non_exhaustive()
            }
        }
    )*};
}

iterators!(Iter, Range);

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}
