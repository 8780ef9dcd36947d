//! What the tests of the map share: bounded waiting, a log around a log, and an ear for what is traced.
//!
//! Never imitates a log: what it wraps is the real memory log, and it only breaks what passes through.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::expect_used,
    reason = "each test file uses its part, and fails by panicking"
)]

mod around;
pub(crate) mod ear;
pub(crate) mod every;
pub(crate) mod reading_thread;
pub(crate) mod shown;
pub(crate) mod text_key;
pub(crate) mod truth;
pub(crate) mod wakes;

use std::time::Duration;

pub(crate) use around::Around;
use futures::FutureExt;
use globe::log_client::Transaction;
use globe::{
    Capabilities, Error, ErrorKind, Globe, Key, Keyspace, LogClient, MemoryLog, Position, Result,
};

/// How long anything may take before a test gives up. Never what decides a test that passes.
const BOUND: Duration = Duration::from_secs(60);

/// What a future answers; fails the test instead of hanging.
pub(crate) async fn within<T>(what: &str, answer: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, answer).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// Waits until a condition holds; fails the test instead of hanging.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(what, wait).await;
}

pub(crate) fn keyspace(name: &str) -> Keyspace {
    Keyspace::new(name).unwrap()
}

/// The error of a call that fails as it should.
#[track_caller]
pub(crate) fn fails_with<T>(outcome: Result<T>, kind: ErrorKind) -> Error {
    let Err(error) = outcome else {
        panic!("it should have failed: {kind:?}");
    };
    assert_eq!(*error.kind(), kind, "{error}");
    error
}

/// Something stood in the way of a call, and it says so.
#[track_caller]
pub(crate) fn conflicts<T>(outcome: Result<T>) {
    let error = outcome.err().expect("it should have been refused");
    assert!(error.is_conflict(), "{error}");
}

/// What a call answers once something has happened, and not before.
pub(crate) async fn answered_after<T>(call: impl Future<Output = T>, event: impl Future) -> T {
    let mut call = std::pin::pin!(call);
    tokio::select! {
        biased;
        _ = &mut call => panic!("a call was answered too early"),
        () = within("something happens", async { drop(event.await) }) => {}
    }
    within("a call is answered", call).await
}

/// Waits until a map stands at a position, or beyond it in the same life.
pub(crate) async fn reaches<K: Key, V: Send + Sync + 'static>(map: &Globe<K, V>, at: Position) {
    until("the map is there", || {
        map.position().is_some_and(|here| here.covers(at))
    })
    .await;
}

/// Waits until a map is in the life that its log is in now.
pub(crate) async fn follows_life(map: &Globe<String, u64>, log: &MemoryLog) {
    let epoch = log.head_position().epoch;
    until("the new life is followed", || {
        map.position().is_some_and(|here| here.epoch == epoch)
    })
    .await;
}

/// A map, hydrated.
pub(crate) async fn open<K: Key, V>(log: &(impl LogClient + Clone), name: &str) -> Globe<K, V>
where
    V: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let opened = within("a map is opened", Globe::open(log.clone(), name));
    opened.await.unwrap()
}

/// A map of numbers on a log, hydrated.
pub(crate) async fn numbers(log: &(impl LogClient + Clone)) -> Globe<String, u64> {
    open(log, "numbers").await
}

/// A new log, and a map of numbers on it.
pub(crate) async fn fresh() -> (MemoryLog, Globe<String, u64>) {
    let log = MemoryLog::new();
    let map = numbers(&log).await;
    (log, map)
}

/// A new log, a way to it, and a map of numbers that goes this way.
pub(crate) async fn fresh_around() -> (MemoryLog, Around, Globe<String, u64>) {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = numbers(&around).await;
    (log, around, map)
}

/// A map of numbers on a log, which may not be hydrated yet.
pub(crate) fn started(log: &(impl LogClient + Clone)) -> Globe<String, u64> {
    Globe::builder(log.clone(), "numbers").start().unwrap()
}

/// A map of numbers with short pauses between attempts and a short deadline, hydrated.
pub(crate) async fn brisk(log: &(impl LogClient + Clone)) -> Globe<String, u64> {
    let builder = Globe::builder(log.clone(), "numbers")
        .retry(Duration::from_millis(5), Duration::from_millis(20))
        .probe_interval(Duration::from_millis(50))
        .tail_timeout(Duration::from_millis(50))
        .deadline(Duration::from_secs(5));
    within("a map is opened", builder.open()).await.unwrap()
}

/// Writes some entries that fit into one commit.
pub(crate) async fn put_all<const N: usize>(map: &Globe<String, u64>, entries: [(&str, u64); N]) {
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    map.put_all(entries).await.unwrap();
}

/// What another program does: writes bytes under a key, past every map.
pub(crate) async fn write_raw(
    log: &impl LogClient,
    space: &str,
    key: &str,
    value: impl AsRef<[u8]>,
) -> Position {
    let value = value.as_ref().to_vec();
    let write = Transaction::new().put(&keyspace(space), key.to_owned(), value);
    log.commit(write).await.unwrap()
}

/// What another program does: writes many entries in one commit, past every map.
pub(crate) async fn write_many<V: AsRef<[u8]>>(
    log: &impl LogClient,
    space: &str,
    entries: impl IntoIterator<Item = (String, V)>,
) -> Position {
    let (space, none) = (keyspace(space), Transaction::new());
    let write = entries.into_iter().fold(none, |write, (key, value)| {
        write.put(&space, key, value.as_ref().to_vec())
    });
    log.commit(write).await.unwrap()
}

/// A log of which all has to be read again where its history is forgotten.
pub(crate) fn without_differences() -> MemoryLog {
    let mut capabilities = Capabilities::full("memory");
    capabilities.differences = false;
    MemoryLog::builder().capabilities(capabilities).build()
}

/// What somebody else commits at this very moment.
pub(crate) fn come_between<const N: usize>(log: &MemoryLog, entries: [(&str, u64); N]) {
    let entries = entries.map(|(key, value)| (key.to_owned(), value.to_string()));
    let written = write_many(log, "numbers", entries).now_or_never();
    written.expect("the memory log answers at once");
}

/// What another program does: deletes a key, past every map.
pub(crate) async fn delete_raw(log: &impl LogClient, space: &str, key: &str) -> Position {
    let write = Transaction::new().delete(&keyspace(space), key.to_owned());
    log.commit(write).await.unwrap()
}

/// Lets something be written that no tail brings: it is forgotten before any map hears of it, and takes a snapshot.
pub(crate) async fn in_a_gap(log: &MemoryLog, writes: impl Future) {
    log.hold_tails(true);
    writes.await;
    log.compact(log.head_position().revision).unwrap();
    log.hold_tails(false);
}
