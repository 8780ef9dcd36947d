//! What clients say when the log is away, deaf, refuses them, or is another one.
//!
//! Never does to a log what its harness cannot: the weaker case is then said in [`Harness`].

use std::time::Duration;

use super::harness::Harness;
use super::mirror::Mirror;
use super::space::{PATIENCE, Space, of_another_life, refusal, soon};
use crate::error::{ErrorKind, Result};
use crate::lease::LeaseId;
use crate::position::Position;
use crate::transaction::{Precondition, Transaction};

/// How long a call may take to find out that the log is away, or back.
const OUTAGE: Duration = Duration::from_secs(60);

async fn in_bounded_time<T>(what: &str, call: impl Future<Output = T>) -> T {
    match tokio::time::timeout(OUTAGE, call).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what} did not end in {OUTAGE:?}"),
    }
}

pub async fn every_call_ends_while_the_log_is_away_and_works_when_it_is_back(
    harness: &dyn Harness,
) {
    let space = Space::fresh(harness);
    let at = space.put("key", "value").await;
    let is_away = harness.set_reachable(false).await;
    let outcomes = every_call(&space, at).await;
    harness.set_reachable(true).await;
    for outcome in outcomes {
        let Err(error) = outcome else {
            assert!(!is_away, "a log that is away answered");
            continue;
        };
        let says_so = matches!(
            error.kind(),
            ErrorKind::Unavailable | ErrorKind::Indeterminate
        );
        assert!(says_so, "{error}");
    }
    let back = async {
        while space.log.head(&space.keyspace).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_bounded_time("finding the log again", back).await;
    let mut mirror = Mirror::open(&space).await;
    assert!(mirror.position.covers(at));
    let written = space.put("after", "value").await;
    mirror.reach(written).await;
}

/// The outcomes of one call of each kind.
async fn every_call(space: &Space, at: Position) -> Vec<Result<()>> {
    let (log, keyspace) = (&space.log, &space.keyspace);
    let put = Transaction::new()
        .when(keyspace, "key", Precondition::At(at.revision))
        .put(keyspace, "key", "later");
    let pages = async { log.snapshot(keyspace).await?.collect().await };
    let mut outcomes = vec![
        in_bounded_time("head", log.head(keyspace)).await.map(drop),
        in_bounded_time("a snapshot", pages).await.map(drop),
        in_bounded_time("a commit", log.commit(put)).await.map(drop),
    ];
    if space.capabilities().leases {
        let lease = in_bounded_time("a lease", log.grant(PATIENCE)).await;
        outcomes.push(lease.map(drop));
        outcomes.push(in_bounded_time("a revocation", log.revoke(LeaseId(1))).await);
    }
    outcomes
}

pub async fn a_commit_whose_reply_was_lost_is_never_a_plain_failure(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let deaf = Space {
        log: harness.deaf().await.unwrap_or_else(|| harness.log()),
        keyspace: space.keyspace.clone(),
    };
    for round in 0..3 {
        let key = format!("key-{round}");
        let create = Transaction::new()
            .when(&deaf.keyspace, key.clone(), Precondition::Absent)
            .put(&deaf.keyspace, key.clone(), "value");
        let outcome = in_bounded_time("a commit", deaf.log.commit(create)).await;
        let record = space.records().await.remove(key.as_bytes());
        match outcome {
            Ok(position) => assert_eq!(record.map(|r| r.modified), Some(position.revision)),
            Err(error) if error.kind() == &ErrorKind::Indeterminate => {}
            Err(error) => assert_eq!(record, None, "it was written, and it said: {error}"),
        }
    }
}

pub async fn what_only_a_person_can_mend_is_denied(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("key", "value").await;
    let Some(stranger) = harness.stranger().await else {
        return;
    };
    let stranger = Space {
        log: stranger,
        keyspace: space.keyspace.clone(),
    };
    let (log, keyspace) = (&stranger.log, &stranger.keyspace);
    let pages = async { log.snapshot(keyspace).await?.collect().await };
    let put = Transaction::new().put(keyspace, "key", "stolen");
    for error in [
        soon("head", log.head(keyspace)).await.unwrap_err(),
        soon("a snapshot", pages).await.unwrap_err(),
        soon("a commit", log.commit(put)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
    }
    assert_eq!(space.record("key").await.unwrap().value, "value");
}

pub async fn a_wiped_log_is_in_another_epoch(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let before = space.put("key", "value").await;
    let mut mirror = Mirror::open(&space).await;
    if !harness.wipe().await {
        let strange = space.tail(of_another_life(before)).await;
        assert_eq!(refusal(strange).await, ErrorKind::EpochChanged);
        return;
    }
    let answered = async {
        loop {
            match space.log.head(&space.keyspace).await {
                Ok(head) => break head,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let head = in_bounded_time("finding the new log", answered).await;
    assert_ne!(
        head.epoch, before.epoch,
        "the new log was taken for the old one"
    );
    // Its numbers pass those of the old one, and still nothing of it may be taken for what came next there.
    while space.put("key", "of another life").await.revision <= before.revision {}
    let followed = in_bounded_time("the end of the old tail", mirror.step()).await;
    assert!(followed.is_err(), "it followed silently: {followed:?}");
    let tail = space.tail(before).await;
    assert_eq!(refusal(tail).await, ErrorKind::EpochChanged);
    let mut mirror = Mirror::open(&space).await;
    assert_eq!(mirror.records[&b"key"[..]].value, "of another life");
    let written = space.delete("key").await;
    assert_eq!(mirror.next().await.revision, written.revision);
}
