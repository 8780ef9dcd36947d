//! Limits: what is over one is refused by name, what is at one is taken.
//!
//! Never knows a number: the limits are those the log's capabilities say.

use super::harness::Harness;
use super::mirror::Mirror;
use super::space::Space;
use crate::error::ErrorKind;
use crate::transaction::{Precondition, Transaction};

pub async fn what_is_over_a_limit_is_refused_with_the_limit_and_nothing_is_written(
    harness: &dyn Harness,
) {
    let space = Space::fresh(harness);
    let capabilities = space.capabilities();
    let mut mirror = Mirror::open(&space).await;
    let mut refused = vec![
        (
            writes(&space, capabilities.max_operations + 1),
            capabilities.max_operations,
        ),
        (
            preconditions(&space, capabilities.max_operations + 1),
            capabilities.max_operations,
        ),
        (
            value_of(&space, capabilities.max_value_bytes + 1),
            capabilities.max_value_bytes,
        ),
        (
            key_of(&space, capabilities.max_key_bytes + 1),
            capabilities.max_key_bytes,
        ),
    ];
    if let Some(big) = bytes(&space, capabilities.max_transaction_bytes + 1) {
        refused.push((big, capabilities.max_transaction_bytes));
    }
    for (transaction, allowed) in refused {
        let error = space.refused(transaction).await;
        let ErrorKind::TooLarge { limit, actual } = *error.kind() else {
            panic!("the limit {allowed} was not named: {error}");
        };
        assert_eq!((limit, actual), (allowed, allowed + 1), "{error}");
    }
    assert!(space.records().await.is_empty());
    let after = space.put("after", "value").await;
    assert_eq!(mirror.next().await.revision, after.revision);
}

pub async fn what_is_exactly_at_a_limit_is_taken(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let capabilities = space.capabilities();
    let room = capabilities.max_transaction_bytes - value_of(&space, 0).bytes();
    let mut taken = vec![
        writes(&space, capabilities.max_operations),
        preconditions(&space, capabilities.max_operations),
        both(&space, capabilities.max_operations),
        value_of(&space, capabilities.max_value_bytes.min(room)),
        key_of(&space, capabilities.max_key_bytes),
    ];
    taken.extend(bytes(&space, capabilities.max_transaction_bytes));
    for transaction in taken {
        let mut mirror = Mirror::open(&space).await;
        let changes = transaction.writes().len();
        let position = space.commit(transaction).await;
        let batches = mirror.reach(position).await;
        let arrived: usize = batches.iter().map(|batch| batch.changes.len()).sum();
        assert_eq!(arrived, changes);
    }
}

pub async fn a_key_written_twice_in_one_transaction_is_invalid(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let keyspace = &space.keyspace;
    let once = || Transaction::new().put(keyspace, "key", "1");
    for twice in [
        once().put(keyspace, "key", "2"),
        once().delete(keyspace, "key"),
        Transaction::new()
            .delete(keyspace, "key")
            .delete(keyspace, "key"),
    ] {
        let error = space.refused(twice).await;
        assert_eq!(error.kind(), &ErrorKind::Invalid, "{error}");
    }
    assert!(space.records().await.is_empty());
    let other = space.beside("-other");
    if space.capabilities().spans_keyspaces {
        space.commit(once().put(&other.keyspace, "key", "2")).await;
    }
}

fn writes(space: &Space, count: usize) -> Transaction {
    (0..count).fold(Transaction::new(), |transaction, n| {
        transaction.put(&space.keyspace, format!("key-{n}"), "value")
    })
}

fn preconditions(space: &Space, count: usize) -> Transaction {
    (0..count).fold(Transaction::new(), |transaction, n| {
        transaction.when(&space.keyspace, format!("absent-{n}"), Precondition::Absent)
    })
}

/// As many writes as preconditions, of other keys.
fn both(space: &Space, count: usize) -> Transaction {
    let all = writes(space, count).writes().to_vec().into_iter();
    all.fold(
        preconditions(space, count),
        |transaction, (at, key, write)| transaction.write(&at, key, write),
    )
}

fn value_of(space: &Space, size: usize) -> Transaction {
    Transaction::new().put(&space.keyspace, "big", vec![b'v'; size])
}

fn key_of(space: &Space, size: usize) -> Transaction {
    Transaction::new().put(&space.keyspace, vec![b'k'; size], "value")
}

/// A transaction of exactly `size` bytes, if the other limits leave room for one.
fn bytes(space: &Space, size: usize) -> Option<Transaction> {
    let capabilities = space.capabilities();
    let mut transaction = Transaction::new();
    for n in 0..capabilities.max_operations {
        let empty = Transaction::new().put(&space.keyspace, format!("part-{n:04}"), "");
        let room = size.checked_sub(transaction.bytes() + empty.bytes())?;
        let value = vec![b'v'; room.min(capabilities.max_value_bytes)];
        transaction = transaction.put(&space.keyspace, format!("part-{n:04}"), value);
        if transaction.bytes() == size {
            return Some(transaction);
        }
    }
    None
}
