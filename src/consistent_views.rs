//! Views of several maps of one log, all true at one position of it.
//!
//! It only waits and looks: nothing is locked, and no map is held up.

use std::time::Duration;

use globe_log_client::{Error, ErrorKind, Result};
use tokio::time::timeout;

use crate::entry::key::Key;
use crate::globe::Globe;
use crate::read::agreement::{Aligned, Part, agree};
use crate::read::view::View;
use crate::reader::Reader;

/// Views of two to six maps of one log, whatever their types and through handles of either kind, that are all true at one position of it: a transaction over
/// several of them is in all the views or in none. Their [`View::position`]s may differ: each says up to where its view is
/// known to hold.
///
/// Each view is no older than what its map showed when the call began. Where one map lags behind another, the log is asked
/// how far it is, once for each such map, and it is waited until that map has come as far; maps that are written all the
/// time are not waited for any longer, because what each showed in passing is what counts. Otherwise it is answered at once.
/// Waits at most for the deadline of the first map. Cancel safe.
///
/// # Errors
/// `Invalid` for maps of different logs; `Unsupported` for a log that may skip commits; `Stale` when no such views could be
/// had by the deadline, as when one map cannot reach the log, or has not seen yet that it was restored; why a map ended, when
/// it did before it had come as far as the others.
///
/// ```
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> globe::Result<()> {
/// let log = MemoryLog::new();
/// let users: Globe<String, String> = Globe::open(log.clone(), "users").await?;
/// let count: Globe<String, usize> = Globe::open(log, "count").await?;
/// users
///     .transact(|txn| {
///         txn.put(&users, "ada", "Ada".to_owned())?;
///         txn.put(&count, "users", 1)
///     })
///     .await?;
/// let (users, count) = globe::consistent_views((&users, &count)).await?;
/// assert_eq!(count.get("users").as_deref(), Some(&users.len()));
/// # Ok(())
/// # }
/// ```
pub async fn consistent_views<M: Maps>(maps: M) -> Result<M::Views> {
    maps.views().await
}

/// Two to six maps, by reference: what [`consistent_views`] looks at. Each is a [`Globe`] or a [`Reader`].
pub trait Maps: sealed::Sealed {
    /// A view of each, in the same order.
    type Views;

    #[doc(hidden)]
    fn views(self) -> impl Future<Output = Result<Self::Views>> + Send;
}

/// A map through a handle of either kind.
pub trait AnyMap: sealed::Sealed + Sync {
    /// Its keys.
    type Key: Key;
    /// Its values.
    type Value: Send + Sync + 'static;

    #[doc(hidden)]
    fn as_reader(&self) -> &Reader<Self::Key, Self::Value>;
}

mod sealed {
    /// Nobody else's types are maps.
    pub trait Sealed {}
}

impl<K, V> sealed::Sealed for Globe<K, V> {}

impl<K: Key, V: Send + Sync + 'static> AnyMap for Globe<K, V> {
    type Key = K;
    type Value = V;

    fn as_reader(&self) -> &Reader<K, V> {
        self
    }
}

impl<K, V> sealed::Sealed for Reader<K, V> {}

impl<K: Key, V: Send + Sync + 'static> AnyMap for Reader<K, V> {
    type Key = K;
    type Value = V;

    fn as_reader(&self) -> &Reader<K, V> {
        self
    }
}

/// For so many maps, each with a name for it and its type.
macro_rules! maps {
    ($first:ident: $A:ident $(, $other:ident: $B:ident)+) => {
        impl<$A: AnyMap $(, $B: AnyMap)+> sealed::Sealed for (&$A $(, &$B)+) {}

        impl<$A: AnyMap $(, $B: AnyMap)+> Maps for (&$A $(, &$B)+) {
            type Views = (View<$A::Key, $A::Value> $(, View<$B::Key, $B::Value>)+);

            async fn views(self) -> Result<Self::Views> {
                let ($first $(, $other)+) = self;
                let deadline = $first.as_reader().deadline()?;
                let mut $first = part($first);
                $(let mut $other = part($other);)+
                in_time(deadline, &mut [&mut $first $(, &mut $other)+]).await?;
                Ok(($first.into_view() $(, $other.into_view())+))
            }
        }
    };
}

maps!(a: A, b: B);
maps!(a: A, b: B, c: C);
maps!(a: A, b: B, c: C, d: D);
maps!(a: A, b: B, c: C, d: D, e: E);
maps!(a: A, b: B, c: C, d: D, e: E, f: F);

fn part<M: AnyMap>(map: &M) -> Part<M::Key, M::Value> {
    let map = map.as_reader();
    Part::new(map.log(), map.replica())
}

async fn in_time(deadline: Duration, maps: &mut [&mut dyn Aligned]) -> Result<()> {
    timeout(deadline, agree(maps)).await.unwrap_or_else(|_| {
        let why = "the maps were not seen at one position of the log by the deadline";
        Err(Error::new(ErrorKind::Stale, why))
    })
}
