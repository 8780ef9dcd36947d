//! Leases: how long they live at least, and what ends with them.
//!
//! Never lets the speed of the machine decide: only that a lease ended *early* is an error; that it ends is waited for.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::harness::Harness;
use super::mirror::Mirror;
use super::outage::when_found;
use super::space::{PATIENCE, Space, in_bounded_time, soon};
use crate::error::{ErrorKind, Result};
use crate::lease::{Lease, LeaseId};
use crate::position::Epoch;
use crate::record::{Batch, Change};
use crate::transaction::Transaction;

const SHORT: Duration = Duration::from_millis(300);
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// More records than any log advises to put under one lease, and few enough for the slowest.
const MANY: usize = 600;

/// How many leases are granted in each life.
const LEASES: usize = 40;

/// A keyspace of a log with leases. Without them, sees that they are refused, and that the id of one is only stored.
pub(crate) async fn leased(harness: &dyn Harness) -> Option<Space> {
    let space = Space::fresh(harness);
    if space.capabilities().leases {
        return Some(space);
    }
    for refused in [
        soon("a refusal", space.log.grant(LONG)).await.map(drop),
        renew(&space, unknown()).await.map(drop),
        soon("a refusal", space.log.revoke(LeaseId::new(1))).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), &ErrorKind::Unsupported);
    }
    an_id_is_only_stored(&space).await;
    None
}

/// What a log without leases does with the lease that a put names.
async fn an_id_is_only_stored(space: &Space) {
    let id = unknown().id;
    let mut mirror = Mirror::open(space).await;
    let at = space.commit(put(space, "leased", id)).await;
    mirror.reach(at).await;
    assert_eq!(mirror.records[&b"leased"[..]].lease, Some(id));
    assert_eq!(space.record("leased").await.unwrap().lease, Some(id));
    space.put("leased", "value").await;
    assert_eq!(space.record("leased").await.unwrap().lease, None);
}

pub(crate) async fn grant(space: &Space, ttl: Duration) -> Lease {
    soon("a lease", space.log.grant(ttl))
        .await
        .expect("a lease")
}

/// One that no log has granted.
fn unknown() -> Lease {
    Lease::new(LeaseId::new(1), LONG, Epoch::new(1))
}

pub(crate) async fn renew(space: &Space, lease: Lease) -> Result<Lease> {
    soon("a renewal", space.log.renew(lease)).await
}

pub(crate) async fn revoke(space: &Space, lease: LeaseId) {
    let revoked = soon("a revocation", space.log.revoke(lease)).await;
    revoked.expect("a revocation");
}

fn put(space: &Space, key: &'static str, lease: LeaseId) -> Transaction {
    Transaction::new().put_leased(&space.keyspace, key, "value", lease)
}

pub async fn a_lease_is_granted_for_no_less_than_was_asked(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let most = space.capabilities().max_ttl;
    for ttl in [
        Duration::from_nanos(1),
        SHORT,
        Duration::from_millis(1001),
        Duration::from_millis(1999),
        Duration::from_millis(10_500),
        most,
    ] {
        let lease = grant(&space, ttl).await;
        assert!(lease.ttl >= ttl, "asked {ttl:?}, granted {:?}", lease.ttl);
        revoke(&space, lease.id).await;
    }
}

pub async fn a_lease_of_no_time_or_too_much_is_invalid(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let over = space.capabilities().max_ttl + Duration::from_nanos(1);
    for ttl in [Duration::ZERO, over, Duration::MAX] {
        let error = soon("a refusal", space.log.grant(ttl)).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Invalid, "{ttl:?}: {error}");
    }
}

pub async fn a_lease_says_in_which_life_of_the_log_it_was_granted(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    // The first thing these clients do.
    let lease = grant(&space, LONG).await;
    let other = grant(&space.elsewhere(harness).await, LONG).await;
    let head = space.head().await;
    assert_eq!([lease.epoch, other.epoch], [head.epoch; 2]);
    // A log that was empty, and is again, need not be another one.
    space.put("key", "value").await;
    if !harness.wipe().await {
        return;
    }
    // The first thing that is asked of the life after.
    let lease = grant_again(&space).await;
    let after = when_found(&space).await;
    assert_ne!(after.epoch, head.epoch);
    assert_eq!(lease.epoch, after.epoch);
    let renewed = renew(&space, lease).await.expect("a renewal in time");
    assert_eq!(renewed, lease);
}

