//! What is built on sessions: who is let in, in which order, and what becomes of those who hold and wait when things go wrong.
//!
//! Runs on a paused clock. Each process has its own way to the log, which can be cut.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_use;
mod barriers;
mod counts;
mod elections;
mod fences;
mod locks;
mod outages;
mod queues;
#[path = "../rig/mod.rs"]
mod rig;
mod shares;
mod storm;

use std::time::Duration;

use globe::{
    Claims, Election, Lock, LockGuard, MemoryLog, RwLock, Semaphore, Session, SessionState,
};
use rig::{Around, open, until, within};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(10);

/// One process: its way to the log, its session, its claims.
struct Process {
    way: Around,
    session: Session,
    claims: Claims,
}

impl Process {
    async fn new(log: &MemoryLog, name: &str) -> Process {
        Process::by(Around::new(log), name).await
    }

    /// Whose lease the log does not end for a long time, although its owner is told otherwise.
    async fn patient(log: &MemoryLog, name: &str) -> Process {
        let way = Around::new(log);
        way.lengthen_leases(10_000);
        Process::by(way, name).await
    }

    async fn by(way: Around, name: &str) -> Process {
        let session = Session::builder(way.clone()).name(name).ttl(TTL).open();
        Process {
            session: session.await.unwrap(),
            claims: open(&way, "claims").await,
            way,
        }
    }

    fn lock(&self) -> Lock {
        Lock::new(&self.claims, &self.session, "invoices").unwrap()
    }

    fn rw_lock(&self) -> RwLock {
        RwLock::new(&self.claims, &self.session, "catalogue").unwrap()
    }

    fn semaphore(&self, permits: u32) -> Semaphore {
        Semaphore::new(&self.claims, &self.session, "uploads", permits).unwrap()
    }

    fn election(&self) -> Election {
        Election::new(&self.claims, &self.session, "compactor").unwrap()
    }

    async fn acquire(&self) -> LockGuard {
        within("the lock is had", self.lock().acquire())
            .await
            .unwrap()
    }

    /// How many claims stand, as this process sees it.
    fn count(&self) -> usize {
        self.claims.len()
    }

    async fn counts(&self, expected: usize) {
        until(&format!("{expected} claims stand"), || {
            self.count() == expected
        })
        .await;
    }
}

/// Two processes on one log.
async fn two() -> (MemoryLog, Process, Process) {
    let log = MemoryLog::new();
    let one = Process::new(&log, "one").await;
    let other = Process::new(&log, "other").await;
    (log, one, other)
}

/// Something that runs beside the test.
fn beside<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

async fn is_in(guard: &LockGuard, state: SessionState) {
    until(&format!("the guard is {state}"), || guard.state() == state).await;
}
