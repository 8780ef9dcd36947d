//! What writes of unknown outcome leave behind, and what is written over that: nothing acknowledged is lost, nothing deleted is
//! back.

use globe::{Edit, ErrorKind, Expected, LogClient, MemoryLog, SessionState};
use tokio::time::sleep;

use crate::rig::{fails_with, keyspace, until};
use crate::{Rig, SECOND, TTL, is_in};

impl Rig {
    /// A write of the session lands, of which nobody knew whether it would.
    async fn land_late(&self, key: &str, value: u64) {
        let lease = self.lease_of("kept").await.unwrap();
        let late = globe::log_client::Transaction::new();
        let late = late.put_leased(
            &keyspace("numbers"),
            key.to_owned(),
            value.to_string(),
            lease,
        );
        self.log.commit(late).await.unwrap();
    }
}

/// Every write of its own process keeps it with the session from then on, as if it had been wanted all the time.
#[tokio::test(start_paused = true)]
async fn what_is_written_over_what_was_to_be_swept_is_wanted() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    rig.keep_busy().await;
    let keys = ["put", "put_all", "put_if", "transact", "update"];
    for key in keys {
        rig.land_late(key, 7).await;
    }
    let map = &rig.map;
    map.sync().await.unwrap();
    map.put("put", 2).await.unwrap();
    map.put_all([("put_all".to_owned(), 2)]).await.unwrap();
    map.put_if("put_if", 2, Expected::Present).await.unwrap();
    let put = |txn: &mut globe::Txn<'_>| txn.put(map, "transact", 2);
    map.transact(put).await.unwrap();
    map.update("update", |_| 2).await.unwrap();
    let all = [
        ("busy", 1),
        ("kept", 1),
        ("put", 2),
        ("put_all", 2),
        ("put_if", 2),
        ("transact", 2),
        ("update", 2),
    ];
    sleep(TTL).await;
    rig.shows(&all).await;
    assert_eq!(rig.session.status().entries, all.len());
    for key in keys {
        rig.other.delete(key).await.unwrap();
    }
    rig.shows(&all).await;
    rig.session.close().await.unwrap();
    assert!(rig.seen().await.is_empty());
}

/// The map had not seen it when it was written over.
#[tokio::test(start_paused = true)]
async fn what_is_written_over_what_was_not_seen_yet_is_wanted() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    rig.map.sync().await.unwrap();
    rig.other.sync().await.unwrap();
    rig.log.hold_tails(true);
    rig.land_late("a", 7).await;
    let put = rig.map.with_deadline(SECOND).put("a", 2).await;
    let error = put.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Behind(_)), "{error}");
    rig.log.hold_tails(false);
    sleep(TTL).await;
    rig.shows(&[("a", 2), ("kept", 1)]).await;
    assert_eq!(rig.session.status().entries, 2);
}

/// It stands under a lease that the session has lost and not ended yet, and goes with that: it is written under another.
#[tokio::test(start_paused = true)]
async fn what_is_written_over_what_was_left_under_a_former_lease_is_wanted() {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.records_per_lease = 1;
    let log = MemoryLog::builder().capabilities(capabilities).build();
    let mut rig = Rig::on(log, |builder| builder).await;
    rig.put("kept", 1).await;
    until("it has another lease", || rig.session.status().leases == 2).await;
    rig.put("lost", 1).await;
    let former = rig.lease_of("kept").await.unwrap();
    assert_ne!(rig.lease("lost"), Some(former));
    // Just before the leases are renewed, which is not before nine tenths of a third: else the session looks before it hears.
    sleep(TTL * 29 / 100).await;
    rig.keep_busy().await;
    rig.land_late("a", 7).await;
    rig.way.hold_revocations(true);
    rig.revoke("lost").await;
    rig.lost().await;
    is_in(&rig.session, SessionState::Live).await;
    assert_eq!(rig.lease_of("a").await, Some(former));
    rig.map.put("a", 2).await.unwrap();
    rig.way.hold_revocations(false);
    sleep(TTL).await;
    rig.shows(&[("a", 2), ("busy", 1), ("kept", 1), ("lost", 1)])
        .await;
    assert_eq!(rig.session.status().entries, 4);
}

/// The session is not sure that it landed, and has not looked yet when its lease goes: it is put back as what is wanted.
#[tokio::test(start_paused = true)]
async fn what_is_written_over_what_landed_late_outlives_its_lease() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    rig.map.put("a", 1).await.unwrap();
    rig.way.lose_requests(true);
    let hasty = rig.map.with_deadline(SECOND);
    let put = hasty.put_ephemeral(&rig.session, "a", 7).await;
    fails_with(put, ErrorKind::Indeterminate);
    rig.way.lose_requests(false);
    rig.keep_busy().await;
    rig.land_late("a", 7).await;
    rig.map.sync().await.unwrap();
    rig.map.update("a", |_| 2).await.unwrap();
    rig.revoke("kept").await;
    sleep(TTL).await;
    rig.shows(&[("a", 2), ("busy", 1), ("kept", 1)]).await;
    assert_eq!(rig.session.status().entries, 3);
}

/// What the map shows is the value that was deleted; a write that never landed makes nobody want that.
#[tokio::test(start_paused = true)]
async fn a_delete_that_is_not_seen_yet_is_not_undone_by_a_write_that_never_lands() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    rig.put("a", 1).await;
    let hasty = rig.map.with_deadline(SECOND);
    rig.log.hold_tails(true);
    let error = hasty.delete("a").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Behind(_)), "{error}");
    rig.way.lose_requests(true);
    let put = hasty.put_ephemeral(&rig.session, "a", 2).await;
    fails_with(put, ErrorKind::Indeterminate);
    rig.way.lose_requests(false);
    sleep(SECOND).await;
    rig.log.hold_tails(false);
    sleep(TTL * 2).await;
    rig.shows(&[("kept", 1)]).await;
    assert_eq!(rig.session.status().entries, 1);
}

/// A decision of the caller's that changes nothing is no write: what nobody wants is swept all the same.
#[tokio::test(start_paused = true)]
async fn what_is_only_looked_at_is_swept() {
    let rig = Rig::new().await;
    rig.put("kept", 1).await;
    rig.keep_busy().await;
    rig.land_late("a", 7).await;
    rig.map.sync().await.unwrap();
    let keep = |_: Option<&u64>| Ok::<_, globe::Error>(Edit::Keep);
    rig.map.try_update("a", keep).await.unwrap();
    rig.shows(&[("busy", 1), ("kept", 1)]).await;
    assert_eq!(rig.session.status().entries, 2);
}
