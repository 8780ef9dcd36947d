//! A memory log without leases, clients that give it some, and a line between them that can be told what to do.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe_faulty::{Fault, Faults, FaultyLog};
use globe_leases::LeasedLog;
use globe_log_client::{
    Capabilities, Difference, Error, ErrorKind, Keyspace, KnownKeys, Lease, LeaseId, LogClient,
    LogId, Position, Record, Result, Snapshot, Tail, Transaction, async_trait,
};
use globe_memory::MemoryLog;
use tokio::time::{Instant, sleep, timeout};

pub(crate) const TTL: Duration = Duration::from_secs(10);

/// How much later than its time a lease has ended, wherever a client sweeps.
pub(crate) const SOON: Duration = Duration::from_millis(500);

/// How long anything may take that is not about time.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn keyspace(name: &str) -> Keyspace {
    Keyspace::new(name).unwrap()
}

pub(crate) fn members() -> Keyspace {
    keyspace("members")
}

pub(crate) fn leases() -> Keyspace {
    keyspace(LeasedLog::KEYSPACE)
}

pub(crate) fn without_leases() -> Capabilities {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.leases = false;
    capabilities
}

/// A log that has no leases.
pub(crate) fn bare() -> MemoryLog {
    let log = MemoryLog::builder().page_size(7);
    log.capabilities(without_leases()).build()
}

/// A client that has leases.
pub(crate) fn client(log: &MemoryLog) -> LeasedLog {
    LeasedLog::new(log.clone()).unwrap()
}

/// A client each of whose calls takes a while, so that calls get between each other.
pub(crate) fn slow_client(log: &MemoryLog, seed: u64) -> LeasedLog {
    let slow = Faults::none().delay(ms(10)).with(Fault::Delay, 1.0);
    let slow = FaultyLog::builder(log.clone()).seed(seed).faults(slow);
    LeasedLog::new(slow.build()).unwrap()
}

pub(crate) fn leased(keyspace: &Keyspace, key: &str, lease: Lease) -> Transaction {
    Transaction::new().put_leased(keyspace, key.to_owned(), "value", lease.id)
}

/// Puts under a lease, in the keyspace of members.
pub(crate) async fn join(log: &LeasedLog, key: &str, lease: Lease) -> Result<Position> {
    log.commit(leased(&members(), key, lease)).await
}

/// What the log itself holds.
pub(crate) async fn records(log: &MemoryLog, keyspace: &Keyspace) -> BTreeMap<String, Record> {
    let snapshot = log.snapshot(keyspace).await.unwrap();
    let records = snapshot.collect().await.unwrap().into_iter();
    let name = |record: &Record| String::from_utf8(record.key.to_vec()).unwrap();
    records.map(|record| (name(&record), record)).collect()
}

pub(crate) async fn keys(log: &MemoryLog, keyspace: &Keyspace) -> BTreeSet<String> {
    records(log, keyspace).await.into_keys().collect()
}

/// The record of a lease, as the log itself shows it.
pub(crate) async fn shown(log: &MemoryLog, lease: Lease) -> Option<String> {
    let key = format!("lease/{:016x}", lease.id.get());
    let record = records(log, &leases()).await.remove(&key)?;
    Some(String::from_utf8(record.value.to_vec()).unwrap())
}

/// Waits until a keyspace of the log is empty.
pub(crate) async fn emptied(log: &MemoryLog, keyspace: &Keyspace) {
    let empty = async {
        while !records(log, keyspace).await.is_empty() {
            sleep(ms(10)).await;
        }
    };
    let waited = timeout(PATIENCE, empty).await;
    let left = keys(log, keyspace).await;
    assert!(waited.is_ok(), "{keyspace} still holds {left:?}");
}

/// Waits until nothing hangs on a lease, and there is none.
pub(crate) async fn swept(log: &MemoryLog) {
    emptied(log, &members()).await;
    emptied(log, &leases()).await;
}

/// Nothing happens to the members until some time, and soon after it they are gone.
pub(crate) async fn ends_at(log: &MemoryLog, when: Instant) {
    let there = keys(log, &members()).await;
    assert!(!there.is_empty(), "it ended early");
    tokio::time::sleep_until(when - ms(1)).await;
    assert_eq!(keys(log, &members()).await, there, "it ended early");
    tokio::time::sleep_until(when + SOON).await;
    assert!(keys(log, &members()).await.is_empty(), "it did not end");
}

pub(crate) fn kind<T: fmt::Debug>(outcome: Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind().clone()
}

pub(crate) fn unknown() -> Error {
    Error::new(ErrorKind::Indeterminate, "the answer was lost")
}

/// What becomes of a commit on its way to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Passes,
    /// It is written, and the answer is lost.
    LosesReply,
    /// It is not written, and nobody knows.
    LosesRequest,
    /// It is not written, and there is never an answer.
    Hangs,
}

type Rule = Box<dyn FnMut(&Transaction) -> Way + Send>;

/// A line to a log: each commit goes the way that a rule says.
#[derive(Clone)]
pub(crate) struct Wire {
    log: MemoryLog,
    rule: Arc<Mutex<Rule>>,
    pub(crate) snapshots_hang: Arc<Mutex<bool>>,
}

impl Wire {
    pub(crate) fn to(log: &MemoryLog) -> Wire {
        Wire {
            log: log.clone(),
            rule: Arc::new(Mutex::new(Box::new(|_| Way::Passes))),
            snapshots_hang: Arc::default(),
        }
    }

    /// A client at the end of this line.
    pub(crate) fn client(&self) -> LeasedLog {
        LeasedLog::new(self.clone()).unwrap()
    }

    pub(crate) fn rule(&self, rule: impl FnMut(&Transaction) -> Way + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// One commit goes this way, the one after so many, and all others pass.
    pub(crate) fn once(&self, after: usize, way: Way) {
        let mut count = 0;
        self.rule(move |_| {
            count += 1;
            match count == after + 1 {
                true => way,
                false => Way::Passes,
            }
        });
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

#[async_trait]
impl LogClient for Wire {
    fn id(&self) -> LogId {
        self.log.id()
    }
    fn capabilities(&self) -> Capabilities {
        self.log.capabilities()
    }
    async fn snapshot(&self, keyspace: &Keyspace) -> Result<Snapshot> {
        let hangs = *self.snapshots_hang.lock().unwrap();
        if hangs {
            std::future::pending::<()>().await;
        }
        self.log.snapshot(keyspace).await
    }
    async fn difference(
        &self,
        keyspace: &Keyspace,
        since: Position,
        known: KnownKeys,
    ) -> Result<Difference> {
        self.log.difference(keyspace, since, known).await
    }
    async fn tail(&self, keyspace: &Keyspace, after: Position) -> Result<Tail> {
        self.log.tail(keyspace, after).await
    }
    async fn head(&self, keyspace: &Keyspace) -> Result<Position> {
        self.log.head(keyspace).await
    }
    async fn commit(&self, transaction: Transaction) -> Result<Position> {
        let way = (self.rule.lock().unwrap())(&transaction);
        match way {
            Way::Passes => self.log.commit(transaction).await,
            Way::LosesReply => {
                // Whatever the log has said of it.
                let _ = self.log.commit(transaction).await;
                Err(unknown())
            }
            Way::LosesRequest => Err(unknown()),
            Way::Hangs => std::future::pending().await,
        }
    }
    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.log.grant(ttl).await
    }
    async fn renew(&self, lease: Lease) -> Result<Lease> {
        self.log.renew(lease).await
    }
    async fn revoke(&self, lease: LeaseId) -> Result<()> {
        self.log.revoke(lease).await
    }
}
