//! How watches end: of every kind, as streams and not, by a close, a failure, and the last handle's drop; and that each says
//! why.
//!
//! What they show until then is tested elsewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use futures::StreamExt;
use globe::{Error, ErrorKind, Globe, MemoryLog};
use rig::{started, within, write_raw};
use tokio::task::JoinSet;

type Numbers = Globe<String, u64>;

/// Every kind of watch of a map, each followed to its end in a task; what each said of it.
fn followed(map: &Numbers) -> JoinSet<(&'static str, Option<Error>)> {
    let mut tasks = JoinSet::new();
    macro_rules! follow {
        ($($name:literal: $watch:expr),+ $(,)?) => {$(
            let mut watch = $watch;
            tasks.spawn(async move {
                while watch.next().await.is_some() {}
                assert!(watch.next().await.is_none(), "the end is the end");
                ($name, watch.ended())
            });
            let mut stream = $watch.into_stream();
            tasks.spawn(async move {
                while stream.next().await.is_some() {}
                ($name, stream.ended())
            });
        )+};
    }
    follow! {
        "all": map.watch(),
        "each revision": map.watch().every_revision(2),
        "key": map.watch_key("a"),
        "prefix": map.watch_prefix("a"),
        "range": map.watch_range("a"..),
        "where": map.watch_where(|_| true),
        "values": map.watch_values(|_| true),
        "value": map.watch_value("a"),
        "quarantine": map.watch_quarantine(),
        "phase": map.watch_phase(),
    }
    tasks
}

async fn all_end_with(tasks: JoinSet<(&'static str, Option<Error>)>, kind: ErrorKind) {
    let ends = within("every watch ends", tasks.join_all()).await;
    assert_eq!(ends.len(), 20);
    for (name, end) in ends {
        let end = end.unwrap_or_else(|| panic!("the watch of {name} says why"));
        assert_eq!(*end.kind(), kind, "{name}: {end}");
    }
}

async fn strict(log: &MemoryLog) -> Numbers {
    let builder = Globe::builder(log.clone(), "numbers").strict(true);
    builder.open().await.unwrap()
}

#[tokio::test]
async fn a_watch_of_any_kind_ends_when_the_map_is_closed_and_says_so() {
    let map = strict(&MemoryLog::new()).await;
    assert!(map.watch().ended().is_none(), "not while it follows");
    assert!(map.watch_phase().ended().is_none());
    assert!(map.watch_value("a").ended().is_none());
    assert!(map.watch_quarantine().ended().is_none());
    assert!(map.watch().into_stream().ended().is_none());
    let tasks = followed(&map);
    map.put("a", 1).await.unwrap();
    map.close().await;
    all_end_with(tasks, ErrorKind::Closed).await;
    // And those made after the end.
    all_end_with(followed(&map), ErrorKind::Closed).await;
}

#[tokio::test]
async fn a_watch_of_any_kind_ends_when_the_map_fails_and_says_why() {
    let log = MemoryLog::new();
    let map = strict(&log).await;
    let tasks = followed(&map);
    tokio::task::yield_now().await;
    write_raw(&log, "numbers", "a", b"bad").await;
    all_end_with(tasks, ErrorKind::Codec).await;
}

#[tokio::test]
async fn a_watch_of_any_kind_ends_when_the_last_handle_is_dropped() {
    let map = strict(&MemoryLog::new()).await;
    let mut tasks = followed(&map);
    tokio::task::yield_now().await;
    let clone = map.clone();
    drop(map);
    tokio::task::yield_now().await;
    assert!(tasks.try_join_next().is_none(), "a clone keeps it alive");
    drop(clone);
    all_end_with(tasks, ErrorKind::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_any_kind_ends_with_a_map_that_was_never_hydrated() {
    let log = MemoryLog::new();
    log.set_available(false);
    let map = started(&log);
    let tasks = followed(&map);
    tokio::task::yield_now().await;
    drop(map);
    all_end_with(tasks, ErrorKind::Closed).await;
}
