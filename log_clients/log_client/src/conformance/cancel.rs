//! Cancel safety: any future may be dropped at any await.
//!
//! Never measures time: futures are dropped after so many polls.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::harness::Harness;
use super::mirror::Mirror;
use super::space::{Space, soon};
use crate::lease::{Lease, LeaseId};
use crate::transaction::Transaction;

/// Drops a future after `polls` polls, or says what it answered by then.
pub(super) async fn drop_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let once = poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
        if let Poll::Ready(outcome) = once.await {
            return Some(outcome);
        }
        tokio::task::yield_now().await;
    }
    None
}

pub async fn dropping_a_pending_next_loses_no_batch(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let (at, _) = space.snapshot().await;
    let mut tail = space.tail(at).await.unwrap();
    let there = space.elsewhere(harness).await;
    let writer = tokio::spawn(async move {
        let mut written = Vec::new();
        for round in 0..100 {
            written.push(there.put(format!("{}", round % 7), "value").await.revision);
            tokio::task::yield_now().await;
        }
        written
    });
    let mut seen = Vec::new();
    let everything = async {
        while seen.len() < 100 {
            if let Some(batch) = drop_after(1, tail.next()).await {
                let batch = batch.expect("a batch");
                if !batch.is_progress() {
                    seen.push(batch.revision);
                }
            }
            tokio::task::yield_now().await;
        }
    };
    if space.capabilities().every_commit {
        soon("a hundred batches", everything).await;
        assert_eq!(seen, writer.await.unwrap());
    }
}

pub async fn a_dropped_commit_is_whole_or_not_at_all(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let mut mirror = Mirror::open(&space).await;
    let mut answered = Vec::new();
    for polls in 0..30 {
        let [left, right] = [format!("left-{polls:02}"), format!("right-{polls:02}")];
        let both = Transaction::new()
            .put(&space.keyspace, left.clone(), "value")
            .put(&space.keyspace, right, "value");
        if let Some(outcome) = drop_after(polls, space.log.commit(both)).await {
            outcome.expect("a commit");
            answered.push(left);
        }
    }
    let last = space.put("last", "value").await;
    for batch in mirror.reach(last).await {
        let whole = if batch.revision == last.revision {
            1
        } else {
            2
        };
        assert_eq!(batch.changes.len(), whole, "{batch:?}");
    }
    for left in answered {
        let there = mirror.records.contains_key(left.as_bytes());
        assert!(there, "{left} was acknowledged");
    }
}

pub async fn dropping_any_call_leaves_the_client_usable(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let (log, keyspace) = (&space.log, &space.keyspace);
    let at = space.put("key", "value").await;
    let has_leases = space.capabilities().leases;
    for polls in 0..10 {
        drop_after(polls, log.head(keyspace)).await;
        drop_after(polls, log.snapshot(keyspace)).await;
        drop_after(polls, log.tail(keyspace, at)).await;
        if has_leases {
            drop_after(polls, log.grant(super::space::PATIENCE)).await;
            drop_after(
                polls,
                log.renew(Lease::new(
                    LeaseId::new(1),
                    super::space::PATIENCE,
                    at.epoch,
                )),
            )
            .await;
            drop_after(polls, log.revoke(LeaseId::new(1))).await;
        }
    }
    let mut mirror = Mirror::open(&space).await;
    let written = space.put("key", "value").await;
    assert!(space.head().await.covers(written));
    assert_eq!(mirror.next().await.revision, written.revision);
}

pub async fn dropping_tails_and_half_read_snapshots_leaves_the_log_usable(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let filled = space.fill(1100).await;
    let mut kept = Mirror::open(&space).await;
    for polls in 0..50 {
        let mut tail = space.tail(filled).await.unwrap();
        drop_after(polls % 5, tail.next()).await;
        let mut snapshot = space.log.snapshot(&space.keyspace).await.unwrap();
        drop_after(polls % 5, snapshot.next_page()).await;
    }
    let written = space.put("key", "value").await;
    assert_eq!(kept.next().await.revision, written.revision);
    assert_eq!(space.records().await.len(), 1101);
}
