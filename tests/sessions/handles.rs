//! Several maps of one session, or several sessions of one map: none is in another's way.

use std::sync::Arc;

use futures::FutureExt;
use globe::{ErrorKind, Globe, LogClient, Loss, MemoryLog, Session, SessionEvent, SessionState};
use tokio::time::sleep;

use crate::rig::{Around, fails_with, follows_life, numbers, open, until, within};
use crate::{Numbers, Rig, SECOND, TTL, is_in};

/// Each sees the other's entries under a lease of its own session.
#[tokio::test(start_paused = true)]
async fn two_maps_opened_on_one_keyspace_leave_each_others_entries_alone() {
    let rig = Rig::new().await;
    let again = numbers(&rig.way).await;
    rig.put("a", 1).await;
    let put = again.put_ephemeral(&rig.session, "b", 2);
    put.await.unwrap();
    // No time passes while they fight, so nothing here waits for any.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.way.calls().commits, 2, "each was written once");
    rig.shows(&[("a", 1), ("b", 2)]).await;
    for key in ["a", "b"] {
        rig.other.sync().await.unwrap();
        rig.other.delete(key).await.unwrap();
        rig.shows(&[("a", 1), ("b", 2)]).await;
    }
    again.delete("b").await.unwrap();
    sleep(TTL).await;
    rig.shows(&[("a", 1)]).await;
}

/// What a create that nobody waits for leaves behind is swept, also where another map of the keyspace is open.
#[tokio::test(start_paused = true)]
async fn what_no_map_of_a_keyspace_wants_is_swept() {
    let rig = Rig::new().await;
    let again = numbers(&rig.way).await;
    rig.put("a", 1).await;
    let put = again.put_ephemeral(&rig.session, "b", 2);
    put.await.unwrap();
    let lease = rig.lease_of("a").await.unwrap();
    let late = globe::log_client::Transaction::new();
    let late = late.put_leased(&crate::rig::keyspace("numbers"), "late", "7", lease);
    rig.log.commit(late).await.unwrap();
    rig.shows(&[("a", 1), ("b", 2)]).await;
}

/// How long its first user was ready to wait says nothing about the session.
#[tokio::test(start_paused = true)]
async fn a_map_with_a_short_deadline_is_attended_like_any_other() {
    let mut rig = Rig::new().await;
    let hasty = rig.map.with_deadline(SECOND / 100);
    let put = hasty.put_ephemeral(&rig.session, "a", 1);
    put.await.unwrap();
    rig.way.delay_heads(SECOND / 10);
    rig.other.sync().await.unwrap();
    rig.revoke("a").await;
    assert_eq!(rig.restored().await, (1, vec![]));
    rig.shows(&[("a", 1)]).await;
}

/// The leases are of the life the log is in: it is only the map that is behind.
#[tokio::test(start_paused = true)]
async fn a_map_that_is_still_in_a_former_life_costs_no_lease() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    let far = Around::new(&rig.log);
    let behind: Numbers = open(&far, "others").await;
    far.hold_snapshots(true);
    rig.log.wipe();
    rig.restored().await;
    let hasty = behind.with_deadline(SECOND);
    let put = hasty.put_ephemeral(&rig.session, "b", 1).await;
    assert!(put.is_err(), "the map does not show it");
    let (map, session) = (behind.clone(), rig.session.clone());
    let put = tokio::spawn(async move { map.put_ephemeral(&session, "b", 2).await });
    sleep(SECOND).await;
    assert_eq!(rig.session.state(), SessionState::Live);
    far.hold_snapshots(false);
    within("the put", put).await.unwrap().unwrap();
    rig.shows(&[("a", 1)]).await;
    rig.session.close().await.unwrap();
    let closed = SessionEvent::Lost(Loss::Closed);
    assert_eq!(rig.event().await, closed, "nothing was lost before");
}

