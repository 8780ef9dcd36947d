//! The truth of a run: what the log itself says happened, heard by a raw tail without any code of the map.
//!
//! It never guesses: what it could not hear is a gap in the truth, and the checks know it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use globe::log_client::{Batch, Change, LogClient, Record, Tail};
use globe::{ErrorKind, Keyspace, Position, Result, Revision};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::ballast::folded;
use crate::history::{Base, Event, Stored, Truth as Commit, Value};
use crate::recorder::Recorder;

/// How long a listener waits before it looks by itself: another look may have taken its wake-up.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Listens to some keyspaces of a log from now on, and records every commit. Clones listen with one ear.
#[derive(Clone, Debug)]
pub struct Truth {
    ears: Vec<SharedEar>,
    listening: Arc<Mutex<JoinSet<()>>>,
}

/// An ear, locked only for a look without waiting.
type SharedEar = Arc<Mutex<Ear>>;

/// What hears one keyspace.
#[derive(Debug)]
struct Ear {
    log: Arc<dyn LogClient>,
    keyspace: Keyspace,
    member: String,
    recorder: Recorder,
    tail: Option<Tail>,
    position: Position,
    /// What the next life of the log begins with.
    restored: Option<(Revision, Vec<Record>)>,
}

impl Truth {
    /// Begins to listen to `log`, which is called `member`: each member of a cluster may be listened to by itself.
    /// Everything committed after this returned is heard, unless the log forgets it first.
    ///
    /// # Errors
    /// `Invalid` for a bad keyspace; what the first snapshot says.
    pub async fn listen(
        log: impl LogClient,
        member: &str,
        keyspaces: &[&str],
        recorder: &Recorder,
    ) -> Result<Truth> {
        let log: Arc<dyn LogClient> = Arc::new(log);
        let mut ears = Vec::new();
        let mut listening = JoinSet::new();
        for keyspace in keyspaces {
            let ear = Arc::new(Mutex::new(Ear {
                log: Arc::clone(&log),
                keyspace: Keyspace::new(keyspace)?,
                member: member.to_owned(),
                recorder: recorder.clone(),
                tail: None,
                position: Position::default(),
                restored: None,
            }));
            begin(&ear).await?;
            listening.spawn(hear_always(Arc::clone(&ear)));
            ears.push(ear);
        }
        let listening = Arc::new(Mutex::new(listening));
        Ok(Truth { ears, listening })
    }

    /// Hears everything that is there to be heard, without waiting. To be called right before an operator makes a log in
    /// this process forget (compact, restore, wipe): what is forgotten is known then.
    pub fn drain(&self) {
        let mut nobody = Context::from_waker(Waker::noop());
        for ear in &self.ears {
            let _ = lock(ear).poll(&mut nobody);
        }
    }

    /// Listens with new tails: to be called when those that are open were made silent.
    pub fn reopen(&self) {
        for ear in &self.ears {
            lock(ear).tail = None;
        }
    }

    /// Waits until everything committed before the call was heard, at most for `bound`; whether it was. To be called before an
    /// operator makes a log forget that is not in this process, while nobody can write.
    pub async fn catch_up(&self, bound: Duration) -> bool {
        let deadline = Instant::now() + bound;
        let mut all = true;
        for ear in &self.ears {
            all &= reaches_head(ear, deadline).await;
        }
        all
    }

    /// The log is about to go back to what this backup of it holds, and to begin another life there: what is committed in it is
    /// heard from its beginning on, whenever that is noticed here.
    ///
    /// # Errors
    /// As snapshots of the backup.
    pub async fn goes_back_to(&self, backup: &impl LogClient) -> Result<()> {
        for ear in &self.ears {
            let keyspace = lock(ear).keyspace.clone();
            let snapshot = backup.snapshot(&keyspace).await?;
            let revision = snapshot.position().revision;
            let records = snapshot.collect().await?;
            lock(ear).restored = Some((revision, records));
        }
        Ok(())
    }

