//! When a lease is trusted: by the clocks, at each look.

use globe::{SessionEvent, SessionState};
use tokio::time::{Instant, sleep};

use crate::rig::within;
use crate::{Rig, SECOND, TTL, is_in};

#[tokio::test(start_paused = true)]
async fn a_session_is_live_for_as_long_as_its_lease_is_renewed() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    sleep(TTL * 20).await;
    assert_eq!(rig.session.state(), SessionState::Live);
    assert!(rig.session.time_left() > TTL / 2);
    assert_eq!(rig.seen().await, [("a".to_owned(), 1)]);
    rig.session.close().await.unwrap();
    let closed = SessionEvent::Lost(globe::Loss::Closed);
    assert_eq!(rig.event().await, closed, "nothing happened before");
}

/// A third of its time after it was renewed the lease is renewed again, and not sooner than that without need.
#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_after_each_third_of_its_time() {
    let rig = Rig::new().await;
    sleep(TTL * 10).await;
    let renewals = rig.way.calls().renewals;
    assert!((27..=34).contains(&renewals), "{renewals} renewals");
}

/// Of its own clocks the owner is told first; the log ends the lease later.
#[tokio::test(start_paused = true)]
async fn a_holder_learns_before_its_lease_can_end() {
    let rig = Rig::new().await;
    rig.put("a", 1).await;
    for _ in 0..20 {
        rig.way.cut(true);
        let changed = rig.session.changed(SessionState::Live);
        let state = within("the session learns of it", changed).await;
        assert_eq!(state, SessionState::Suspended);
        assert!(rig.session.time_left().is_zero());
        assert_eq!(rig.seen().await.len(), 1, "the lease has not ended yet");
        rig.way.cut(false);
        is_in(&rig.session, SessionState::Live).await;
    }
}

/// The runtime is blocked, so that no task has run since: the look itself compares the clocks.
#[tokio::test]
async fn the_first_look_after_a_pause_says_suspended() {
    let mut rig = Rig::with(|builder| builder.ttl(SECOND)).await;
    let another = rig.session.clone();
    assert_eq!(another.state(), SessionState::Live);
    #[allow(clippy::disallowed_methods, reason = "it is the pause")]
    std::thread::sleep(SECOND);
    assert_eq!(another.state(), SessionState::Suspended);
    assert_eq!(rig.event().await, SessionEvent::Suspended);
}

#[tokio::test(start_paused = true)]
async fn an_answer_proves_only_from_when_it_was_asked() {
    let mut rig = Rig::patient().await;
    rig.put("a", 1).await;
    // Renewals are done, and answered just before they would be given up, a quarter of the time later.
    rig.way.delay_renewals(TTL / 5);
    sleep(TTL * 2).await;
    // Also just after an answer: there are some in any time of a lease.
    for _ in 0..50 {
        sleep(TTL / 50).await;
        let left = rig.session.time_left();
        assert!(
            left <= TTL * 7 / 10,
            "{left:?} is left of an answer that was late"
        );
        assert_eq!(rig.session.state(), SessionState::Live);
    }
    // Then they are not answered for long enough that the lease may have ended, although it has not.
    rig.way.delay_renewals(TTL);
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    rig.way.delay_renewals(std::time::Duration::ZERO);
    assert_eq!(rig.event().await, SessionEvent::Resumed);
}

/// As etcd's own proxy answers them. Each proves from when it was asked for, so others have to be asked for meanwhile.
#[tokio::test(start_paused = true)]
async fn a_session_whose_renewals_are_answered_late_is_live_all_the_same() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    for part in [4, 5, 6] {
        rig.way.delay_renewals(TTL * part / 10);
        let renewals = rig.way.calls().renewals;
        sleep(TTL * 20).await;
        let renewals = rig.way.calls().renewals - renewals;
        assert!((50..=85).contains(&renewals), "{renewals} renewals");
    }
    rig.way.delay_renewals(std::time::Duration::ZERO);
    sleep(TTL).await;
    let renewals = rig.way.calls().renewals;
    sleep(TTL * 10).await;
    let renewals = rig.way.calls().renewals - renewals;
    assert!((27..=34).contains(&renewals), "{renewals} renewals");
    rig.session.close().await.unwrap();
    let closed = SessionEvent::Lost(globe::Loss::Closed);
    assert_eq!(rig.event().await, closed, "nothing happened before");
}

