//! What the tests on real servers share: short ways to use a log, and a copy that follows a keyspace as a map does.
//!
//! Never decides by time: every wait is for a condition, with a bound that only ends a broken test.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::time::Duration;

use globe_etcd::{EtcdBuilder, EtcdLog};
use globe_log_client::{
    Batch, Change, Error, ErrorKind, Keyspace, LogClient, Position, Precondition, Record, Result,
    Tail, Transaction,
};
use globe_test_support::EtcdServer;

/// How long anything may take before a test is broken.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Runs a test on each version of the server.
#[allow(unused_macros, reason = "not every file runs on each version")]
macro_rules! on_each_version {
    ($($test:ident)*) => {
        $(mod $test {
            use globe_test_support::EtcdVersion;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_the_reference() {
                super::$test(EtcdVersion::Reference).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_3_5_16() {
                super::$test(EtcdVersion::V3_5_16).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_3_4_23() {
                super::$test(EtcdVersion::V3_4_23).await;
            }
        })*
    };
}
#[allow(unused_imports, reason = "not every file runs on each version")]
pub(crate) use on_each_version;

/// The keyspace of the tests; its records stand at `flags/…`.
pub(crate) fn flags() -> Keyspace {
    Keyspace::new("flags").unwrap()
}

/// How long the clients of most tests wait: long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A log on these endpoints. Only its deadline is not the default, so that a busy machine fails no test.
pub(crate) async fn connect(endpoints: impl IntoIterator<Item = String>) -> EtcdLog {
    let builder = EtcdLog::builder().endpoints(endpoints);
    builder.deadline(PATIENCE).connect().await.unwrap()
}

/// A log with every setting at its default, for calls that are to fail.
pub(crate) async fn hasty(endpoints: impl IntoIterator<Item = String>) -> EtcdLog {
    EtcdLog::connect(endpoints).await.unwrap()
}

/// A log of the user `app`, who may use what begins with `app/`.
pub(crate) fn as_app(endpoint: String) -> EtcdBuilder {
    EtcdLog::builder()
        .endpoint(endpoint)
        .namespace("app/")
        .user("app", "app-secret")
        .deadline(PATIENCE)
}

/// `http://` and a port of this machine.
pub(crate) fn http(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, work).await {
        Ok(output) => output,
        Err(_) => panic!("not within {BOUND:?}: {what}"),
    }
}

/// Calls until the log can be reached.
pub(crate) async fn when_reachable<T, F>(what: &str, mut call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T>>,
{
    let answered = async {
        loop {
            match call().await {
                Ok(answer) => break answer,
                Err(error) if *error.kind() == ErrorKind::Unavailable => {}
                Err(error) => panic!("{what}: {error}"),
            }
        }
    };
    within(what, answered).await
}

/// A transaction that writes one record, whatever stands there.
pub(crate) fn a_put(key: &str, value: &str) -> Transaction {
    Transaction::new().put(&flags(), key.to_owned(), value.to_owned())
}

pub(crate) async fn try_put(log: &EtcdLog, key: &str, value: &str) -> Result<Position> {
    within("a commit", log.commit(a_put(key, value))).await
}

/// Writes one record, which must succeed at the first try.
pub(crate) async fn put(log: &EtcdLog, key: &str, value: &str) -> Position {
    try_put(log, key, value)
        .await
        .unwrap_or_else(|error| panic!("put {key}: {error}"))
}

pub(crate) async fn delete(log: &EtcdLog, key: &str) -> Position {
    let delete = Transaction::new().delete(&flags(), key.to_owned());
    within("a delete", log.commit(delete)).await.unwrap()
}

pub(crate) async fn try_create(log: &EtcdLog, key: &str, value: &str) -> Result<Position> {
    let create = Transaction::new()
        .when(&flags(), key.to_owned(), Precondition::Absent)
        .put(&flags(), key.to_owned(), value.to_owned());
    within("a create", log.commit(create)).await
}

pub(crate) async fn record(log: &EtcdLog, key: &str) -> Option<Record> {
    let snapshot = log.snapshot(&flags()).await.unwrap();
    let records = within("a snapshot", snapshot.collect()).await.unwrap();
    records.into_iter().find(|record| record.key == key)
}

/// What the server holds below `flags/`, as its own tool says.
pub(crate) async fn truth(server: &EtcdServer) -> BTreeMap<String, String> {
    let lines = server.etcdctl(&["get", "--prefix", "flags/"]).await;
    let lines: Vec<&str> = lines.lines().collect();
    let pairs = lines
        .chunks(2)
        .map(|pair| (pair[0].trim_start_matches("flags/").into(), pair[1].into()));
    pairs.collect()
}

/// Waits until a copy, as it follows, holds exactly what the server holds; the server must be quiet.
pub(crate) async fn converges(copy: &mut Copy, log: &EtcdLog, server: &EtcdServer) {
    let head = when_reachable("the head", || log.head(&copy.keyspace)).await;
    copy.reach(head).await;
    assert_eq!(copy.values(), truth(server).await);
}

/// Every write of the keyspace after a position, as the log itself tells it: the key, and the value unless deleted.
pub(crate) async fn history(log: &EtcdLog, after: Position) -> Vec<(String, Option<String>)> {
    let keyspace = flags();
    let head = when_reachable("the head", || log.head(&keyspace)).await;
    let mut tail = when_reachable("a tail", || log.tail(&keyspace, after)).await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut history = Vec::new();
    let mut reached = after;
    while !reached.covers(head) {
        let batch = within("the history", tail.next()).await.unwrap();
        reached.revision = batch.revision;
        history.extend(batch.changes.iter().map(|change| match change {
            Change::Put(record) => (text(&record.key), Some(text(&record.value))),
            deleted => (text(deleted.key()), None),
        }));
    }
    history
}

/// How often a key was written, in a history.
pub(crate) fn puts_of(history: &[(String, Option<String>)], key: &str) -> usize {
    let puts = history
        .iter()
        .filter(|(name, value)| name == key && value.is_some());
    puts.count()
}

/// A copy of a keyspace. It follows as a map does, and counts how often it had to begin again.
pub(crate) struct Copy {
    log: EtcdLog,
    pub(crate) keyspace: Keyspace,
    pub(crate) position: Position,
    pub(crate) records: BTreeMap<String, Record>,
    tail: Option<Tail>,
    /// How many snapshots it took after the first.
    pub(crate) resyncs: u32,
    /// How many tails broke.
    pub(crate) breaks: u32,
}

impl Copy {
    /// Takes a snapshot, and tails from it.
    pub(crate) async fn open(log: &EtcdLog) -> Copy {
        let mut copy = Copy {
            log: log.clone(),
            keyspace: flags(),
            position: Position::default(),
            records: BTreeMap::new(),
            tail: None,
            resyncs: 0,
            breaks: 0,
        };
        copy.take_snapshot().await.unwrap();
        copy.open_tail().await.unwrap();
        copy
    }

    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let text = |record: &Record| String::from_utf8(record.value.to_vec()).unwrap();
        let records = self.records.iter();
        records
            .map(|(key, record)| (key.clone(), text(record)))
            .collect()
    }

    /// Gives up its tail, as if its process were busy elsewhere.
    pub(crate) fn look_away(&mut self) {
        self.tail = None;
    }

    async fn take_snapshot(&mut self) -> Result<()> {
        let snapshot = self.log.snapshot(&self.keyspace).await?;
        let position = snapshot.position();
        let records = snapshot.collect().await?;
        let key = |record: &Record| String::from_utf8(record.key.to_vec()).unwrap();
        self.records = records.into_iter().map(|r| (key(&r), r)).collect();
        self.position = position;
        Ok(())
    }

    async fn open_tail(&mut self) -> Result<()> {
        self.tail = Some(self.log.tail(&self.keyspace, self.position).await?);
        Ok(())
    }

    /// The next batch, applied.
    pub(crate) async fn step(&mut self) -> Result<Batch> {
        if self.tail.is_none() {
            self.open_tail().await?;
        }
        let batch = self.tail.as_mut().unwrap().next().await;
        if batch.is_err() {
            self.tail = None;
            self.breaks += 1;
        }
        let batch = batch?;
        assert!(
            batch.revision > self.position.revision,
            "{batch:?} after {}",
            self.position
        );
        self.position.revision = batch.revision;
        for change in &batch.changes {
            let key = String::from_utf8(change.key().to_vec()).unwrap();
            match change {
                Change::Put(record) => self.records.insert(key, record.clone()),
                _ => self.records.remove(&key),
            };
        }
        Ok(batch)
    }

    /// Follows up to a position, through whatever breaks on the way.
    pub(crate) async fn reach(&mut self, target: Position) {
        let follow = async {
            while !self.position.covers(target) {
                if let Err(error) = self.step().await {
                    self.recover(&error).await;
                }
            }
        };
        within("the copy reaches the log", follow).await;
    }

    /// Follows until its tail breaks, and says by what. It must not have been behind by more than what was committed.
    pub(crate) async fn until_it_breaks(&mut self) -> Error {
        let broken = async {
            loop {
                if let Err(error) = self.step().await {
                    break error;
                }
            }
        };
        within("the tail breaks", broken).await
    }

    async fn recover(&mut self, error: &Error) {
        match error.kind() {
            ErrorKind::Unavailable => {}
            ErrorKind::Compacted | ErrorKind::EpochChanged => {
                self.resyncs += 1;
                while let Err(error) = self.take_snapshot().await {
                    let is_passing = matches!(
                        error.kind(),
                        ErrorKind::Unavailable | ErrorKind::Compacted | ErrorKind::EpochChanged
                    );
                    assert!(is_passing, "{error}");
                }
            }
            _ => panic!("the tail ended for good: {error}"),
        }
    }
}