    /// As [`Truth::catch_up`], and listens no longer.
    pub async fn finish(&self, bound: Duration) -> bool {
        let all = self.catch_up(bound).await;
        lock(&self.listening).abort_all();
        all
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears until it is aborted.
async fn hear_always(ear: SharedEar) {
    loop {
        if lock(&ear).tail.is_none() && reopen(&ear).await.is_err() {
            sleep(LOOK_AGAIN).await;
        }
        let broken = poll_fn(|context| lock(&ear).poll(context));
        let _ = timeout(LOOK_AGAIN, broken).await;
    }
}

async fn reaches_head(ear: &SharedEar, deadline: Instant) -> bool {
    let (log, keyspace) = {
        let ear = lock(ear);
        (Arc::clone(&ear.log), ear.keyspace.clone())
    };
    let mut target: Option<Position> = None;
    while Instant::now() < deadline {
        let here = lock(ear).position;
        match target {
            Some(head) if here.covers(head) => return true,
            Some(head) if here.epoch == head.epoch => {}
            _ => target = log.head(&keyspace).await.ok(),
        }
        sleep(Duration::from_millis(2)).await;
    }
    false
}

/// Takes a snapshot: truth begins (again) here.
async fn begin(ear: &SharedEar) -> Result<()> {
    let (log, keyspace) = {
        let ear = lock(ear);
        (Arc::clone(&ear.log), ear.keyspace.clone())
    };
    let restored = lock(ear).restored.clone();
    let (position, records) = match restored {
        Some((revision, records)) => {
            let life = log.head(&keyspace).await?.epoch;
            (Position::new(life, revision), records)
        }
        None => {
            let snapshot = log.snapshot(&keyspace).await?;
            (snapshot.position(), snapshot.collect().await?)
        }
    };
    let tail = log.tail(&keyspace, position).await?;
    let mut ear = lock(ear);
    ear.restored = None;
    ear.tail = Some(tail);
    ear.position = position;
    ear.recorder.record(Event::Base(Base {
        member: ear.member.clone(),
        keyspace: ear.keyspace.to_string(),
        position,
        records: folded(records.iter().map(stored)),
        at: ear.recorder.now(),
    }));
    Ok(())
}

/// Opens a tail where the last one ended; where that is forgotten, truth begins again.
async fn reopen(ear: &SharedEar) -> Result<()> {
    let (log, keyspace, position) = {
        let ear = lock(ear);
        (Arc::clone(&ear.log), ear.keyspace.clone(), ear.position)
    };
    match log.tail(&keyspace, position).await {
        Ok(tail) => {
            lock(ear).tail = Some(tail);
            Ok(())
        }
        Err(error) => match error.kind() {
            ErrorKind::EpochChanged => begin(ear).await,
            ErrorKind::Compacted => {
                lock(ear).restored = None;
                begin(ear).await
            }
            _ => Err(error),
        },
    }
}

impl Ear {
    /// Hears everything that is there; ready when the tail is broken.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(tail) = &mut self.tail {
            let next = std::task::ready!(std::pin::pin!(tail.next()).poll(context));
            match next {
                Ok(batch) => self.heard(batch),
                // A tail that lost its history says so again when it is opened again.
                Err(_) => self.tail = None,
            }
        }
        Poll::Ready(())
    }

    fn heard(&mut self, batch: Batch) {
        self.position.revision = batch.revision;
        let changes = batch.changes.iter().map(|change| match change {
            Change::Put(record) => {
                let (key, stored) = stored(record);
                (key, Some(stored))
            }
            deleted => (text(deleted.key()), None),
        });
        let commit = Commit {
            member: self.member.clone(),
            keyspace: self.keyspace.to_string(),
            position: self.position,
            changes: changes.collect(),
            at: self.recorder.now(),
        };
        self.recorder.record(Event::Truth(commit));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A record as the history holds it.
fn stored(record: &Record) -> (String, Stored) {
    let stored = Stored {
        value: Value::read(&record.value),
        created: record.created.0,
        modified: record.modified.0,
    };
    (text(&record.key), stored)
}