/// Although the one that was sent before it is still to be answered otherwise.
#[tokio::test(start_paused = true)]
async fn any_answer_that_a_lease_is_gone_is_a_loss() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    rig.other.sync().await.unwrap();
    rig.way.delay_renewals(TTL * 7 / 10);
    let renewals = rig.way.calls().renewals;
    crate::rig::until("a renewal is under way", || {
        rig.way.calls().renewals > renewals
    })
    .await;
    let asked = Instant::now();
    // The tail is held up as well: only the answer tells.
    rig.way.distort(|_| Vec::new());
    rig.revoke("a").await;
    assert_eq!(rig.lost().await, globe::Loss::Revoked);
    assert!(asked.elapsed() <= TTL * 3 / 10, "{:?}", asked.elapsed());
}

/// Half of its time passes without an answer, and nobody notices.
#[tokio::test(start_paused = true)]
async fn five_seconds_of_starvation_cost_nothing() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    for _ in 0..10 {
        let renewed = rig.way.calls().renewals;
        while rig.way.calls().renewals == renewed {
            sleep(SECOND / 10).await;
        }
        rig.way.cut(true);
        sleep(TTL / 2).await;
        assert_eq!(rig.session.state(), SessionState::Live);
        rig.way.cut(false);
        sleep(TTL).await;
    }
    rig.session.close().await.unwrap();
    let closed = SessionEvent::Lost(globe::Loss::Closed);
    assert_eq!(rig.event().await, closed, "nothing happened before");
}

/// Many times the lease's time as its owner knows it: the log was down, and ended no lease.
#[tokio::test(start_paused = true)]
async fn a_long_outage_is_a_pause_and_not_a_death() {
    let mut rig = Rig::patient().await;
    rig.put("a", 1).await;
    sleep(TTL).await;
    let lease = rig.lease("a");
    let before = rig.log.head_position();
    rig.way.cut(true);
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    sleep(TTL * 100).await;
    assert_eq!(rig.session.state(), SessionState::Suspended);
    assert!(rig.session.status().last_error.is_some());
    rig.way.cut(false);
    assert_eq!(rig.event().await, SessionEvent::Resumed);
    assert_eq!(rig.session.state(), SessionState::Live);
    assert_eq!(rig.session.status().last_error, None);
    assert_eq!(rig.log.head_position(), before, "nothing was written");
    assert_eq!(rig.lease("a"), lease);
}

/// A renewal alone is not enough: every map has to show what became of the entries meanwhile.
#[tokio::test(start_paused = true)]
async fn a_session_is_not_live_again_before_its_maps_have_seen_what_happened() {
    let mut rig = Rig::patient().await;
    rig.put("a", 1).await;
    rig.way.cut(true);
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    rig.way.freeze_reads(true);
    rig.way.cut(false);
    let renewals = rig.way.calls().renewals;
    sleep(TTL * 3).await;
    assert!(rig.way.calls().renewals > renewals + 3);
    assert_eq!(rig.session.state(), SessionState::Suspended);
    rig.way.freeze_reads(false);
    assert_eq!(rig.event().await, SessionEvent::Resumed);
}

#[tokio::test(start_paused = true)]
async fn a_session_lapses_while_its_owner_says_it_is_not_alive() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let alive = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&alive);
    let settings = move |builder: globe::SessionBuilder| {
        builder.renew_while(move || asked.load(Ordering::SeqCst))
    };
    let mut rig = Rig::with(settings).await;
    rig.put("a", 1).await;
    sleep(TTL * 5).await;
    assert_eq!(rig.session.state(), SessionState::Live);
    alive.store(false, Ordering::SeqCst);
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    rig.shows(&[]).await;
    let why = rig.session.status().last_error.unwrap();
    assert!(why.contains("renew_while"), "{why}");
    alive.store(true, Ordering::SeqCst);
    assert_eq!(rig.lost().await, globe::Loss::Expired);
    rig.restored().await;
    rig.shows(&[("a", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_refuses_renewals_is_shown_and_asked_again() {
    let mut rig = Rig::new().await;
    rig.put("a", 1).await;
    let denied = globe::Error::new(globe::ErrorKind::Denied, "the role was taken away");
    rig.way.refuse(Some(denied));
    assert_eq!(rig.event().await, SessionEvent::Suspended);
    let why = rig.session.status().last_error.unwrap();
    assert!(why.contains("the role was taken away"), "{why}");
    rig.way.refuse(None);
    let started = Instant::now();
    is_in(&rig.session, SessionState::Live).await;
    assert!(started.elapsed() <= TTL);
}
