//! Tails: every batch, whole, in order, and how far they reach.
//!
//! Never forgets history: that is `compaction.rs`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::harness::Harness;
use super::mirror::{Mirror, revisions};
use super::space::{Space, of_another_life, refusal, soon};
use crate::error::ErrorKind;
use crate::position::Position;
use crate::record::Change;
use crate::transaction::Transaction;

pub async fn a_tail_from_a_snapshot_misses_and_repeats_nothing_while_others_write(
    harness: &dyn Harness,
) {
    let space = Space::fresh(harness);
    let writer = tokio::spawn(write_busily(space.elsewhere(harness).await, 300));
    let mut mirrors = vec![Mirror::open(&space).await];
    while !writer.is_finished() && mirrors.len() < 100 {
        mirrors.push(Mirror::open(&space).await);
    }
    soon("the writer", writer).await.unwrap();
    let (position, _) = space.snapshot().await;
    let truth = space.records().await;
    for mut mirror in mirrors {
        mirror.reach(position).await;
        assert_eq!(mirror.records, truth);
    }
}

/// Puts and deletes a few keys again and again, two at a time.
async fn write_busily(space: Space, rounds: usize) {
    for round in 0..rounds {
        let key = |n: usize| format!("key-{}", n % 17);
        let value = format!("{round}");
        let put = Transaction::new().put(&space.keyspace, key(round), value);
        space
            .commit(put.delete(&space.keyspace, key(round + 5)))
            .await;
    }
}

pub async fn a_tail_resumed_after_any_commit_delivers_exactly_the_rest(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let mut states = vec![space.snapshot().await.0];
    let mut records = vec![BTreeMap::new()];
    for round in 0..12 {
        let key = format!("key-{}", round % 3);
        let position = match round % 4 {
            3 => space.delete(key).await,
            _ => space.put(key, "value").await,
        };
        states.push(position);
        records.push(space.records().await);
    }
    let head = space.head().await;
    let truth = space.records().await;
    for (n, (position, known)) in states.iter().zip(records).enumerate() {
        let mut mirror = Mirror::of(&space, *position, known).await.unwrap();
        let batches = mirror.reach(head).await;
        assert_eq!(mirror.records, truth, "resumed after {position}");
        if space.capabilities().every_commit {
            let rest: Vec<_> = states[n + 1..].iter().map(|p| p.revision).collect();
            assert_eq!(revisions(&batches), rest, "resumed after {position}");
        }
    }
}

pub async fn a_transaction_of_many_keys_is_one_batch(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let half = (space.capabilities().max_operations / 2).min(60);
    space.fill(half).await;
    let mut mirror = Mirror::open(&space).await;
    let transaction = (0..half).fold(Transaction::new(), |transaction, n| {
        transaction
            .delete(&space.keyspace, format!("key-{n:06}"))
            .put(&space.keyspace, format!("new-{n:06}"), "value")
    });
    let position = space.commit(transaction).await;
    let batch = mirror.next().await;
    assert_eq!(batch.revision, position.revision);
    assert_eq!(batch.changes.len(), 2 * half);
    assert_eq!(mirror.records, space.records().await);
}

pub async fn a_transaction_over_keyspaces_is_one_batch_in_each(harness: &dyn Harness) {
    let left = Space::fresh(harness);
    let right = left.beside("-right");
    let both = Transaction::new()
        .put(&left.keyspace, "a", "1")
        .put(&left.keyspace, "b", "1")
        .put(&right.keyspace, "a", "1")
        .put(&right.keyspace, "b", "1");
    if !left.capabilities().spans_keyspaces {
        let error = left.refused(both).await;
        assert_eq!(error.kind(), &ErrorKind::Unsupported);
        return;
    }
    let mut mirrors = [Mirror::open(&left).await, Mirror::open(&right).await];
    let position = left.commit(both).await;
    for mirror in &mut mirrors {
        let batch = mirror.next().await;
        assert_eq!(batch.revision, position.revision);
        assert_eq!(batch.changes.len(), 2, "{batch:?}");
    }
}

pub async fn tails_of_one_keyspace_see_the_same(harness: &dyn Harness) {
    let here = Space::fresh(harness);
    let there = here.elsewhere(harness).await;
    let mut mirrors = [
        Mirror::open(&here).await,
        Mirror::open(&here).await,
        Mirror::open(&there).await,
    ];
    write_busily(there.clone(), 30).await;
    let head = here.head().await;
    let first = mirrors[0].reach(head).await;
    for mirror in &mut mirrors[1..] {
        let batches = mirror.reach(head).await;
        if here.capabilities().every_commit {
            assert_eq!(revisions(&batches), revisions(&first));
        }
    }
    assert_eq!(mirrors[0].records, mirrors[1].records);
    assert_eq!(mirrors[0].records, mirrors[2].records);
}

pub async fn a_quiet_keyspace_beside_a_busy_one_reaches_head(harness: &dyn Harness) {
    let quiet = Space::fresh(harness);
    let busy = quiet.elsewhere(harness).await.beside("-busy");
    quiet.put("key", "value").await;
    let mut mirror = Mirror::open(&quiet).await;
    for _ in 0..3 {
        write_busily(busy.clone(), 20).await;
        let head = quiet.head().await;
        let batches = mirror.reach(head).await;
        assert!(
            batches.is_empty(),
            "the quiet keyspace was given {batches:?}"
        );
    }
    // What it was told it has seen, it must not be given later.
    let written = quiet.put("key", "again").await;
    assert_eq!(mirror.next().await.revision, written.revision);
}

pub async fn a_rewrite_of_the_same_value_is_a_change(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("key", "same").await;
    let mut mirror = Mirror::open(&space).await;
    let again = space.put("key", "same").await;
    assert_eq!(mirror.next().await.revision, again.revision);
    assert_eq!(mirror.records[&b"key"[..]].modified, again.revision);
}

pub async fn a_catch_up_of_many_mebibytes_is_whole(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let capabilities = space.capabilities();
    let size = capabilities.max_value_bytes.min(64 * 1024);
    let fit = capabilities.max_transaction_bytes / (size + 256);
    let many = fit.min(capabilities.max_operations).clamp(1, 8);
    let mut mirror = Mirror::open(&space).await;
    let mut written = Vec::new();
    for round in 0..(6 * 1024 * 1024 / (size * many)) {
        let value = Bytes::from(vec![u8::try_from(round % 256).unwrap(); size]);
        let transaction = (0..many).fold(Transaction::new(), |transaction, n| {
            transaction.put(&space.keyspace, format!("key-{n}"), value.clone())
        });
        written.push(space.commit(transaction).await.revision);
    }
    let batches = mirror.reach(space.head().await).await;
    assert_eq!(mirror.records, space.records().await);
    if capabilities.every_commit {
        assert_eq!(revisions(&batches), written);
        assert!(batches.iter().all(|batch| batch.changes.len() == many));
    }
}

pub async fn a_tail_after_a_position_of_another_epoch_is_refused(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let at = space.put("key", "value").await;
    let strange = space.tail(of_another_life(at)).await;
    assert_eq!(refusal(strange).await, ErrorKind::EpochChanged);
    let strange = space.tail(of_another_life(Position::new(at.epoch, Default::default())));
    assert_eq!(refusal(strange.await).await, ErrorKind::EpochChanged);
    let mut mirror = Mirror::of(&space, at, space.records().await).await.unwrap();
    space.delete("key").await;
    let key = Bytes::from("key");
    assert_eq!(mirror.next().await.changes, [Change::Delete { key }]);
}
