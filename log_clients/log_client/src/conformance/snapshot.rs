//! Snapshots: complete, in order, and true at one position.
//!
//! Never looks at a tail.

use bytes::Bytes;

use super::harness::Harness;
use super::space::{Space, soon};
use crate::transaction::Transaction;

pub async fn a_snapshot_reflects_every_commit_acknowledged_before_it(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    for round in 0..20 {
        let value = Bytes::from(format!("round {round}"));
        let written = there.put("key", value.clone()).await;
        let (position, records) = here.snapshot().await;
        assert!(
            position.covers(written),
            "{position} is older than {written}"
        );
        assert_eq!(records[0].value, value);
        assert_eq!(records[0].modified, written.revision);
    }
}

pub async fn a_snapshot_holds_each_live_record_once_in_key_order(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("gone", "").await;
    space.fill(1050).await;
    for key in ["ö", "Z", "key-", "key-000500/x", "a", "\u{10ffff}", "\u{1}"] {
        space.put(key, "value").await;
    }
    space.delete("gone").await;
    let (_, records) = space.snapshot().await;
    assert_eq!(records.len(), 1057);
    let in_order = records.windows(2).all(|pair| pair[0].key < pair[1].key);
    assert!(in_order, "records out of order, or twice");
}

pub async fn an_empty_keyspace_has_an_empty_snapshot(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let beside = space.beside("-other").put("key", "value").await;
    let (position, records) = space.snapshot().await;
    assert!(records.is_empty());
    assert!(position.covers(beside));
}

pub async fn all_pages_of_a_snapshot_are_true_at_its_position(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.fill(1500).await;
    let mut snapshot = space.log.snapshot(&space.keyspace).await.unwrap();
    let mut records = soon("a page", snapshot.next_page()).await.unwrap().unwrap();
    let amid = Transaction::new()
        .put(&space.keyspace, "key-000000", "after")
        .put(&space.keyspace, "key-001499", "after")
        .put(&space.keyspace, "key-001499/new", "after")
        .delete(&space.keyspace, "key-001498");
    space.commit(amid).await;
    while let Some(page) = soon("a page", snapshot.next_page()).await.unwrap() {
        records.extend(page);
    }
    assert_eq!(records.len(), 1500);
    for record in &records {
        assert_eq!(record.value, "before", "{record:?}");
        assert!(record.modified <= snapshot.position().revision);
    }
}

pub async fn a_snapshot_that_ended_stays_ended(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("key", "value").await;
    let mut snapshot = space.log.snapshot(&space.keyspace).await.unwrap();
    while soon("a page", snapshot.next_page())
        .await
        .unwrap()
        .is_some()
    {}
    for _ in 0..3 {
        assert_eq!(snapshot.next_page().await.unwrap(), None);
    }
}

pub async fn overwriting_keeps_created_and_recreating_changes_it(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let first = space.put("key", "1").await;
    let second = space.put("key", "2").await;
    let record = space.record("key").await.unwrap();
    assert_eq!(record.created, first.revision);
    assert_eq!(record.modified, second.revision);
    space.delete("key").await;
    assert_eq!(space.record("key").await, None);
    let third = space.put("key", "3").await;
    let record = space.record("key").await.unwrap();
    assert_eq!(record.created, third.revision);
    assert_eq!(record.modified, third.revision);
}