/// A lease of a log that was away just now.
async fn grant_again(space: &Space) -> Lease {
    let granted = async {
        loop {
            match space.log.grant(LONG).await {
                Err(error) if *error.kind() == ErrorKind::Unavailable => {}
                granted => break granted.expect("a lease"),
            }
        }
    };
    in_bounded_time("a lease", granted).await
}

pub async fn no_lease_is_granted_twice_in_any_life_of_the_log(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let other = space.elsewhere(harness).await;
    let mut granted = HashSet::new();
    let mut lives = 1;
    grant_many(&[&space, &other], &mut granted).await;
    if harness.backup().await {
        lives += 2;
        grant_many(&[&space, &other], &mut granted).await;
        harness.restore().await;
        when_found(&space).await;
        grant_many(&[&space, &other], &mut granted).await;
    }
    if harness.wipe().await {
        lives += 1;
        when_found(&space).await;
        grant_many(&[&space, &other], &mut granted).await;
    }
    assert_eq!(granted.len(), lives * LEASES, "an id was granted twice");
}

async fn grant_many(spaces: &[&Space], granted: &mut HashSet<LeaseId>) {
    for (_, space) in (0..LEASES).zip(spaces.iter().cycle()) {
        granted.insert(grant_again(space).await.id);
    }
}

pub async fn a_lease_takes_more_records_than_are_best_put_under_one(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    assert!(space.capabilities().records_per_lease > 0, "it is advice");
    let lease = grant(&space, LONG).await.id;
    let keys: Vec<String> = (0..MANY).map(|number| format!("key-{number}")).collect();
    for keys in keys.chunks(space.capabilities().max_operations.min(100)) {
        let puts = keys.iter().fold(Transaction::new(), |puts, key| {
            puts.put_leased(&space.keyspace, key.clone(), "value", lease)
        });
        space.commit(puts).await;
    }
    let records = space.records().await;
    assert_eq!(records.len(), MANY);
    assert!(records.values().all(|record| record.lease == Some(lease)));
    revoke(&space, lease).await;
    assert_eq!(space.records().await.len(), 0);
}

pub async fn a_lease_does_not_end_early_and_its_deletes_appear_in_the_tail(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    space.put("stays", "value").await;
    let asked = Instant::now();
    let lease = grant(&space, SHORT).await;
    let both = put(&space, "a", lease.id).put_leased(&space.keyspace, "b", "value", lease.id);
    space.commit(both).await;
    let mut mirror = Mirror::open(&space).await;
    let present = mirror.records.len();
    let gone = async {
        while mirror.records.len() > 1 {
            mirror.next().await;
        }
    };
    timeout(lease.ttl + PATIENCE, gone)
        .await
        .expect("the deletes of a lease that ended");
    // Where the machine was slow, they may have been gone before the snapshot: then there is nothing to measure.
    if present == 3 {
        let lived = asked.elapsed();
        assert!(lived >= lease.ttl, "lived {lived:?} of its {:?}", lease.ttl);
    }
    assert!(mirror.records.contains_key(&b"stays"[..]));
    let error = renew(&space, lease).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LeaseLost);
}

pub async fn a_renewed_lease_lives_on(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    // Where this machine itself was late with a renewal, the lease is rightly lost, and the round says nothing.
    for _ in 0..10 {
        if outlives_its_time(&space).await {
            return;
        }
    }
    panic!("in ten rounds this machine never renewed in time");
}

/// Renews a lease until it is three times as old as it would live by itself. False if a renewal was late.
async fn outlives_its_time(space: &Space) -> bool {
    let start = Instant::now();
    let mut renewed = start;
    let lease = grant(space, Duration::from_secs(1)).await;
    if space.try_commit(put(space, "key", lease.id)).await.is_err() {
        return renewed.elapsed() < lease.ttl;
    }
    while start.elapsed() < 3 * lease.ttl {
        tokio::time::sleep(lease.ttl / 4).await;
        let now = Instant::now();
        if let Err(error) = renew(space, lease).await {
            assert_eq!(error.kind(), &ErrorKind::LeaseLost, "{error}");
            assert!(renewed.elapsed() >= lease.ttl, "it ended early");
            return false;
        }
        renewed = now;
    }
    let there = space.record("key").await.is_some();
    assert!(there || renewed.elapsed() >= lease.ttl, "it ended early");
    revoke(space, lease.id).await;
    there
}

