//! A log around a log, which has written down what is read through it.
//!
//! Never changes what it passes on, and never waits for the disk.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use globe_log_client::{
    Capabilities, Difference, Error, ErrorKind, Keyspace, KnownKeys, Lease, LeaseId, LogClient,
    LogId, LogStatus, Position, RecentHead, Record, Result, Snapshot, Tail, Transaction,
    async_trait,
};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use crate::mender::Mender;
use crate::note::Note;
use crate::numbers::Numbers;
use crate::offline::Offline;
use crate::queue::{Notes, Queue};
use crate::recorder::Recorder;
use crate::standing::Standing;
use crate::tee;
use crate::time::{Clock, Moment};

/// The log, which keeps a copy on disk of one keyspace that is read through it. Clones share the copy.
///
/// It says and does what the log inside does, and has its [id](LogClient::id). What its snapshots, differences and tails deliver
/// goes to a thread that writes the copy, over a way that holds 32 MiB: what does not fit, because the disk is slower than the
/// log, is left out. A task fetches it later, from the history of the log if that is still there, else by a snapshot; first after
/// about 2 s, and ever less often, down to every 5 min, where that does not help. So nobody who reads waits for the disk, and
/// what fails is told to `tracing` once, not to who reads.
///
/// A difference carries the copy on if that stands exactly where the difference begins; what it says that it knows is believed.
///
/// The task runs on the runtime of the first snapshot, difference or tail, and ends when the last clone is dropped; the thread
/// does when also the last snapshot and tail are, once it has written what is on the way. Where another process keeps the same copy
/// in the same folder, this one writes nothing until that one has ended, which it notices within about a second of use.
///
/// It costs a thread, for each commit its own size on the disk, and no copy of the records in memory; a difference is kept until it
/// is read to its end, up to 32 MiB. After some time as many
/// bytes have been added as there were records, and at least 256 KiB: the file is then written anew, for which it is read into
/// memory.
#[derive(Clone)]
pub struct RecordedLog {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<dyn LogClient>,
    keyspace: Keyspace,
    clock: Clock,
    numbers: Arc<Numbers>,
    notes: Notes,
    standing: watch::Receiver<Standing>,
    mender: Mutex<Option<AbortHandle>>,
}

impl RecordedLog {
    /// Keeps a copy of `keyspace`, of what is read of it through this. Talks to nobody yet, and touches no file.
    ///
    /// # Errors
    /// `Unavailable` where there is no thread to be had.
    pub fn new(
        log: Arc<dyn LogClient>,
        keyspace: &Keyspace,
        offline: &Offline,
    ) -> Result<RecordedLog> {
        let queue = Arc::new(Queue::default());
        let (told, standing) = watch::channel(Standing::default());
        let recorder = Recorder::new(offline.place(keyspace), told);
        let taken = Arc::clone(&queue);
        let thread = thread::Builder::new().name("globe-offline".to_owned());
        let begun = thread.spawn(move || recorder.run(taken));
        begun.map_err(|error| {
            let why = "a thread that writes the copy cannot be had";
            Error::new(ErrorKind::Unavailable, why).with_source(error)
        })?;
        let shared = Shared {
            log,
            keyspace: keyspace.clone(),
            clock: Clock::new(),
            numbers: Arc::default(),
            notes: Notes::new(queue),
            standing,
            mender: Mutex::default(),
        };
        Ok(RecordedLog {
            shared: Arc::new(shared),
        })
    }

    /// The same, which writes nothing beyond what is [confirmed](RecordedLog::confirm): for who looks at what was read before it
    /// is to be what the next process begins with. What waits for that takes its part of the 32 MiB.
    #[must_use]
    pub fn only_confirmed(self) -> RecordedLog {
        self.shared.notes.queue().await_confirmation();
        self
    }

    /// Everything that was read up to here may be written: also later, and all of it that is on its way. What was read in another
    /// life of the log, before what this lets pass, is dropped. Costs a lock; without
    /// [`only_confirmed`](RecordedLog::only_confirmed) it does nothing.
    pub fn confirm(&self, position: Position) {
        self.shared.notes.queue().confirm(position);
    }

    /// Up to where the copy on disk can be read, as far as this process knows; nothing while there is none, it cannot be
    /// written, or another process writes it.
    #[must_use]
    pub fn written(&self) -> Option<Position> {
        self.shared.standing.borrow().written
    }

