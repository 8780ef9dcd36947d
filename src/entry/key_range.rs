//! Ranges of keys, whose ends are whatever a key is plainly made of.
//!
//! It only converts: whether any key lies in a range is asked where it is looked for.

use std::ops::{Bound, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use crate::entry::into_key::IntoKey;

/// A range of keys: the argument of [`View::range`](crate::View::range), [`Txn::range`](crate::Txn::range) and
/// [`Reader::watch_range`](crate::Reader::watch_range).
///
/// Every range of `std`, and a pair of [`Bound`]s. Its ends are what an [`IntoKey`] is: keys, references to them, `&str` for
/// texts, tuples of such parts. Each end costs what making the key costs: of a text, a copy.
///
/// ```
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// let log = MemoryLog::new();
/// let slots: Globe<(String, u32), u64> = Globe::open(log, "slots").await?;
/// for slot in 0..10 {
///     slots.put(("eu", slot), 0).await?;
///     slots.put(("us", slot), 0).await?;
/// }
/// let view = slots.view();
/// assert_eq!(view.range(("eu", 3)..("eu", 7)).count(), 4);
/// assert_eq!(view.range(("eu", 8)..).count(), 12);
/// assert_eq!(view.range(..).count(), view.len());
/// # Ok(()) }
/// ```
pub trait KeyRange<K> {
    /// The first key and the last one, or where the range has no end.
    fn into_bounds(self) -> (Bound<K>, Bound<K>);
}

impl<K, Q: IntoKey<K>> KeyRange<K> for Range<Q> {
    fn into_bounds(self) -> (Bound<K>, Bound<K>) {
        (
            Bound::Included(self.start.into_key()),
            Bound::Excluded(self.end.into_key()),
        )
    }
}

impl<K, Q: IntoKey<K>> KeyRange<K> for RangeFrom<Q> {
    fn into_bounds(self) -> (Bound<K>, Bound<K>) {
        (Bound::Included(self.start.into_key()), Bound::Unbounded)
    }
}

impl<K, Q: IntoKey<K>> KeyRange<K> for RangeTo<Q> {
    fn into_bounds(self) -> (Bound<K>, Bound<K>) {
        (Bound::Unbounded, Bound::Excluded(self.end.into_key()))
    }
}

impl<K, Q: IntoKey<K>> KeyRange<K> for RangeToInclusive<Q> {
    fn into_bounds(self) -> (Bound<K>, Bound<K>) {
        (Bound::Unbounded, Bound::Included(self.end.into_key()))
    }
}

impl<K, Q: IntoKey<K>> KeyRange<K> for (Bound<Q>, Bound<Q>) {
    fn into_bounds(self) -> (Bound<K>, Bound<K>) {
        (self.0.map(Q::into_key), self.1.map(Q::into_key))
    }
}

impl<K, Q: IntoKey<K>> KeyRange<K> for RangeInclusive<Q> {
    fn into_bounds(self) -> (Bound<K>, Bound<K>) {
        let (first, last) = self.into_inner();
        (
            Bound::Included(first.into_key()),
            Bound::Included(last.into_key()),
        )
    }
}

impl<K> KeyRange<K> for RangeFull {
    fn into_bounds(self) -> (Bound<K>, Bound<K>) {
        (Bound::Unbounded, Bound::Unbounded)
    }
}