pub async fn revoking_a_lease_deletes_its_records_in_one_batch(harness: &dyn Harness) {
    let Some(here) = leased(harness).await else {
        return;
    };
    let there = here.elsewhere(harness).await;
    let lease = grant(&here, LONG).await.id;
    here.put("stays", "value").await;
    here.commit(put(&here, "a", lease)).await;
    there.commit(put(&there, "b", lease)).await;
    let mut mirror = Mirror::open(&here).await;
    assert_eq!(mirror.records[&b"b"[..]].lease, Some(lease));
    assert_eq!(mirror.records[&b"stays"[..]].lease, None);
    revoke(&there, lease).await;
    if here.capabilities().atomic_leases {
        assert_eq!(deleted(&mirror.next().await), ["a", "b"]);
    } else {
        its_records_go_in_parts_and_nothing_else_does(&mut mirror).await;
    }
    assert_eq!(here.records().await.len(), 1);
}

/// What is left where a lease does not end in one commit.
async fn its_records_go_in_parts_and_nothing_else_does(mirror: &mut Mirror) {
    let mut gone = BTreeSet::new();
    while gone.len() < 2 {
        let batch = mirror.next().await;
        let deleted = deleted(&batch).into_iter();
        deleted.for_each(|key| assert!(gone.insert(key), "it went twice"));
    }
    assert_eq!(gone.into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

/// The keys that a batch deletes, in order; it must do nothing else.
fn deleted(batch: &Batch) -> Vec<Bytes> {
    let key = |change: &Change| match change {
        Change::Delete { key } => key.clone(),
        Change::Put(record) => panic!("the end of a lease put {record:?}"),
    };
    let mut keys: Vec<_> = batch.changes.iter().map(key).collect();
    keys.sort();
    keys
}

pub async fn a_lease_that_is_gone_is_lost_to_renew_and_no_error_to_revoke(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let lease = grant(&space, LONG).await;
    renew(&space, lease).await.expect("a renewal in time");
    revoke(&space, lease.id).await;
    let never = LeaseId::new(lease.id.get() ^ 0x1234_5678);
    let never = Lease::new(never, lease.ttl, lease.epoch);
    for gone in [lease, never] {
        let error = renew(&space, gone).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::LeaseLost, "{error}");
        revoke(&space, gone.id).await;
    }
}

pub async fn a_renewal_says_what_the_lease_has_now(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let [short, long] = [
        grant(&space, Duration::from_secs(7)).await,
        grant(&space, LONG).await,
    ];
    for lease in [short, long] {
        let renewed = renew(&space, lease).await.expect("a renewal in time");
        assert_eq!(renewed, lease, "nobody changed what is granted");
    }
}

pub async fn a_put_under_a_dead_lease_writes_nothing(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let [dead, alive] = [grant(&space, LONG).await.id, grant(&space, LONG).await.id];
    revoke(&space, dead).await;
    let mut mirror = Mirror::open(&space).await;
    let transaction = put(&space, "alive", alive)
        .put(&space.keyspace, "plain", "value")
        .put_leased(&space.keyspace, "dead", "value", dead);
    let error = space.refused(transaction).await;
    assert_eq!(error.kind(), &ErrorKind::LeaseLost, "{error}");
    assert!(space.records().await.is_empty());
    let after = space.put("after", "value").await;
    assert_eq!(mirror.next().await.revision, after.revision);
}

pub async fn a_rewrite_without_the_lease_outlives_it(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let lease = grant(&space, LONG).await.id;
    space.commit(put(&space, "kept", lease)).await;
    space.commit(put(&space, "recreated", lease)).await;
    space.commit(put(&space, "ends", lease)).await;
    space.put("kept", "value").await;
    space.delete("recreated").await;
    space.put("recreated", "value").await;
    revoke(&space, lease).await;
    let records = space.records().await;
    let kept: Vec<_> = records.values().map(|r| (&r.key[..], r.lease)).collect();
    assert_eq!(kept, [(&b"kept"[..], None), (&b"recreated"[..], None)]);
}

pub async fn a_rewrite_under_another_lease_belongs_to_that(harness: &dyn Harness) {
    let Some(space) = leased(harness).await else {
        return;
    };
    let [first, second] = [grant(&space, LONG).await.id, grant(&space, LONG).await.id];
    assert_ne!(first, second);
    space.commit(put(&space, "key", first)).await;
    space.commit(put(&space, "key", second)).await;
    revoke(&space, first).await;
    let record = space
        .record("key")
        .await
        .expect("the second lease holds it");
    assert_eq!(record.lease, Some(second));
    revoke(&space, second).await;
    assert_eq!(space.record("key").await, None);
}
