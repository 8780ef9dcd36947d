//! How a session ends.

use globe::{ErrorKind, Loss, SessionState};
use tokio::time::{Instant, sleep};

use crate::rig::{fails_with, until};
use crate::{Rig, SECOND, TTL};

#[tokio::test(start_paused = true)]
async fn a_close_deletes_the_entries_at_once_and_ends_what_waits() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    let asked = Instant::now();
    rig.session.close().await.unwrap();
    rig.shows(&[]).await;
    assert!(asked.elapsed() < SECOND / 20);
    assert_eq!(rig.session.state(), SessionState::Lost(Loss::Closed));
    fails_with(rig.session.live().await, ErrorKind::Closed);
    let put = rig.map.put_ephemeral(&rig.session, "a", 1).await;
    fails_with(put, ErrorKind::Closed);
    let txn = |txn: &mut globe::Txn<'_>| txn.put_ephemeral(&rig.map, &rig.session, "a", 1);
    fails_with(rig.map.transact(txn).await, ErrorKind::Closed);
    rig.session.close().await.unwrap();
    // The map itself goes on.
    rig.map.put("a", 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_clone_revokes_in_the_background() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    let clone = rig.session.clone();
    let Rig { session, other, .. } = rig;
    drop(session);
    sleep(TTL * 3).await;
    assert_eq!(other.len(), 1, "a clone keeps it");
    drop(clone);
    until("the entry is gone", || other.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_that_was_dropped_goes_on() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.way.hold_revocations(true);
    let close = tokio::time::timeout(SECOND / 10, rig.session.close()).await;
    assert!(close.is_err());
    rig.way.hold_revocations(false);
    rig.shows(&[]).await;
    rig.session.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_while_the_log_is_away_says_so_and_the_entries_end_by_themselves() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.way.cut(true);
    let asked = Instant::now();
    let error = fails_with(rig.session.close().await, ErrorKind::Unavailable);
    assert!(error.to_string().contains("end by themselves"), "{error}");
    assert!(asked.elapsed() <= 6 * SECOND);
    rig.shows(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_under_way_when_the_session_closes_leaves_nothing() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.way.hold_replies(true);
    let (map, session) = (rig.map.clone(), rig.session.clone());
    let put = tokio::spawn(async move { map.put_ephemeral(&session, "b", 1).await });
    until("it is under way", || rig.other.contains_key("b")).await;
    rig.session.close().await.unwrap();
    rig.way.hold_replies(false);
    let _ = put.await.unwrap();
    sleep(TTL).await;
    assert!(rig.seen().await.is_empty());
    // It belongs to nobody now: a write of it is as any other.
    rig.map.put("b", 2).await.unwrap();
    assert_eq!(rig.lease_of("b").await, None);
}

/// Also for who still holds on to the session: after the last event there is none.
#[tokio::test(start_paused = true)]
async fn events_end_with_the_session() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.session.close().await.unwrap();
    assert_eq!(rig.lost().await, Loss::Closed);
    let next = crate::rig::within("the events end", rig.events.next());
    assert_eq!(next.await, None);
}
