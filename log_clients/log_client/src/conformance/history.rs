//! History: what stood at a key at a position that is over.
//!
//! Never takes the log's word for it: what it says is compared with snapshots that were taken there.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::harness::Harness;
use super::mirror::Mirror;
use super::outage::when_found;
use super::space::{PATIENCE, Space, of_another_life, soon};
use crate::error::{ErrorKind, Result};
use crate::position::{Position, Revision};
use crate::record::Record;
use crate::transaction::Transaction;

/// How far a position is ahead of everything that is committed here.
const AHEAD: u64 = 1_000_000;

/// A keyspace of a log that knows its history. Without one, sees that it says so.
async fn remembering(harness: &dyn Harness) -> Option<Space> {
    let space = Space::fresh(harness);
    if space.capabilities().history {
        return Some(space);
    }
    let at = space.put("key", "value").await;
    let error = at_key(&space, "key", at).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unsupported, "{error}");
    None
}

async fn at_key(space: &Space, key: &str, at: Position) -> Result<Option<Record>> {
    let key = Bytes::copy_from_slice(key.as_bytes());
    let record = space.log.record_at(&space.keyspace, &key, at);
    soon("what stood at a key", record).await
}

async fn stood(space: &Space, key: &str, at: Position) -> Option<Record> {
    let record = at_key(space, key, at).await;
    record.unwrap_or_else(|error| panic!("{key} at {at}: {error}"))
}

async fn refusal(space: &Space, at: Position) -> ErrorKind {
    let error = at_key(space, "key", at).await;
    error.expect_err("it must be refused").kind().clone()
}

/// A keyspace as snapshots showed it, one after each of its commits.
#[derive(Default)]
struct Chronicle(Vec<(Position, BTreeMap<Bytes, Record>)>);

impl Chronicle {
    /// Commits, and writes down what stands then.
    async fn commit(&mut self, space: &Space, transaction: Transaction) -> Position {
        let position = space.commit(transaction).await;
        self.0.push((position, space.records().await));
        position
    }

    /// The log says the same of every position from `first` on.
    async fn is_told(&self, space: &Space, keys: &[&str], first: Position) {
        let remembered = self.0.iter().filter(|(at, _)| at.covers(first));
        for (at, records) in remembered {
            for key in keys {
                let found = stood(space, key, *at).await;
                assert_eq!(found.as_ref(), records.get(key.as_bytes()), "{key} at {at}");
            }
        }
    }
}

pub async fn what_stood_at_a_key_is_told_of_every_position(harness: &dyn Harness) {
    let Some(space) = remembering(harness).await else {
        return;
    };
    let beside = space.beside("-other");
    let keyspace = &space.keyspace;
    let mut chronicle = Chronicle::default();
    let first = space.head().await;
    for value in ["1", "2", "3"] {
        let both = |key: &'static str| Transaction::new().put(keyspace, key, value);
        chronicle
            .commit(&space, both("key").put(keyspace, "k", value))
            .await;
        beside.put("key", "of another keyspace").await;
        chronicle.commit(&space, both("key/longer")).await;
        chronicle.commit(&space, both("key")).await;
        let both_gone = Transaction::new()
            .delete(keyspace, "key")
            .delete(keyspace, "k");
        chronicle.commit(&space, both_gone).await;
    }
    let keys = ["key", "k", "key/longer", "ke", "missing"];
    chronicle.is_told(&space, &keys, first).await;
    let there = space.elsewhere(harness).await;
    chronicle.is_told(&there, &keys, first).await;
    assert_eq!(stood(&space, "key", first).await, None);
    let head = beside.put("key", "last").await;
    let record = stood(&beside, "key", head).await.expect("a record");
    assert_eq!(
        (record.value, record.modified),
        ("last".into(), head.revision)
    );
}

pub async fn what_stood_at_the_compaction_is_told_and_nothing_before(harness: &dyn Harness) {
    let Some(space) = remembering(harness).await else {
        return;
    };
    let put = |key: &'static str, value: &'static str| {
        let transaction = Transaction::new();
        transaction.put(&space.keyspace, key, value)
    };
    let delete = |key: &'static str| Transaction::new().delete(&space.keyspace, key);
    let mut chronicle = Chronicle::default();
    let before = chronicle.commit(&space, put("key", "1")).await;
    for transaction in [
        put("deleted before", "1"),
        put("deleted there", "1"),
        delete("deleted before"),
        put("key", "2"),
    ] {
        chronicle.commit(&space, transaction).await;
    }
    let there = chronicle.commit(&space, delete("deleted there")).await;
    for transaction in [put("key", "3"), put("created after", "1")] {
        chronicle.commit(&space, transaction).await;
    }
    let last = chronicle.commit(&space, delete("key")).await;
    let keys = ["key", "deleted before", "deleted there", "created after"];
    for compacted in [there, last] {
        soon("a compaction", harness.compact(compacted.revision)).await;
        chronicle.is_told(&space, &keys, compacted).await;
        assert_eq!(refusal(&space, before).await, ErrorKind::Compacted);
        let right_before = Position::new(before.epoch, Revision(compacted.revision.0 - 1));
        assert_eq!(refusal(&space, right_before).await, ErrorKind::Compacted);
    }
}

pub async fn what_a_lease_took_with_it_stood_there_before(harness: &dyn Harness) {
    let Some(space) = remembering(harness).await else {
        return;
    };
    if !space.capabilities().leases {
        return;
    }
    let lease = soon("a lease", space.log.grant(Duration::from_millis(300)));
    let lease = lease.await.unwrap();
    let leased = Transaction::new().put_leased(&space.keyspace, "key", "value", lease.id);
    let written = match space.try_commit(leased).await {
        Ok(written) => written,
        // The machine was too slow for so short a lease: there is nothing to see.
        Err(error) => return assert_eq!(error.kind(), &ErrorKind::LeaseLost),
    };
    let mut mirror = Mirror::of(&space, written, BTreeMap::new()).await.unwrap();
    mirror.records.extend(
        stood(&space, "key", written)
            .await
            .map(|r| (r.key.clone(), r)),
    );
    let gone = async {
        while !mirror.records.is_empty() {
            mirror.step().await.unwrap();
        }
    };
    let gone = tokio::time::timeout(lease.ttl + PATIENCE, gone).await;
    gone.expect("the end of a lease");
    let record = stood(&space, "key", written).await.expect("a record");
    assert_eq!(record.lease, Some(lease.id));
    assert_eq!(stood(&space, "key", mirror.position).await, None);
}

pub async fn another_life_and_the_future_have_no_history_here(harness: &dyn Harness) {
    let Some(space) = remembering(harness).await else {
        return;
    };
    let mut at = space.put("key", "value").await;
    let strange = refusal(&space, of_another_life(at)).await;
    assert_eq!(strange, ErrorKind::EpochChanged);
    assert!(space.head().await.covers(at), "it was taken for news");
    assert!(stood(&space, "key", at).await.is_some());
    if harness.wipe().await {
        when_found(&space).await;
        let written = space.put("key", "of another life").await;
        assert_eq!(refusal(&space, at).await, ErrorKind::EpochChanged);
        assert!(stood(&space, "key", written).await.is_some());
        at = written;
    }
    // Who comes from beyond the head has seen a log that went back since. It may well be taken for that.
    let future = Position::new(at.epoch, Revision(at.revision.0 + AHEAD));
    assert_eq!(refusal(&space, future).await, ErrorKind::EpochChanged);
}
