//! Versions: which write of a key an entry is, in which life of the log, and compare-and-swap by it.
//!
//! The log is restored between the read and the write that relies on it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::log_client::Transaction;
use globe::{ErrorKind, Expected, Globe, MemoryLog, Version};
use rig::{Around, answered_after, conflicts, fresh, numbers, until, within, write_raw};

#[tokio::test(start_paused = true)]
async fn a_version_of_another_life_is_refused_though_the_same_revision_stands_there() {
    let (log, map) = fresh().await;
    let empty = log.backup();
    let ours = map.put("k", 1).await.unwrap().position();
    let version = map.get_entry("k").unwrap().version();
    log.restore(&empty);
    let theirs = write_raw(&log, "numbers", "k", b"2").await;
    assert_eq!(ours.revision, theirs.revision, "revisions are used again");

    // At once, and again when this map has followed the log into its new life.
    for round in ["before it is noticed", "after"] {
        let put = within(round, map.put_if("k", 3, version)).await;
        let delete = within(round, map.delete_if("k", version)).await;
        for refused in [put, delete] {
            let kind = refused.unwrap_err().kind().clone();
            assert_eq!(kind, ErrorKind::EpochChanged, "{round}");
        }
        until("the new life is followed", || {
            map.position().unwrap().epoch == theirs.epoch
        })
        .await;
    }
    assert_eq!(map.get("k").as_deref(), Some(&2), "nothing was overwritten");
    let now = map.get_entry("k").unwrap().version();
    assert_ne!(now, version);
    map.put_if("k", 4, now).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_restore_left_as_it_was_is_of_the_new_life() {
    let (log, map) = fresh().await;
    map.put("kept", 1).await.unwrap();
    let before = map.get_entry("kept").unwrap().version();
    let backup = log.backup();
    log.restore(&backup);
    until("the new life is followed", || map.status().resyncs == 1).await;
    let after = map.get_entry("kept").unwrap().version();
    assert_eq!(after.revision(), before.revision());
    assert_ne!(after, before);
    assert!(map.put_if("kept", 2, before).await.is_err());
    map.put_if("kept", 2, after).await.unwrap();
}

#[tokio::test]
async fn a_version_travels_as_text_and_fits_an_etag() {
    let log = MemoryLog::new();
    let (one, two) = (numbers(&log).await, numbers(&log).await);
    one.put("k", 1).await.unwrap();
    let etag = format!("\"{}\"", one.get_entry("k").unwrap().version());
    assert!(etag.chars().all(|c| c.is_ascii_graphic()));
    let version: Version = etag.trim_matches('"').parse().unwrap();
    // The other node may not have seen it yet: it waits until it has.
    two.put_if("k", 2, version).await.unwrap();
    let late = one.put_if("k", 3, version).await.unwrap_err();
    let ErrorKind::Conflict(conflict) = late.kind() else {
        panic!("{late}");
    };
    let found = conflict.version(one.keyspace(), b"k").unwrap();
    one.put_if("k", 3, found).await.unwrap();
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Version>(&json).unwrap(), found);
    for bad in [
        "",
        "7",
        "7-",
        "-1",
        "07-0000000000000001",
        "7-1",
        "7-000000000000000G",
    ] {
        assert!(bad.parse::<Version>().is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn present_writes_over_whatever_stands_there_and_only_then() {
    let (log, map) = fresh().await;
    conflicts(map.put_if("k", 1, Expected::Present).await);
    // This map is behind: the log knows better.
    log.hold_tails(true);
    write_raw(&log, "numbers", "k", b"1").await;
    let put = map.put_if("k", 2, Expected::Present);
    let heard = async { log.hold_tails(false) };
    answered_after(put, heard).await.unwrap();
    assert_eq!(map.get("k").as_deref(), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn guards_that_a_conflict_gave_hold_in_its_life_only() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let there = write_raw(&log, "numbers", "k", b"1").await;
    around.hold_snapshots(true);
    let map: Globe<String, u64> = Globe::builder(around.clone(), "numbers").start().unwrap();
    let sent = around.keep_transactions();
    let put = tokio::spawn({
        let map = map.clone();
        async move { map.put("k", 2).await }
    });
    until("it was refused, and sent anew", || {
        sent.lock().unwrap().len() == 2
    })
    .await;
    around.hold_snapshots(false);
    within("the put", put).await.unwrap().unwrap();
    let sent = sent.lock().unwrap();
    let lives: Vec<_> = sent.iter().map(Transaction::epoch).collect();
    // The first is guarded by nothing that is known: the map is not hydrated.
    assert_eq!(lives, [None, Some(there.epoch)]);
}
