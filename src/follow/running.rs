//! The running of a map: its tailer and its prober beside each other, until it is closed, dropped or at its end.
//!
//! It never ends without saying so to those who wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use globe_log_client::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::entry::key::Key;
use crate::follow::prober::Prober;
use crate::follow::tailer::Tailer;
use crate::ground::tasks::Tasks;
use crate::replica::Replica;

/// Starts both tasks of a map. They stop when what this returns is dropped.
pub(crate) fn start<K: Key, V: Send + Sync + 'static>(
    runtime: &Handle,
    tailer: Tailer<K, V>,
    prober: Prober<K, V>,
) -> Tasks {
    let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
    let end = EndGuard {
        replica: Arc::clone(&prober.replica),
        has_panicked: false,
        _stopped: stopped.clone().drop_guard(),
    };
    let span = tracing::info_span!("globe", keyspace = %prober.replica.keyspace());
    runtime.spawn(run(tailer, prober, stop.clone(), end).instrument(span));
    Tasks::new(stop, stopped)
}

/// Runs both until they are stopped, or until the tailer gives up.
async fn run<K: Key, V: Send + Sync + 'static>(
    tailer: Tailer<K, V>,
    prober: Prober<K, V>,
    stop: CancellationToken,
    mut end: EndGuard<K, V>,
) {
    let work = async { tokio::join!(tailer.run(), prober.run()) };
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    let has_panicked = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        ended = &mut work => ended.is_err(),
    };
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(work)));
    end.has_panicked = has_panicked || dropped.is_err();
}

/// Ends the replica when it is dropped, so that those who wait hear that nothing more will come, however the tasks ended:
/// stopped, dropped with their runtime, or by a panic in a key or value of the user's.
struct EndGuard<K: Key, V> {
    replica: Arc<Replica<K, V>>,
    has_panicked: bool,
    /// Dropped after the replica has ended: who stops the tasks then finds it so.
    _stopped: DropGuard,
}

impl<K: Key, V> Drop for EndGuard<K, V> {
    fn drop(&mut self) {
        let keyspace = self.replica.keyspace();
        // Not whether the thread panics: a runtime is dropped as well by a panic that is nothing to the map.
        if !self.has_panicked {
            return self.replica.close();
        }
        let why = format!(
            "code of a key or value of the map {keyspace} panicked where the map called it"
        );
        self.replica.fail(Error::new(ErrorKind::Panicked, why));
    }
}