/// Nothing was sent, so nothing is in doubt.
#[tokio::test(start_paused = true)]
async fn a_transaction_that_was_never_sent_changes_nothing_of_what_is_wanted() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    let far = Around::new(&rig.log);
    let behind: Numbers = open(&far, "others").await;
    far.hold_snapshots(true);
    rig.way.lose_requests(true);
    rig.log.wipe();
    follows_life(&rig.map, &rig.log).await;
    let hasty = rig.map.with_deadline(2 * SECOND);
    let unsent = hasty.transact(|txn| {
        txn.get(&behind, "x")?;
        txn.delete(&rig.map, "a")
    });
    fails_with(unsent.await, ErrorKind::EpochChanged);
    rig.way.lose_requests(false);
    rig.restored().await;
    rig.shows(&[("a", 1)]).await;
}

/// Whether it has taken place or not: either of them has the entry.
#[tokio::test(start_paused = true)]
async fn a_take_over_of_unknown_outcome_by_another_session_loses_nothing() {
    for lands in [false, true] {
        let rig = Rig::new().await;
        let second = Session::open(rig.way.clone()).await.unwrap();
        rig.put("a", 1).await;
        let put = rig.map.put_ephemeral(&second, "b", 1);
        put.await.unwrap();
        let lose = |lost| match lands {
            true => rig.way.lose_replies(lost),
            false => rig.way.lose_requests(lost),
        };
        lose(true);
        let hasty = rig.map.with_deadline(SECOND);
        let put = hasty.put_ephemeral(&second, "a", 2).await;
        fails_with(put, ErrorKind::Indeterminate);
        lose(false);
        let (owner, value) = if lands {
            (&second, 2)
        } else {
            (&rig.session, 1)
        };
        for _ in 0..3 {
            sleep(SECOND).await;
            rig.shows(&[("a", value), ("b", 1)]).await;
            assert!(owner.owns(&rig.other.get_entry("a").unwrap()));
            rig.other.delete("a").await.unwrap();
        }
        rig.shows(&[("a", value), ("b", 1)]).await;
        let entries = [&rig.session, &second].map(|session| session.status().entries);
        assert_eq!(entries, if lands { [0, 2] } else { [1, 1] });
        second.close().await.unwrap();
        sleep(TTL).await;
        assert_eq!(rig.seen().await.len(), usize::from(!lands));
        // Nothing is left to a session that is closed.
        rig.other.put_detached("a", 3).await.unwrap();
        sleep(SECOND).await;
        rig.map.put("a", 4).await.unwrap();
        rig.shows(&[("a", 4)]).await;
    }
}

/// Neither the session, nor its tasks, nor the maps it attends.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_when_the_last_handle_is_dropped() {
    let log = MemoryLog::new();
    let log: Arc<dyn LogClient> = Arc::new(Around::new(&log));
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let map = numbers(&log).await;
    let session = Session::open(Arc::clone(&log)).await.unwrap();
    map.put_ephemeral(&session, "a", 1).await.unwrap();
    let cancelled = map.put_ephemeral(&session, "b", 1);
    assert!(cancelled.now_or_never().is_none());
    drop(map);
    drop(session);
    until("no task is left", || metrics.num_alive_tasks() == before).await;
    assert_eq!(Arc::strong_count(&log), 1);
}

/// It may be that its role was taken away: nobody knows what became of the entries there.
#[tokio::test(start_paused = true)]
async fn a_map_that_keeps_a_session_from_being_live_is_named_until_it_is_closed() {
    for is_lost in [false, true] {
        let mut rig = Rig::patient().await;
        let way = Around::new(&rig.log);
        let behind: Numbers = Globe::open(way.clone(), "behind").await.unwrap();
        rig.put("a", 1).await;
        let put = behind.put_ephemeral(&rig.session, "a", 1);
        put.await.unwrap();
        assert!(rig.session.status().behind.is_empty());
        rig.other.sync().await.unwrap();
        way.freeze_reads(true);
        if is_lost {
            rig.revoke("a").await;
            rig.lost().await;
        } else {
            rig.way.cut(true);
            assert_eq!(rig.event().await, SessionEvent::Suspended);
            rig.way.cut(false);
        }
        let names = || rig.session.status().behind;
        until("it is named", || names() == ["behind"]).await;
        sleep(TTL * 5).await;
        assert_ne!(rig.session.state(), SessionState::Live);
        assert_eq!(names(), ["behind"]);
        behind.close().await;
        is_in(&rig.session, SessionState::Live).await;
        assert!(names().is_empty());
        rig.shows(&[("a", 1)]).await;
    }
}
