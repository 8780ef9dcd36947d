//! Many entries: over several leases.

use globe::{LogClient, MemoryLog};
use tokio::time::sleep;

use crate::rig::until;
use crate::{Rig, TTL};

const EACH: usize = 10;

async fn rig() -> Rig {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.records_per_lease = EACH;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    Rig::on(log, |builder| builder).await
}

#[tokio::test(start_paused = true)]
async fn many_entries_are_spread_over_leases_and_all_are_kept_alive() {
    let rig = rig().await;
    for number in 0..95 {
        rig.put(&format!("{number:02}"), number).await;
        sleep(TTL / 1000).await;
    }
    let leases = rig.session.status().leases;
    assert!((9..=12).contains(&leases), "{leases} leases");
    sleep(TTL * 5).await;
    assert_eq!(rig.seen().await.len(), 95);
    assert_eq!(rig.session.status().entries, 95);
    // A rewrite stays where it was.
    let before = rig.lease("07");
    rig.put("07", 8).await;
    rig.other.sync().await.unwrap();
    assert_eq!(rig.lease("07"), before);
    rig.session.close().await.unwrap();
    assert!(rig.seen().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn leases_that_nothing_is_under_are_given_back_but_for_one() {
    let rig = rig().await;
    for number in 0..40 {
        rig.put(&format!("{number:02}"), number).await;
        sleep(TTL / 1000).await;
    }
    assert!(rig.session.status().leases >= 4);
    rig.map.clear().await.unwrap();
    until("the others are given back", || {
        rig.session.status().leases == 1
    })
    .await;
    until("and revoked", || rig.way.calls().revocations >= 3).await;
    rig.put("again", 1).await;
    sleep(TTL * 3).await;
    assert_eq!(rig.seen().await.len(), 1);
}

/// Each is renewed by itself.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_changes_nothing_for_the_others() {
    let rig = rig().await;
    for number in 0..EACH as u64 * 2 {
        rig.put(&format!("{number:02}"), number).await;
        sleep(TTL / 1000).await;
    }
    sleep(TTL * 2).await;
    let others = rig.session.status().leases - 1;
    assert!(others > 0);
    rig.way.refuse_lease(rig.lease_of("00").await.unwrap());
    let renewals = rig.way.calls().renewals;
    sleep(TTL * 9 / 10).await;
    let renewals = rig.way.calls().renewals - renewals;
    let each = renewals / others;
    assert!((2..=3).contains(&each), "{renewals} of {others} leases");
}

/// A session is lost as a whole: what is under another lease goes over to a new one as well.
#[tokio::test(start_paused = true)]
async fn one_lease_of_several_that_is_revoked_loses_nothing_for_long() {
    let mut rig = rig().await;
    for number in 0..30 {
        rig.put(&format!("{number:02}"), number).await;
        sleep(TTL / 1000).await;
    }
    rig.other.sync().await.unwrap();
    rig.revoke("00").await;
    rig.lost().await;
    let (put_back, kept_out) = rig.restored().await;
    assert_eq!((put_back, kept_out.len()), (30, 0));
    assert_eq!(rig.seen().await.len(), 30);
    sleep(TTL * 3).await;
    assert_eq!(rig.seen().await.len(), 30);
}

/// Also those that come so slowly that the newest lease stays empty for long.
#[tokio::test(start_paused = true)]
async fn entries_that_come_slowly_are_spread_as_well() {
    let rig = rig().await;
    for number in 0..35 {
        rig.put(&format!("{number:02}"), number).await;
        sleep(TTL / 2).await;
    }
    rig.other.sync().await.unwrap();
    let mut each = std::collections::HashMap::new();
    for (_, entry) in rig.other.view().iter() {
        *each.entry(entry.lease()).or_insert(0) += 1;
    }
    let most = each.values().max().unwrap();
    assert!(*most <= EACH + 1, "{each:?}");
    let grants = rig.way.calls().grants;
    assert!(grants <= 6, "{grants} leases were granted");
}