    /// Why the copy cannot be written, if it cannot.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.shared.standing.borrow().failure.clone()
    }

    /// Waits until what was read so far is written, with when it was known to be current, and has reached the disk. Without it
    /// that is so soon for another process, and for the disk when the system sees fit: call it before the process ends.
    ///
    /// Where another process writes the copy there is nothing to do. Dropping the future changes nothing.
    ///
    /// # Errors
    /// What the copy cannot be written for: `Full`, `Denied`, `Unavailable`.
    pub async fn flush(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.shared.notes.queue().tell(Note::Flush(answer));
        answered.await.unwrap_or_else(|_| {
            let why = "the thread that writes the copy has ended";
            Err(Error::new(ErrorKind::Unavailable, why))
        })
    }

    /// Writes as [`flush`](RecordedLog::flush) does, and nothing any more afterwards: another one may write the copy when this
    /// returns. Reading through this goes on.
    ///
    /// Closing again does nothing. Dropping the future half-way changes nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn close(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.shared.notes.queue().tell(Note::Close(answer));
        // Where nobody answers it was closed before.
        answered.await.unwrap_or(Ok(()))
    }

    fn inner(&self) -> &dyn LogClient {
        &*self.shared.log
    }

    /// The way to the thread that writes, if it is this keyspace.
    fn notes(&self, keyspace: &Keyspace) -> Option<&Notes> {
        if *keyspace != self.shared.keyspace {
            return None;
        }
        Some(&self.shared.notes)
    }

    /// The same for who reads it. Then somebody has to mend as well, and not before: who only asks for the head may not know yet
    /// whether this is the log of the copy that lies there.
    fn reading(&self, keyspace: &Keyspace) -> Option<&Notes> {
        let notes = self.notes(keyspace)?;
        self.shared.mend();
        Some(notes)
    }

    /// The log stood here at some moment after `asked`, if its answer is a proof of that.
    fn told(&self, keyspace: &Keyspace, position: Position, asked: Moment) {
        if let Some(notes) = self.notes(keyspace)
            && self.inner().capabilities().linearizable_head
        {
            notes.queue().offer(Note::Head { position, asked });
        }
    }
}

impl Shared {
    /// Begins to mend, unless that is being done. Without a runtime the next call does.
    fn mend(&self) {
        let mut mender = self.mender.lock().unwrap_or_else(PoisonError::into_inner);
        if mender.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let task = Mender {
            log: Arc::clone(&self.log),
            keyspace: self.keyspace.clone(),
            queue: Arc::clone(self.notes.queue()),
            numbers: Arc::clone(&self.numbers),
            clock: self.clock,
            standing: self.standing.clone(),
        };
        *mender = Some(runtime.spawn(task.run()).abort_handle());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mender = self.mender.get_mut();
        if let Some(task) = mender.unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

#[async_trait]
impl LogClient for RecordedLog {
    fn id(&self) -> LogId {
        self.inner().id()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner().capabilities()
    }

    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        let asked = self.shared.clock.now();
        let snapshot = self.inner().snapshot(keyspace).await?;
        Ok(match self.reading(keyspace) {
            Some(notes) => {
                let id = self.shared.numbers.next();
                tee::snapshot(snapshot, notes.clone(), id, asked)
            }
            None => snapshot,
        })
    }

    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        let asked = self.shared.clock.now();
        let difference = self.inner().difference(keyspace, since, known).await?;
        Ok(match self.reading(keyspace) {
            Some(notes) => {
                let position = difference.position();
                let told = tee::difference(difference, notes.clone(), since);
                self.told(keyspace, position, asked);
                told
            }
            None => difference,
        })
    }

    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        let tail = self.inner().tail(keyspace, after).await?;
        Ok(match self.reading(keyspace) {
            Some(notes) => tee::tail(tail, notes.clone(), after),
            None => tail,
        })
    }

    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        let asked = self.shared.clock.now();
        let head = self.inner().head(keyspace).await?;
        self.told(keyspace, head, asked);
        Ok(head)
    }

    async fn recent_head(&self, keyspace: &Keyspace, age: Duration) -> Result<RecentHead> {
        let called = self.shared.clock.now();
        let head = self.inner().recent_head(keyspace, age).await?;
        self.told(keyspace, head.position, called.before(head.age));
        Ok(head)
    }

    async fn record_at(
        &self,
        keyspace: &Keyspace,
        key: &[u8],
        at: Position,
    ) -> Result<Option<Record>> {
        self.inner().record_at(keyspace, key, at).await
    }

    fn last_failure(&self) -> Option<Error> {
        self.inner().last_failure()
    }

    fn status(&self) -> LogStatus {
        self.inner().status()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        self.inner().commit(transaction).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.inner().grant(ttl).await
    }

    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.inner().renew(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.inner().revoke(lease).await
    }
}

impl fmt::Debug for RecordedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedLog")
            .field("inner", &self.shared.log)
            .field("keyspace", &self.shared.keyspace)
            .finish_non_exhaustive()
    }
}
