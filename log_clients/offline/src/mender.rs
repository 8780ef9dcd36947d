//! The task that fetches what the copy has missed: because the disk was slower than the log, or failed, or another process
//! wrote until it died.
//!
//! Never begins at once, never takes more than the disk does, and never asks for a snapshot where the history suffices.

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::{Batch, Error, ErrorKind, Keyspace, LogClient, Position, Result};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::note::{Begun, Here, Note, Reader};
use crate::numbers::Numbers;
use crate::queue::Queue;
use crate::standing::Standing;
use crate::time::Clock;

/// How long it is first waited whether the readers of the log bring what is missing, and at most between two attempts.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);

/// How long a tail may bring nothing before it has reached what it must, and how long it is kept open after that, so that
/// those of the readers go on from where it ends.
const SILENCE: Duration = Duration::from_secs(30);
const OVERLAP: Duration = Duration::from_secs(5);

/// Who mends one copy.
#[derive(Debug)]
pub(crate) struct Mender {
    pub(crate) log: Arc<dyn LogClient>,
    pub(crate) keyspace: Keyspace,
    pub(crate) queue: Arc<Queue>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) clock: Clock,
    pub(crate) standing: watch::Receiver<Standing>,
}

impl Mender {
    /// Until the thread that writes has ended. Ended by dropping it.
    pub(crate) async fn run(mut self) {
        let (mut pause, mut last) = (FIRST, None::<Instant>);
        loop {
            if self.is_behind().await.is_err() {
                return;
            }
            if last.is_some_and(|last| last.elapsed() > LONGEST * 2) {
                pause = FIRST;
            }
            // Others on this host, or with this log, may have had the same trouble.
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            if !self.standing.borrow_and_update().is_behind {
                continue;
            }
            (pause, last) = ((pause * 2).min(LONGEST), Some(Instant::now()));
            if let Err(error) = self.mend().await {
                tracing::debug!(keyspace = %self.keyspace, %error, "the copy is not mended yet");
            }
        }
    }

    async fn is_behind(&mut self) -> Result<(), watch::error::RecvError> {
        self.standing.wait_for(|now| now.is_behind).await.map(drop)
    }

    /// Brings the copy to where the log is, and, if it can, to where its readers are. Not beyond what they have confirmed, where
    /// that is asked for: then it is tried again later.
    async fn mend(&mut self) -> Result<()> {
        self.check_confirmed()?;
        let here = match self.ask(Note::Check).await? {
            Here::Theirs => return Ok(()),
            Here::Failing => return Err(unavailable("it cannot be written")),
            Here::Nowhere => None,
            Here::At(position) => Some(position),
        };
        let asked = self.clock.now();
        let head = self.log.head(&self.keyspace).await?;
        let here = here.filter(|here| here.epoch == head.epoch);
        let mended = match here {
            Some(here) if here.covers(head) => Ok(()),
            Some(here) => self.follow(here, head).await,
            None => self.begin_anew(head).await,
        };
        match mended {
            Err(error) if is_no_history(&error) => self.begin_anew(head).await?,
            other => other?,
        }
        if self.log.capabilities().linearizable_head {
            let position = head;
            self.queue.tell(Note::Head { position, asked });
        }
        self.check_confirmed()?;
        self.ask(Note::Mended).await
    }

    fn check_confirmed(&self) -> Result<()> {
        match self.queue.is_waiting() {
            true => Err(unavailable("what was read is not confirmed yet")),
            false => Ok(()),
        }
    }

    async fn ask<T>(&self, note: impl FnOnce(oneshot::Sender<T>) -> Note) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.queue.tell(note(answer));
        let gone = |_| unavailable("nobody writes it any more");
        answered.await.map_err(gone)
    }

    async fn begin_anew(&mut self, head: Position) -> Result<()> {
        let here = self.snapshot().await?;
        if here.epoch != head.epoch {
            return Err(unavailable("the log is in another life by now"));
        }
        self.follow(here, head).await
    }

    async fn snapshot(&self) -> Result<Position> {
        let asked = self.clock.now();
        let mut snapshot = self.log.snapshot(&self.keyspace).await?;
        let (id, position) = (self.numbers.next(), snapshot.position());
        let begun = Begun {
            id,
            position,
            asked,
            reader: Reader::Mender,
        };
        self.queue.send(Note::Begin(begun)).await;
        let reading = Reading {
            queue: &self.queue,
            id,
        };
        while let Some(records) = snapshot.next_page().await? {
            self.queue.send(Note::Page { id, records }).await;
        }
        self.queue.send(Note::End { id, position }).await;
        drop(reading);
        Ok(position)
    }

    /// What came after `here`, at least up to `head`, and until the readers of the log go on from there.
    async fn follow(&mut self, here: Position, head: Position) -> Result<()> {
        let mut from = here;
        let mut tail = self.log.tail(&self.keyspace, from).await?;
        while !from.covers(head) {
            let batch = timeout(SILENCE, tail.next()).await;
            let batch = batch.map_err(|_| unavailable("the log is silent"))??;
            from = self.pass_on(from, batch).await;
        }
        let mut standing = self.standing.clone();
        let caught_up = async move {
            // A reader of the log brings the rest; or nobody writes any more.
            let _ = standing.wait_for(|now| !now.is_behind).await;
        };
        let passing_on = async {
            loop {
                from = self.pass_on(from, tail.next().await?).await;
            }
        };
        let overlap = async {
            tokio::select! {
                biased;
                () = caught_up => Ok(()),
                ended = passing_on => ended,
            }
        };
        timeout(OVERLAP, overlap).await.unwrap_or(Ok(()))
    }

    async fn pass_on(&self, from: Position, batch: Batch) -> Position {
        let (revision, reader) = (batch.revision, Reader::Mender);
        self.queue
            .send(Note::Batch {
                from,
                batch,
                reader,
            })
            .await;
        Position::new(from.epoch, revision)
    }
}

/// Given up if it does not come to its end, which is told before.
struct Reading<'a> {
    queue: &'a Queue,
    id: u64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.queue.tell(Note::Abandoned { id: self.id });
    }
}

fn is_no_history(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Compacted | ErrorKind::EpochChanged)
}

fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the copy: {why}"))
}
