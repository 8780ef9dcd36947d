//! What the clones of a log share: the ways to its threads, and what they said last.
//!
//! Never touches the file: its threads do.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use globe_log_client::{Capabilities, Error, ErrorKind, LogId, Result};
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::error::gone;
use crate::opened::{Opened, establish};
use crate::reader::{self, Look};
use crate::seen::Seen;
use crate::stand::Stand;
use crate::watcher::Watcher;
use crate::way::Way;
use crate::writer::{Request, Ticket, Writer};
use crate::writes::{Ask, Done, History};

pub(crate) struct Shared {
    pub(crate) id: LogId,
    pub(crate) capabilities: Capabilities,
    pub(crate) path: PathBuf,
    pub(crate) page_size: usize,
    pub(crate) read_only: bool,
    looks: Sender<Look>,
    asks: Sender<Request>,
    /// With it the watcher ends, with that the writer, and with that the reader: there is nobody left to ask them.
    _needed: Sender<Infallible>,
    seen: watch::Receiver<Seen>,
    last_failure: Mutex<Option<Error>>,
}

impl Shared {
    /// Opens the file, and begins the threads. They end with the last who shares it.
    pub(crate) async fn open(
        way: Way,
        history: History,
        page_size: usize,
        capabilities: Capabilities,
    ) -> Result<Arc<Shared>> {
        let (established, is_established) = oneshot::channel();
        let (looks, looks_asked) = mpsc::channel();
        let (asks, asked) = mpsc::channel();
        let (needs, needed) = mpsc::channel();
        let (sees, seen) = watch::channel(None);
        let first = way.clone();
        begin("read", move || {
            let mut opened = Opened::new(first.clone());
            let checked = establish(&first).and_then(|()| opened.hold()?.look(|_, _| Ok(())));
            let is_well = checked.is_ok();
            if established.send(checked).is_ok() && is_well {
                reader::run(opened, &looks_asked);
            }
        })?;
        is_established.await.map_err(|_| gone())??;
        let writer = Writer::new(Opened::impatient(way.clone()), history, sees.clone());
        let looking = looks.clone();
        begin("write", move || {
            writer.run(&asked);
            // Each closes the file by itself: of two who do so at once, neither takes into it what lies beside it.
            drop(looking);
        })?;
        let sweeps = !way.read_only;
        let watcher = Watcher::new(Opened::new(way.clone()), asks.clone(), sees, sweeps);
        begin("watch", move || watcher.run(&needed))?;
        Ok(Arc::new(Shared {
            id: LogId::unique(),
            capabilities,
            page_size,
            read_only: way.read_only,
            path: way.path,
            looks,
            asks,
            _needed: needs,
            seen,
            last_failure: Mutex::default(),
        }))
    }

    /// Where the log stands, whenever that changes.
    pub(crate) fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.clone()
    }

    /// Looks at the file, all at one moment.
    pub(crate) fn look<T: Send + 'static>(
        self: &Arc<Shared>,
        look: impl FnOnce(&Connection, &Stand) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let looked = reader::look(&self.looks, look);
        let shared = Arc::clone(self);
        async move { shared.noted(looked.await) }
    }

    /// Asks the writer for something. Who stops waiting, before it was begun, withdraws it.
    ///
    /// # Errors
    /// Beside what it answers: `Unavailable` if it was not begun in time; `Indeterminate` for a commit that was not answered.
    pub(crate) async fn ask(&self, ask: Ask, within: Duration) -> Result<Done> {
        if self.read_only {
            let why = "the log is opened for reading alone";
            return Err(Error::new(ErrorKind::Denied, why));
        }
        let is_commit = matches!(ask, Ask::Commit(_));
        let (answer, answered) = oneshot::channel();
        let withdrawal = Withdrawal(Ticket::default());
        let request = Request::new(ask, withdrawal.0.clone(), answer);
        self.asks.send(request).map_err(|_| gone())?;
        let answered = match timeout(within, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unanswered(is_commit, "the thread that writes has ended")),
            Err(_) if withdrawal.0.take() => {
                let why =
                    format!("another process was writing for {within:?}: nothing was written");
                Err(Error::new(ErrorKind::Unavailable, why))
            }
            Err(_) => Err(unanswered(is_commit, "the disk has not answered in time")),
        };
        self.noted(answered)
    }

    pub(crate) fn last_failure(&self) -> Option<Error> {
        self.failure().clone()
    }

    fn noted<T>(&self, answer: Result<T>) -> Result<T> {
        let unreachable = answer.as_ref().err();
        let unreachable = unreachable.filter(|error| *error.kind() == ErrorKind::Unavailable);
        let failure = unreachable.cloned();
        let before = std::mem::replace(&mut *self.failure(), failure);
        drop(before);
        answer
    }

    fn failure(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Withdraws what was asked, when who asked has gone.
struct Withdrawal(Ticket);

impl Drop for Withdrawal {
    fn drop(&mut self) {
        self.0.take();
    }
}

fn unanswered(is_commit: bool, why: &str) -> Error {
    let kind = match is_commit {
        true => ErrorKind::Indeterminate,
        false => ErrorKind::Unavailable,
    };
    Error::new(kind, why)
}

/// Begins a thread. It wakes whoever waits for it, and wakers may do anything: also ask the log for something, which needs the
/// clock of a runtime.
fn begin(what: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    let runtime = Handle::try_current().ok();
    let run = move || {
        let _inside = runtime.as_ref().map(Handle::enter);
        run();
    };
    let thread = thread::Builder::new().name(format!("globe-sqlite-{what}"));
    match thread.spawn(run) {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = "a thread for the log cannot be had";
            Err(Error::new(ErrorKind::Unavailable, why).with_source(error))
        }
    }
}
