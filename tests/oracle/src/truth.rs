//! The truth of a run: what the log itself says happened, heard by a raw tail without any code of the map.
//!
//! It never guesses: what it could not hear is a gap in the truth, and the checks know it.

use std::sync::{Arc, PoisonError};

use futures::FutureExt;
use globe::log_client::{Batch, Change, LogClient, Record, Tail};
use globe::{ErrorKind, Keyspace, Position, Result};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use crate::history::{Base, Event, Stored, Truth as Commit, Value};
use crate::recorder::Recorder;

/// Listens to some keyspaces of a log from now on, and records every commit. Clones listen with one ear.
#[derive(Clone, Debug)]
pub struct Truth {
    ears: Vec<Arc<tokio::sync::Mutex<Ear>>>,
    listening: Arc<std::sync::Mutex<JoinSet<()>>>,
}

/// What hears one keyspace.
#[derive(Debug)]
struct Ear {
    log: Arc<dyn LogClient>,
    keyspace: Keyspace,
    member: String,
    recorder: Recorder,
    tail: Option<Tail>,
    position: Position,
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
            let mut ear = Ear {
                log: Arc::clone(&log),
                keyspace: Keyspace::new(keyspace)?,
                member: member.to_owned(),
                recorder: recorder.clone(),
                tail: None,
                position: Position::default(),
            };
            ear.begin().await?;
            let ear = Arc::new(tokio::sync::Mutex::new(ear));
            listening.spawn(hear_always(Arc::clone(&ear)));
            ears.push(ear);
        }
        let listening = Arc::new(std::sync::Mutex::new(listening));
        Ok(Truth { ears, listening })
    }

    /// Hears everything that is there to be heard, without waiting. To be called right before an operator makes a log in
    /// this process forget (compact, restore, wipe): what is forgotten is known then.
    pub fn drain(&self) {
        for ear in &self.ears {
            // The listening task holds it only while it opens a tail: then there is nothing to be heard yet.
            if let Ok(mut ear) = ear.try_lock() {
                ear.drain();
            }
        }
    }

    /// Listens with new tails: to be called when those that are open were made silent.
    pub fn reopen(&self) {
        for ear in &self.ears {
            if let Ok(mut ear) = ear.try_lock() {
                ear.tail = None;
            }
        }
    }

    /// Listens until everything committed before the call was heard, at most for `bound`; whether it was.
    pub async fn finish(&self, bound: Duration) -> bool {
        let deadline = Instant::now() + bound;
        let mut all = true;
        for ear in &self.ears {
            all &= reaches_head(ear, deadline).await;
        }
        let mut listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listening.abort_all();
        all
    }
}

/// Hears until it is aborted.
async fn hear_always(ear: Arc<tokio::sync::Mutex<Ear>>) {
    loop {
        // Looks often instead of waiting with the lock, so that `drain` always gets it.
        ear.lock().await.hear().await;
        sleep(Duration::from_millis(1)).await;
    }
}

async fn reaches_head(ear: &tokio::sync::Mutex<Ear>, deadline: Instant) -> bool {
    let (log, keyspace) = {
        let ear = ear.lock().await;
        (Arc::clone(&ear.log), ear.keyspace.clone())
    };
    let mut target = None;
    while Instant::now() < deadline {
        if target.is_none() {
            target = log.head(&keyspace).await.ok();
        }
        let mut ear = ear.lock().await;
        ear.hear().await;
        match target {
            Some(head) if ear.position.covers(head) => return true,
            Some(head) if ear.position.epoch != head.epoch => target = None,
            _ => {}
        }
        drop(ear);
        sleep(Duration::from_millis(1)).await;
    }
    false
}

impl Ear {
    /// Takes a snapshot: truth begins (again) here.
    async fn begin(&mut self) -> Result<()> {
        self.tail = None;
        let snapshot = self.log.snapshot(&self.keyspace).await?;
        let position = snapshot.position();
        let records = snapshot.collect().await?;
        self.tail = Some(self.log.tail(&self.keyspace, position).await?);
        self.position = position;
        self.recorder.record(Event::Base(Base {
            member: self.member.clone(),
            keyspace: self.keyspace.to_string(),
            position,
            records: records.iter().map(stored).collect(),
            at: self.recorder.now(),
        }));
        Ok(())
    }

    /// Hears what is there, and mends what is broken.
    async fn hear(&mut self) {
        self.drain();
        if self.tail.is_some() {
            return;
        }
        match self.log.tail(&self.keyspace, self.position).await {
            Ok(tail) => self.tail = Some(tail),
            Err(error)
                if matches!(error.kind(), ErrorKind::Compacted | ErrorKind::EpochChanged) =>
            {
                // A failure to begin is tried again at the next look.
                let _ = self.begin().await;
            }
            Err(_) => {}
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(tail) = &mut self.tail {
            match tail.next().now_or_never() {
                Some(Ok(batch)) => self.heard(batch),
                Some(Err(_)) => self.tail = None,
                None => return,
            }
        }
    }

    fn heard(&mut self, batch: Batch) {
        self.position.revision = batch.revision;
        let changes = batch.changes.iter().map(|change| match change {
            Change::Put(record) => {
                let (key, stored) = stored(record);
                (key, Some(stored))
            }
            Change::Delete { key } => (text(key), None),
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

/// A record as the history holds it. What is no value of a workload keeps its bytes as its tag.
fn stored(record: &Record) -> (String, Stored) {
    let value = serde_json::from_slice(&record.value).unwrap_or_else(|_| Value {
        tag: text(&record.value),
        ..Value::default()
    });
    let stored = Stored {
        value,
        created: record.created.0,
        modified: record.modified.0,
    };
    (text(&record.key), stored)
}
