//! What the tests on real servers share: short ways to use a log, to ask a server, and to wait.
//!
//! Never decides by time: every wait is for a condition, with a bound that only ends a broken test.
#![allow(dead_code, reason = "each test file uses a part of it")]

mod copy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use globe_etcd::{EtcdBuilder, EtcdLog};
use globe_log_client::{
    Change, Error, ErrorKind, Keyspace, LogClient, Position, Precondition, Record, Result,
    Transaction,
};
use globe_test_support::{EtcdCluster, EtcdServer};

#[allow(unused_imports, reason = "not every file follows")]
pub(crate) use self::copy::{Copy, converges};

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

/// How long those wait whose calls are to fail.
pub(crate) const HURRY: Duration = Duration::from_secs(3);

/// A log on these endpoints. Only its deadline is not the default, so that a busy machine fails no test.
pub(crate) async fn connect(endpoints: impl IntoIterator<Item = String>) -> EtcdLog {
    let builder = EtcdLog::builder().endpoints(endpoints);
    builder.deadline(PATIENCE).connect().await.unwrap()
}

/// A log with every setting at its default.
pub(crate) async fn hasty(endpoints: impl IntoIterator<Item = String>) -> EtcdLog {
    EtcdLog::connect(endpoints).await.unwrap()
}

/// A log that gives up soon, for calls that are to fail: each waits so long. Those that are to succeed have time enough.
pub(crate) async fn hurried(endpoints: impl IntoIterator<Item = String>) -> EtcdLog {
    let builder = EtcdLog::builder().endpoints(endpoints);
    builder.deadline(HURRY).connect().await.unwrap()
}

/// Users by name, password, and the prefix of what they may use: one for all below `app/`, and one for nothing but the
/// records of one keyspace.
const USERS: [(&str, &str, &str); 2] = [
    ("app", "app-secret", "app/"),
    ("narrow", "narrow-secret", "flags/"),
];

/// From now on the server asks who one is.
pub(crate) async fn guard(server: &mut EtcdServer) {
    server.enable_auth("root-secret", &USERS).await;
}

/// The same, of a whole cluster.
pub(crate) async fn guard_all(cluster: &mut EtcdCluster) {
    cluster.enable_auth("root-secret", &USERS).await;
}

/// A server that asks who one is, started with these settings.
pub(crate) async fn guarded(builder: globe_test_support::EtcdBuilder) -> EtcdServer {
    let mut server = builder.start().await;
    guard(&mut server).await;
    server
}

/// A log of the user `app`.
pub(crate) fn as_app(endpoint: String) -> EtcdBuilder {
    EtcdLog::builder()
        .endpoint(endpoint)
        .namespace("app/")
        .user("app", "app-secret")
        .deadline(PATIENCE)
}

/// A log of the user `narrow`, who cannot write what fences a commit.
pub(crate) fn as_narrow(endpoint: String) -> EtcdBuilder {
    EtcdLog::builder()
        .endpoint(endpoint)
        .user("narrow", "narrow-secret")
        .deadline(PATIENCE)
}

/// Makes the user `app` anew with this password, which ends what was logged in with the old one.
pub(crate) async fn give_app(server: &EtcdServer, password: &str) {
    server.etcdctl(&["user", "delete", "app"]).await;
    let user = format!("app:{password}");
    server.etcdctl(&["user", "add", &user]).await;
    server.etcdctl(&["user", "grant-role", "app", "app"]).await;
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

/// Calls until the log can be reached: what it said then.
pub(crate) async fn answer<T, F>(what: &str, mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let answered = async {
        loop {
            match call().await {
                Err(error) if *error.kind() == ErrorKind::Unavailable => {}
                answer => break answer,
            }
        }
    };
    within(what, answered).await
}

/// Calls until the log can be reached, and succeeds then.
pub(crate) async fn when_reachable<T, F>(what: &str, call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T>>,
{
    let answer = answer(what, call).await;
    answer.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// What is said of a commit whose server is away, by whoever says no more than he knows.
pub(crate) fn is_honest(error: &Error) {
    let (unsent, unknown) = (ErrorKind::Unavailable, ErrorKind::Indeterminate);
    let is_honest = [unsent, unknown].contains(error.kind());
    assert!(is_honest, "{error}");
}

/// Waits until every member answers this one.
pub(crate) async fn all_are_back(member: &EtcdServer) {
    let everyone = ["endpoint", "health", "--cluster"];
    let asking = async { while member.try_etcdctl(&everyone).await.is_err() {} };
    within("all members are back", asking).await;
}

/// How many messages of a method the server was sent.
pub(crate) async fn received(server: &EtcdServer, method: &str) -> f64 {
    let name = "grpc_server_msg_received_total";
    let label = format!("grpc_method=\"{method}\"");
    server.metric(name, &label).await
}

/// How often somebody began to log in since the server was started.
pub(crate) async fn logins(server: &EtcdServer) -> u64 {
    let name = "grpc_server_started_total";
    let count = server.metric(name, "grpc_method=\"Authenticate\"").await;
    // A count, which the server happens to tell as a fraction.
    count.round() as u64
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

/// Another client writes until the log is further than this.
pub(crate) async fn write_past(server: &EtcdServer, position: Position) {
    let another = connect([server.endpoint()]).await;
    while put(&another, "new", "1").await.revision <= position.revision {}
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

/// Writes records with these numbers as their keys, a hundred in a commit.
pub(crate) async fn fill(log: &EtcdLog, count: usize) {
    let batches = Arc::new(tokio::sync::Semaphore::new(8));
    let mut filling = tokio::task::JoinSet::new();
    for start in (0..count).step_by(100) {
        let (log, batches) = (log.clone(), Arc::clone(&batches));
        filling.spawn(async move {
            let _turn = batches.acquire().await;
            let keys = (start..start + 100).map(|number| format!("{number:06}"));
            let puts = keys.fold(Transaction::new(), |puts, key| {
                puts.put(&flags(), key, "v".repeat(100))
            });
            log.commit(puts).await.unwrap();
        });
    }
    while let Some(filled) = within("the filling", filling.join_next()).await {
        filled.unwrap();
    }
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
