//! Settings: what each process shows, and what it refuses, when layers, roll-outs, hands and outages come together.
//!
//! Runs on a paused clock. Each process has its own way to the log, which can be cut.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod applying;
mod bad_use;
mod bad_values;
mod crowds;
mod held_up;
mod histories;
mod hostile;
mod layers;
mod outages;
mod publishing;
#[path = "../rig/mod.rs"]
mod rig;
mod rollouts;
mod storm;

use std::time::Duration;

use globe::settings::{PastValue, Scope, Setting};
use globe::{LogClient, MemoryLog, Settings};
use rig::{delete_raw, until, within, write_raw};
use serde::Serialize;
use serde::de::DeserializeOwned;

const SECOND: Duration = Duration::from_secs(1);
const SPACE: &str = "settings";

/// The settings of a process of this name, in Europe.
async fn settings(log: &(impl LogClient + Clone), instance: &str) -> Settings {
    settings_of(log, scope(instance)).await
}

async fn settings_of(log: &(impl LogClient + Clone), scope: Scope) -> Settings {
    let opening = Settings::open(log.clone(), SPACE, scope);
    within("settings are opened", opening).await.unwrap()
}

fn scope(instance: &str) -> Scope {
    Scope::new(instance).layer("region", "eu")
}

/// A number that must not be more than a thousand.
fn limit(settings: &Settings) -> Setting<u64> {
    let check = |limit: &u64| match limit {
        0..=1_000 => Ok(()),
        _ => Err("it is more than a thousand".to_owned()),
    };
    settings
        .declare("http.limit", 100)
        .check(check)
        .open()
        .unwrap()
}

/// A log, and the limit of a process.
async fn one() -> (MemoryLog, Setting<u64>) {
    let log = MemoryLog::new();
    let limit = limit(&settings(&log, "web-7").await);
    (log, limit)
}

/// What `etcdctl put settings/http.limit/{below}` does.
async fn put(log: &impl LogClient, below: &str, value: &str) {
    write_raw(log, SPACE, &format!("http.limit/{below}"), value).await;
}

async fn delete(log: &impl LogClient, below: &str) {
    delete_raw(log, SPACE, &format!("http.limit/{below}")).await;
}

async fn shows<T>(setting: &Setting<T>, value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + Send + Sync + 'static,
{
    let what = format!(
        "{} is {value:?}, and is {:?}",
        setting.name(),
        *setting.get()
    );
    until(&what, || *setting.get() == value).await;
}

/// Waits until there is a problem at a key below the limit's name.
async fn complains(limit: &Setting<u64>, at: &str) {
    until(&format!("{at} is complained of"), || {
        complaint(limit, at).is_some()
    })
    .await;
}

fn complaint(limit: &Setting<u64>, at: &str) -> Option<String> {
    let at = format!("http.limit/{at}");
    let problems = limit.problems().into_iter();
    problems
        .filter(|problem| problem.at == at)
        .map(|problem| problem.why)
        .next()
}

/// The history of a layer, the newest first: nothing where it was cleared or is refused.
fn history(limit: &Setting<u64>, layer: &str) -> Vec<Option<u64>> {
    let past = limit.history(layer).unwrap();
    let value = |value: &PastValue<u64>| value.good().map(|value| **value);
    past.iter().map(|past| value(past.value())).collect()
}

/// How many records of the history stand in the log.
async fn recorded(log: &MemoryLog) -> usize {
    let records = log.snapshot(&rig::keyspace(SPACE)).await.unwrap();
    let records = records.collect().await.unwrap();
    let is_past = |key: &[u8]| String::from_utf8_lossy(key).contains("/was/");
    records.iter().filter(|record| is_past(&record.key)).count()
}

/// Longer than it takes until what was put by hand is in the history.
async fn a_while() {
    tokio::time::sleep(SECOND * 3).await;
}
