//! Reading from the log, so that nothing is waited for longer than it must be: a snapshot page by page beside its taking in,
//! and a tail ahead of it.
//!
//! Every answer is waited for only so long, and nothing is decoded here.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use globe_log_client::{
    Batch, Change, Difference, Error, ErrorKind, Keyspace, LogClient, Position, Record, Result,
    Tail,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the log may take to answer, or to bring a page. Longer than any log's own bound, so that its own error comes
/// first; a log that keeps its contract never lets this pass.
const ANSWER: Duration = Duration::from_secs(15);

/// Pages that may wait to be taken in while the next one is fetched.
const PAGES_AHEAD: usize = 2;

/// What the fetching passes on: a page, or `None` after the last one.
type Page = Result<Option<Vec<Change>>>;

/// A snapshot whose pages are being fetched, or a difference.
pub(crate) struct Fetching {
    pub(crate) position: Position,
    /// Its pages say only what has changed.
    pub(crate) is_difference: bool,
    pages: mpsc::Receiver<Page>,
    /// Pages that were read before any is taken in.
    gathered: VecDeque<Page>,
    _tasks: JoinSet<()>,
}

/// The answer of the log, or why there was none in time.
pub(crate) async fn answer<T>(what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(ANSWER, answer).await.unwrap_or_else(|_| {
        let why = format!("{what} did not come within {ANSWER:?}");
        Err(Error::new(ErrorKind::Unavailable, why))
    })
}

impl Fetching {
    /// Begins to read all that is there.
    pub(crate) async fn snapshot(log: &dyn LogClient, keyspace: &Keyspace) -> Result<Fetching> {
        let snapshot = answer("a snapshot", log.snapshot(keyspace)).await?;
        let position = snapshot.position();
        let pages = stream::try_unfold(snapshot, |mut snapshot| async move {
            let page = snapshot.next_page().await?;
            Ok(page.map(|page| (puts(page), snapshot)))
        });
        Ok(Fetching::of(position, pages))
    }

    /// Begins to read what has changed.
    pub(crate) fn difference(difference: Difference) -> Fetching {
        let position = difference.position();
        let pages = stream::try_unfold(difference, |mut difference| async move {
            let page = difference.next_page().await?;
            Ok(page.map(|page| (page, difference)))
        });
        Fetching {
            is_difference: true,
            ..Fetching::of(position, pages)
        }
    }

    /// Begins to read pages that are true at a position.
    pub(crate) fn of(
        position: Position,
        read: impl Stream<Item = Result<Vec<Change>>> + Send + 'static,
    ) -> Fetching {
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut read = pin!(read);
            loop {
                let page = answer("a page of the snapshot", read.try_next()).await;
                let is_last = !matches!(page, Ok(Some(_)));
                if sender.send(page).await.is_err() || is_last {
                    return;
                }
            }
        });
        Fetching {
            position,
            is_difference: false,
            pages,
            gathered: VecDeque::new(),
            _tasks: tasks,
        }
    }

    /// Reads all pages before the first one is taken in: the log may forget their position meanwhile.
    pub(crate) async fn gather(&mut self) {
        while let Some(page) = self.pages.recv().await {
            self.gathered.push_back(page);
        }
    }

    /// The next page. Pages that stop without an end are no snapshot: its missing keys would look deleted.
    pub(crate) async fn next_page(&mut self) -> Page {
        if let Some(page) = self.gathered.pop_front() {
            return page;
        }
        let broken = || Error::new(ErrorKind::Unavailable, "the snapshot broke off");
        self.pages.recv().await.unwrap_or_else(|| Err(broken()))
    }
}

/// Records as changes to nothing.
pub(crate) fn puts(records: Vec<Record>) -> Vec<Change> {
    records.into_iter().map(Change::Put).collect()
}

/// A tail that is read at once, whenever its batches are wanted: the log may forget meanwhile what they hold. What is
/// committed until then is kept in memory.
pub(crate) async fn tail_ahead(
    log: &dyn LogClient,
    keyspace: &Keyspace,
    after: Position,
) -> Result<Tail> {
    let mut tail = answer("a tail", log.tail(keyspace, after)).await?;
    let (sender, batches) = mpsc::unbounded_channel::<Result<Batch>>();
    let mut reading = JoinSet::new();
    reading.spawn(async move {
        loop {
            let batch = tail.next().await;
            let is_last = batch.is_err();
            if sender.send(batch).is_err() || is_last {
                return;
            }
        }
    });
    let batches = stream::unfold((batches, reading), |(mut batches, reading)| async move {
        let batch = batches.recv().await?;
        Some((batch, (batches, reading)))
    });
    Ok(Tail::new(batches.boxed()))
}
