//! Beginning with a copy on disk: what is shown while the log is down, and how it moves on.
//!
//! On a real clock, for another thread writes the copy: whatever takes time is waited for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beginning;
mod guards;
mod histories;
mod namesake;
mod namesakes;
mod recipes;
#[path = "../rig/mod.rs"]
mod rig;

use std::time::Duration;

use globe::{Builder, Globe, LogClient, MemoryLog, Offline, Phase, Position};
use rig::{keyspace, put_all, until, within};
use tempfile::TempDir;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) type Numbers = Globe<String, u64>;

pub(crate) fn builder(log: &(impl LogClient + Clone), offline: Offline) -> Builder<String, u64> {
    Globe::builder(log.clone(), "numbers")
        .retry(SECOND / 200, SECOND / 50)
        .probe_interval(SECOND / 20)
        .offline(offline)
}

/// A map that begins with what is in this folder, whatever its age.
pub(crate) async fn kept(log: &(impl LogClient + Clone), folder: &TempDir) -> Numbers {
    let opened = builder(log, in_folder(folder)).open();
    within("a map is opened", opened).await.unwrap()
}

pub(crate) fn in_folder(folder: &TempDir) -> Offline {
    Offline::in_folder(folder.path())
}

/// Waits until the copy is of this position, or a later one.
pub(crate) async fn copied(folder: &TempDir, at: Position) {
    let offline = in_folder(folder);
    let copied = async {
        loop {
            let copy = offline.read(&keyspace("numbers")).await;
            if copy.is_ok_and(|copy| copy.is_some_and(|copy| copy.position.covers(at))) {
                return;
            }
            tokio::time::sleep(SECOND / 200).await;
        }
    };
    within("it is written to the disk", copied).await;
}

/// A log and a folder in which a map was open that held `a`, 1 and `b`, 2.
pub(crate) async fn was_open() -> (MemoryLog, TempDir) {
    let (log, folder) = (MemoryLog::new(), tempfile::tempdir().unwrap());
    let map = kept(&log, &folder).await;
    put_all(&map, [("a", 1), ("b", 2)]).await;
    copied(&folder, map.position().unwrap()).await;
    map.close().await;
    (log, folder)
}

pub(crate) async fn is_live(map: &Numbers) {
    until("the map is live", || map.status().phase == Phase::Live).await;
}
