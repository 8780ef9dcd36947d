//! Watches as streams, for those whose code is made of streams.
//!
//! It only passes on what the watch shows: nothing is kept, and nothing is read ahead.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use globe_log_client::Error;

use crate::entry::key::Key;
use crate::read::phase_watch::PhaseWatch;
use crate::read::quarantine_watch::{QuarantineChanges, QuarantineWatch};
use crate::read::value_watch::ValueWatch;
use crate::read::watch::{Changes, Watch};
use crate::read::withheld_watch::WithheldWatch;
use crate::replica::Replica;
use crate::replica::status::Phase;
use crate::replica::withheld::Withheld;

/// A watch as a [`Stream`]: of a [`Watch`], a [`ValueWatch`], a [`QuarantineWatch`], a [`PhaseWatch`] or a [`WithheldWatch`].
///
/// It shows what the watch's `next` would have shown, and ends where that is `None`: [`WatchStream::ended`] then says why.
/// What was not polled is not looked for, so a slow reader sees the net difference here as well. To poll it is cancel safe:
/// a `next` of the stream that is dropped loses nothing. Dropping the stream ends the watch.
///
/// ```
/// # use futures::StreamExt;
/// # use globe::{Globe, MemoryLog};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> globe::Result<()> {
/// let map: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await?;
/// let changes = map.watch().into_stream();
/// map.put("a", 1).await?;
/// map.close().await;
/// let keys = changes.flat_map(|changes| futures::stream::iter(changes));
/// let keys: Vec<String> = keys.map(|change| change.key().clone()).collect().await;
/// assert_eq!(keys, ["a"]);
/// # Ok(())
/// # }
/// ```
pub struct WatchStream<T> {
    shown: BoxStream<'static, T>,
    ended: Box<dyn Fn() -> Option<Error> + Send + Sync>,
}

impl<T: 'static> WatchStream<T> {
    fn new<K: Key, V: Send + Sync + 'static>(
        replica: &Arc<Replica<K, V>>,
        shown: impl Stream<Item = T> + Send + 'static,
    ) -> WatchStream<T> {
        let replica = Arc::clone(replica);
        WatchStream {
            shown: shown.fuse().boxed(),
            ended: Box::new(move || replica.ended()),
        }
    }

    /// Why the map has ended and no more will come: `Closed`, or what it could not go on with. `None` while it follows.
    #[must_use]
    pub fn ended(&self) -> Option<Error> {
        (self.ended)()
    }
}

impl<T> Stream for WatchStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.shown.poll_next_unpin(context)
    }
}

impl<T> fmt::Debug for WatchStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchStream").finish_non_exhaustive()
    }
}

impl<K: Key, V: Send + Sync + 'static> Watch<K, V> {
    /// This watch as a stream.
    #[must_use]
    pub fn into_stream(self) -> WatchStream<Changes<K, V>> {
        let replica = Arc::clone(&self.replica);
        let shown = stream::unfold(self, |mut watch| async move {
            let changes = watch.next().await?;
            Some((changes, watch))
        });
        WatchStream::new(&replica, shown)
    }
}

impl<K: Key, V: Send + Sync + 'static> ValueWatch<K, V> {
    /// This watch as a stream.
    #[must_use]
    pub fn into_stream(self) -> WatchStream<Option<Arc<V>>> {
        let replica = Arc::clone(self.replica());
        let shown = stream::unfold(self, |mut watch| async move {
            let value = watch.next().await?;
            Some((value, watch))
        });
        WatchStream::new(&replica, shown)
    }
}

impl<K: Key, V: Send + Sync + 'static> QuarantineWatch<K, V> {
    /// This watch as a stream.
    #[must_use]
    pub fn into_stream(self) -> WatchStream<QuarantineChanges> {
        let replica = Arc::clone(&self.replica);
        let shown = stream::unfold(self, |mut watch| async move {
            let changes = watch.next().await?;
            Some((changes, watch))
        });
        WatchStream::new(&replica, shown)
    }
}

impl<K: Key, V: Send + Sync + 'static> PhaseWatch<K, V> {
    /// This watch as a stream.
    #[must_use]
    pub fn into_stream(self) -> WatchStream<Phase> {
        let replica = Arc::clone(&self.replica);
        let shown = stream::unfold(self, |mut watch| async move {
            let phase = watch.next().await?;
            Some((phase, watch))
        });
        WatchStream::new(&replica, shown)
    }
}

impl<K: Key, V: Send + Sync + 'static> WithheldWatch<K, V> {
    /// This watch as a stream.
    #[must_use]
    pub fn into_stream(self) -> WatchStream<Option<Withheld>> {
        let replica = Arc::clone(&self.replica);
        let shown = stream::unfold(self, |mut watch| async move {
            let withheld = watch.next().await?;
            Some((withheld, watch))
        });
        WatchStream::new(&replica, shown)
    }
}
