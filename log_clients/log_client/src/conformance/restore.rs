//! A log that goes back to a backup while its clients write.
//!
//! Never says in which life a commit must land: only that it is reported in the one it landed in.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::harness::Harness;
use super::lease::{LONG, grant, leased, renew, revoke};
use super::outage::when_found;
use super::space::{Space, another, in_bounded_time};
use crate::error::{ErrorKind, Result};
use crate::lease::Lease;
use crate::position::{Epoch, Position};
use crate::record::Record;
use crate::transaction::{Precondition, Transaction};

/// How many acknowledged commits are enough, in each life.
const ENOUGH: usize = 10;

pub async fn a_reply_across_a_restore_is_of_the_life_its_commit_is_in(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let before = space.put("key", "kept").await;
    if !harness.backup().await {
        return is_refused_in_another_life(&space, before).await;
    }
    let lost = space.put("key", "lost").await;
    let (progress, mut acknowledged) = watch::channel(0);
    let writer = tokio::spawn(write_across(space.clone(), before.epoch, progress));
    let warm = acknowledged.wait_for(|count| *count >= ENOUGH);
    in_bounded_time("the first life", warm).await.unwrap();
    harness.restore().await;
    let outcomes = in_bounded_time("the writer", writer).await.unwrap();
    when_found(&space).await;
    let records = space.records().await;
    for attempt in &outcomes {
        attempt.is_true(before.epoch, &records);
    }
    // What was read in the life before guards nothing in this one, whatever stands at that revision now.
    while space.put("key", "of this life").await.revision < lost.revision {}
    is_refused_in_another_life(&space, lost).await;
}

pub async fn a_lease_that_a_restore_brings_back_is_lost_to_who_held_it(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let lease = grant(&space, LONG).await;
    let put = Transaction::new().put_leased(&space.keyspace, "key", "value", lease.id);
    space.commit(put).await;
    let of_no_life = Lease::new(lease.id, lease.ttl, another(lease.epoch));
    is_lost(&space, of_no_life).await;
    renew(&space, lease).await.expect("a renewal in time");
    if !harness.backup().await {
        return;
    }
    // A log that goes back by nothing need not be another one.
    space.put("lost", "value").await;
    harness.restore().await;
    is_lost(&space, lease).await;
    when_found(&space).await;
    let back = space.record("key").await.map(|record| record.lease);
    assert_eq!(back, Some(Some(lease.id)), "the restore brought it back");
    is_lost(&space, lease).await;
    revoke(&space, lease.id).await;
    assert_eq!(space.record("key").await, None, "it can be ended");
}

/// A renewal of this lease is refused, as soon as the log can be reached.
async fn is_lost(space: &Space, lease: Lease) {
    let answered = async {
        loop {
            match space.log.renew(lease).await {
                Err(error) if *error.kind() == ErrorKind::Unavailable => {}
                answer => break answer,
            }
        }
    };
    let error = in_bounded_time("a renewal", answered).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LeaseLost, "{error}");
}

/// A write guarded by what was read at a position of another life.
async fn is_refused_in_another_life(space: &Space, read: Position) {
    let stands = space.record("key").await.unwrap();
    let strange = another(read.epoch);
    let is_over = space.head().await.epoch != read.epoch;
    let guarded = Transaction::new()
        .when(&space.keyspace, "key", Precondition::At(stands.modified))
        .put(&space.keyspace, "key", "stolen")
        .within(Some(if is_over { read.epoch } else { strange }));
    let refused = space.refused(guarded).await;
    assert_eq!(refused.kind(), &ErrorKind::EpochChanged, "{refused}");
    assert_eq!(space.record("key").await.unwrap(), stands);
}

/// One write of a key that nothing else writes.
struct Attempt {
    key: Bytes,
    within: Option<Epoch>,
    outcome: Result<Position>,
}

impl Attempt {
    /// What it was told fits what stands in the life after `first`.
    fn is_true(&self, first: Epoch, records: &BTreeMap<Bytes, Record>) {
        let Attempt {
            key,
            within,
            outcome,
        } = self;
        let record = records.get(key);
        if within.is_some() {
            assert_eq!(
                record, None,
                "{key:?} is in another life than it was meant for"
            );
        }
        match outcome {
            Ok(position) if position.epoch == first => {
                assert_eq!(record, None, "{key:?} was acknowledged in the life before");
            }
            Ok(position) => {
                let modified = record.map(|record| record.modified);
                assert_eq!(modified, Some(position.revision), "{key:?} at {position}");
            }
            Err(error) => match error.kind() {
                ErrorKind::Indeterminate | ErrorKind::EpochChanged => {}
                ErrorKind::Unavailable => assert_eq!(record, None, "{key:?}: {error}"),
                _ => panic!("{key:?}: {error}"),
            },
        }
    }
}

/// Writes until enough was acknowledged in a second life; every other write only within the first.
async fn write_across(space: Space, first: Epoch, progress: watch::Sender<usize>) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut acknowledged = [0, 0];
    while acknowledged[1] < ENOUGH {
        let number = attempts.len();
        let key = Bytes::from(format!("attempt-{number}"));
        let within = (number % 2 == 0).then_some(first);
        let put = Transaction::new().put(&space.keyspace, key.clone(), "value");
        let put = put.within(within).taking_at_most(Duration::from_secs(2));
        let outcome = in_bounded_time("a commit", space.log.commit(put)).await;
        match &outcome {
            Ok(position) => acknowledged[usize::from(position.epoch != first)] += 1,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        progress.send_replace(acknowledged[0]);
        attempts.push(Attempt {
            key,
            within,
            outcome,
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    attempts
}
