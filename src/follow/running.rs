//! The running of a map: its tailer and its prober beside each other, until it is closed, dropped or at its end.
//!
//! It never ends without saying so to those who wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use globe_log_client::{Error, ErrorKind};
use globe_offline::RecordedLog;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::entry::key::Key;
use crate::follow::prober::Prober;
use crate::follow::tailer::Tailer;
use crate::ground::tasks::Tasks;
use crate::replica::Replica;

/// How long a disk may take to write the rest of a copy when a map is closed: less than who closes waits.
const CLOSE: Duration = Duration::from_secs(2);

/// Starts both tasks of a map, which read through the log that keeps its copy, if there is one. They stop when what this
/// returns is dropped.
pub(crate) fn start<K: Key, V: Send + Sync + 'static>(
    runtime: &Handle,
    tailer: Tailer<K, V>,
    prober: Prober<K, V>,
    copy: Option<RecordedLog>,
) -> Tasks {
    let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
    let end = EndGuard {
        replica: Arc::clone(&prober.replica),
        has_panicked: false,
    };
    let span = tracing::info_span!("globe", keyspace = %prober.replica.keyspace());
    // In this order: who has stopped the tasks finds the replica at its end.
    let both = (
        run(tailer, prober, stop.clone(), end),
        stopped.clone().drop_guard(),
    );
    let run = async {
        let (run, _has_stopped) = both;
        run.await;
        if let Some(copy) = copy {
            close(&copy).await;
        }
    };
    runtime.spawn(run.instrument(span));
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

/// Writes the rest of a copy, and lets others write it. Why it cannot be written has been told.
async fn close(copy: &RecordedLog) {
    if timeout(CLOSE, copy.close()).await.is_err() {
        tracing::warn!("the disk takes long to write the copy of the map: it is not waited for");
    }
}

/// Ends the replica when it is dropped, so that those who wait hear that nothing more will come, however the tasks ended:
/// stopped, dropped with their runtime, or by a panic in a key or value of the user's.
struct EndGuard<K: Key, V> {
    replica: Arc<Replica<K, V>>,
    has_panicked: bool,
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
