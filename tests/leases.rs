//! A key stays with its lease, whatever is written to it, unless it is taken off by name.
//!
//! The leases are the log's own: sessions are not part of this.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use globe::log_client::Transaction;
use globe::{Expected, Globe, LeaseId, LogClient, MemoryLog};
use rig::{answered_after, fresh, keyspace, numbers, put_all, until};

type Numbers = Globe<String, u64>;

const KEYS: [&str; 7] = [
    "put", "update", "put_if", "present", "transact", "put_all", "conflict",
];

/// Registers every key under one lease, as a service would.
async fn register(log: &MemoryLog, map: &Numbers) -> LeaseId {
    let lease = log.grant(Duration::from_secs(60)).await.unwrap().id;
    let space = keyspace("numbers");
    let begin = Transaction::new();
    let write = KEYS.iter().fold(begin, |write, key| {
        write.put_leased(&space, *key, "1", lease)
    });
    let position = log.commit(write).await.unwrap();
    let seen = globe::Consistency::AtLeast(position);
    map.view_at(seen).await.unwrap();
    lease
}

#[tokio::test(start_paused = true)]
async fn a_write_keeps_the_lease_of_its_key() {
    let (log, map) = fresh().await;
    let lease = register(&log, &map).await;
    map.put("put", 2).await.unwrap();
    map.update("update", |_| 2).await.unwrap();
    let version = map.get_entry("put_if").unwrap().version();
    map.put_if("put_if", 2, version).await.unwrap();
    map.put_if("present", 2, Expected::Present).await.unwrap();
    map.transact(|txn| txn.put(&map, "transact", 2))
        .await
        .unwrap();
    put_all(&map, [("put_all", 2)]).await;
    // Another node's put comes in between: the lease is learnt from the conflict.
    log.hold_tails(true);
    let other = numbers(&log).await;
    let space = keyspace("numbers");
    let between = Transaction::new().put_leased(&space, "conflict", "5", lease);
    log.commit(between).await.unwrap();
    let heard = async { log.hold_tails(false) };
    let put = answered_after(map.put("conflict", 2), heard).await;
    put.unwrap();

    for key in KEYS {
        let entry = map.get_entry(key).unwrap();
        assert_eq!((**entry.value(), entry.lease()), (2, Some(lease)), "{key}");
    }
    log.revoke(lease).await.unwrap();
    until("all of them end with it", || {
        map.is_empty() && other.is_empty()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_put_outlives_the_lease() {
    let (log, map) = fresh().await;
    let lease = register(&log, &map).await;
    map.put_detached("put", 2).await.unwrap();
    map.transact(|txn| txn.put_detached(&map, "transact", 2))
        .await
        .unwrap();
    assert_eq!(map.get_entry("put").unwrap().lease(), None);
    log.revoke(lease).await.unwrap();
    until("the others end", || map.len() == 2).await;
    assert!(map.contains_key("put") && map.contains_key("transact"));
}

#[tokio::test(start_paused = true)]
async fn a_bad_record_that_is_healed_keeps_its_lease() {
    let (log, map) = fresh().await;
    let lease = register(&log, &map).await;
    let space = keyspace("numbers");
    let bad = Transaction::new().put_leased(&space, "put", "bad", lease);
    log.commit(bad).await.unwrap();
    until("it is kept out", || map.quarantine().len() == 1).await;
    map.put("put", 2).await.unwrap();
    assert_eq!(map.get_entry("put").unwrap().lease(), Some(lease));
}

#[tokio::test(start_paused = true)]
async fn a_put_over_a_key_whose_lease_has_just_ended_writes_it_without() {
    let (log, map) = fresh().await;
    let lease = register(&log, &map).await;
    log.hold_tails(true);
    log.revoke(lease).await.unwrap();
    let heard = async { log.hold_tails(false) };
    let put = answered_after(map.put("put", 2), heard).await;
    put.unwrap();
    let entry = map.get_entry("put").unwrap();
    assert_eq!((**entry.value(), entry.lease()), (2, None));
}
