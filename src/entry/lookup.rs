//! What can be handed over where a key is looked up: a reference to whatever the key borrows as, or its parts.
//!
//! It never knows where the key is looked up: a [`Finder`] does.

use std::borrow::Borrow;
use std::hash::Hash;

/// What a key can be looked up by: the argument of [`Reader::get`](crate::Reader::get) and its kin.
///
/// - A reference to what the key borrows as, as for the maps of `std`: `&str` for `String`, `&u64` for `u64`. It costs
///   nothing.
/// - For a tuple also its parts by value, with `&str` in the place of any `String`: `get(("eu", "web"))`. A `String` is made
///   of each such part for the look-up; where that is too much, keep the key and pass a reference to it.
///
/// For a key type of your own, say yourself what else it can be looked up by:
///
/// ```
/// use globe::{Finder, Lookup};
/// # #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// struct Host { region: String, number: u16 }
///
/// impl Lookup<Host> for (&str, u16) {
///     fn look_up<F: Finder<Host>>(self, finder: F) -> F::Found {
///         finder.find(&Host { region: self.0.into(), number: self.1 })
///     }
/// }
/// # impl globe::Key for Host {
/// #     fn encode(&self) -> globe::Result<String> { (self.region.clone(), self.number).encode() }
/// #     fn decode(text: &str) -> globe::Result<Host> {
/// #         <(String, u16)>::decode(text).map(|(region, number)| Host { region, number })
/// #     }
/// # }
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> globe::Result<()> {
/// # let map: Globe<Host, u64> = Globe::open(MemoryLog::new(), "hosts").await?;
/// map.put(Host { region: "eu".into(), number: 7 }, 100).await?;
/// assert!(map.contains_key(("eu", 7)));
/// # Ok(()) }
/// ```
pub trait Lookup<K> {
    /// Hands over what is looked for.
    fn look_up<F: Finder<K>>(self, finder: F) -> F::Found;
}

/// Where a key is looked up: what a [`Lookup`] is handed. A map, or a view of one.
pub trait Finder<K> {
    /// What is found there.
    type Found;

    /// Looks for the key that borrows as this.
    fn find<Q>(self, key: &Q) -> Self::Found
    where
        K: Borrow<Q>,
        Q: Ord + Hash + ?Sized;
}

impl<K, Q> Lookup<K> for &Q
where
    K: Borrow<Q>,
    Q: Ord + Hash + ?Sized,
{
    #[inline]
    fn look_up<F: Finder<K>>(self, finder: F) -> F::Found {
        finder.find(self)
    }
}
