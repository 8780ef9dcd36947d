//! Outages, pauses and restores: who stops when, who goes on, and with which token.

use globe::{ErrorKind, Fenced, Loss, MemoryLog, SessionState};
use tokio::time::{Instant, sleep};

use crate::rig::{fails_with, open, until, within};
use crate::{Process, SECOND, TTL, beside, two};

/// It does not say good-bye: its way to the log is gone.
#[tokio::test(start_paused = true)]
async fn when_an_owner_dies_the_next_holds_after_its_time_at_most() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    let lock = other.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    other.counts(2).await;
    let died = Instant::now();
    one.way.cut(true);
    let next = within("the next has it", waiting).await.unwrap();
    assert!(died.elapsed() <= TTL + SECOND, "{:?}", died.elapsed());
    assert!(next.is_held() && !guard.is_held());
    assert!(next.token().number > guard.token().number);
}

/// Never do two think that they hold, whenever one looks.
#[tokio::test(start_paused = true)]
async fn an_owner_that_is_cut_off_stops_before_the_next_begins() {
    for round in 0..10 {
        let (_log, one, other) = two().await;
        let guard = one.acquire().await;
        let lock = other.lock();
        let mut waiting = beside(async move { lock.acquire().await.unwrap() });
        other.counts(2).await;
        sleep(SECOND * round / 3).await;
        one.way.cut(true);
        let both = async {
            loop {
                tokio::select! {
                    biased;
                    next = &mut waiting => break next.unwrap(),
                    () = sleep(SECOND / 50) => {}
                }
            }
        };
        let next = within("the other has it", both).await;
        assert!(next.is_held() && !guard.is_held(), "round {round}");
    }
}

/// A log that is away for a long time ends no lease: nothing changes hands, and nothing is acquired anew.
#[tokio::test(start_paused = true)]
async fn a_long_outage_loses_no_claim_that_still_stands() {
    let log = MemoryLog::new();
    let one = Process::patient(&log, "one").await;
    let other = Process::patient(&log, "other").await;
    let guard = one.acquire().await;
    let token = guard.token();
    let lock = other.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    other.counts(2).await;
    let before: Vec<String> = other.claims.view().keys().cloned().collect();
    for _ in 0..3 {
        for process in [&one, &other] {
            process.way.cut(true);
        }
        assert_eq!(guard.unsure().await, SessionState::Suspended);
        let error = fails_with(one.lock().try_acquire().await, ErrorKind::Unavailable);
        assert!(error.to_string().contains("not live"), "{error}");
        let late = one.lock().request().wait_at_most(SECOND).acquire().await;
        fails_with(late, ErrorKind::Unavailable);
        sleep(TTL * 20).await;
        assert_eq!(guard.state(), SessionState::Suspended);
        for process in [&one, &other] {
            process.way.cut(false);
        }
        within("it is held again", guard.resumed()).await.unwrap();
        assert_eq!(guard.token(), token);
        sleep(TTL).await;
        let after: Vec<String> = other.claims.view().keys().cloned().collect();
        assert_eq!(after, before, "every place was kept");
        assert!(!waiting.is_finished());
    }
    guard.release().await.unwrap();
    let _guard = within("the other has it", waiting).await.unwrap();
}

/// Its lease ended while it was away, whether somebody took over or not.
#[tokio::test(start_paused = true)]
async fn a_claim_somebody_else_could_have_had_is_never_resumed() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    one.way.cut(true);
    assert_eq!(guard.unsure().await, SessionState::Suspended);
    other.counts(0).await;
    one.way.cut(false);
    fails_with(
        within("it is told", guard.resumed()).await,
        ErrorKind::NotHeld,
    );
    // Until the session knows more, somebody may have deleted it.
    let lost = SessionState::Lost(Loss::Expired);
    until("it is told why", || guard.state() == lost).await;
    until("its session is back", || {
        one.session.state() == SessionState::Live
    })
    .await;
    assert!(!guard.is_held());
    fails_with(guard.release().await, ErrorKind::NotHeld);
    let _guard = one.acquire().await;
}

/// The session is alive all the while, but somebody deleted the claim during the outage.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_deleted_during_an_outage_is_not_resumed() {
    let log = MemoryLog::new();
    let one = Process::patient(&log, "one").await;
    let other = Process::new(&log, "other").await;
    let guard = one.acquire().await;
    one.way.cut(true);
    assert_eq!(guard.unsure().await, SessionState::Suspended);
    other.claims.sync().await.unwrap();
    other.claims.clear().await.unwrap();
    let next = other.acquire().await;
    one.way.cut(false);
    fails_with(
        within("it is told", guard.resumed()).await,
        ErrorKind::NotHeld,
    );
    until("its session resumes", || {
        one.session.state() == SessionState::Live
    })
    .await;
    assert!(next.is_held() && !guard.is_held());
}

/// Whoever held in the life before stops before anybody is let in, although nobody of them is in his way any more.
#[tokio::test(start_paused = true)]
async fn after_a_restore_nothing_is_granted_for_one_ttl() {
    let (log, one, other) = two().await;
    let backup = log.backup();
    let guard = one.acquire().await;
    // Who holds does not notice: he is cut off just then.
    one.way.cut(true);
    let restored = Instant::now();
    log.restore(&backup);
    let next = other.acquire().await;
    assert!(
        restored.elapsed() >= TTL * 9 / 10,
        "after {:?}",
        restored.elapsed()
    );
    assert!(next.is_held() && !guard.is_held());
    one.way.cut(false);
    until("it is told", || {
        matches!(guard.state(), SessionState::Lost(_))
    })
    .await;
    assert_ne!(next.token().epoch, guard.token().epoch);
}

/// The backup has the claim, and the lease with it: both are somebody's who does not count on them any more.
#[tokio::test(start_paused = true)]
async fn a_claim_that_a_restore_brought_back_blocks_for_one_ttl_at_most() {
    let (log, one, other) = two().await;
    let guard = one.acquire().await;
    other.counts(1).await;
    let backup = log.backup();
    guard.release().await.unwrap();
    one.session.close().await.unwrap();
    other.counts(0).await;
    let restored = Instant::now();
    log.restore(&backup);
    let next = other.acquire().await;
    assert!(
        restored.elapsed() <= TTL * 2 + SECOND,
        "{:?}",
        restored.elapsed()
    );
    assert!(next.is_held());
    other.counts(1).await;
}

/// All queue anew, and exactly one is let in.
#[tokio::test(start_paused = true)]
async fn after_a_restore_all_queue_anew() {
    let (log, one, other) = two().await;
    let guard = one.acquire().await;
    let lock = other.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    other.counts(2).await;
    let backup = log.backup();
    log.restore(&backup);
    until("the guard is lost", || {
        matches!(guard.state(), SessionState::Lost(_))
    })
    .await;
    let next = within("who waited has it", waiting).await.unwrap();
    assert!(next.is_held());
    one.counts(1).await;
    next.release().await.unwrap();
    let _guard = one.acquire().await;
}

/// The session is new, and knows of no other life; but the map has seen the old one end.
#[tokio::test(start_paused = true)]
async fn a_session_that_was_opened_after_a_restore_waits_as_well() {
    let (log, one, other) = two().await;
    let backup = log.backup();
    let guard = one.acquire().await;
    one.way.cut(true);
    other.session.close().await.unwrap();
    let restored = Instant::now();
    log.restore(&backup);
    let session = globe::Session::builder(other.way.clone()).ttl(TTL).open();
    let session = session.await.unwrap();
    let lock = globe::Lock::new(&other.claims, &session, "invoices").unwrap();
    let next = within("the other has it", lock.acquire()).await.unwrap();
    assert!(
        restored.elapsed() >= TTL * 9 / 10,
        "after {:?}",
        restored.elapsed()
    );
    assert!(next.is_held() && !guard.is_held());
}

/// The map is new, and knows of no other life; but the session was there.
#[tokio::test(start_paused = true)]
async fn a_map_that_was_opened_after_a_restore_waits_as_well() {
    let (log, one, other) = two().await;
    let backup = log.backup();
    let guard = one.acquire().await;
    one.way.cut(true);
    let restored = Instant::now();
    log.restore(&backup);
    let claims: globe::Claims = open(&other.way, "claims").await;
    let lock = globe::Lock::new(&claims, &other.session, "invoices").unwrap();
    let next = within("the other has it", lock.acquire()).await.unwrap();
    assert!(
        restored.elapsed() >= TTL * 9 / 10,
        "after {:?}",
        restored.elapsed()
    );
    assert!(next.is_held() && !guard.is_held());
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_log_is_away_waits_for_a_live_session() {
    let (_log, one, other) = two().await;
    one.way.cut(true);
    until("it is suspended", || {
        one.session.state() == SessionState::Suspended
    })
    .await;
    let lock = one.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    sleep(TTL * 5).await;
    assert!(!waiting.is_finished());
    one.way.cut(false);
    let guard = within("it is had", waiting).await.unwrap();
    assert!(guard.is_held());
    other.counts(1).await;
}

/// The log has forgotten what happened while it was away: what stands there now is what counts.
#[tokio::test(start_paused = true)]
async fn a_gap_in_the_log_loses_no_claim_and_no_place() {
    let (log, one, other) = two().await;
    let guard = one.acquire().await;
    let token = guard.token();
    let lock = other.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    one.counts(2).await;
    let before: Vec<String> = other.claims.view().keys().cloned().collect();
    for process in [&one, &other] {
        process.way.cut(true);
    }
    let third = Process::new(&log, "third").await;
    for name in ["a", "b"] {
        let lock = globe::Lock::new(&third.claims, &third.session, name).unwrap();
        lock.acquire().await.unwrap().release().await.unwrap();
    }
    log.compact(log.head_position().revision).unwrap();
    for process in [&one, &other] {
        process.way.cut(false);
        process.claims.sync().await.unwrap();
        let after: Vec<String> = process.claims.view().keys().cloned().collect();
        assert_eq!(after, before);
    }
    within("it is held", guard.resumed()).await.unwrap();
    assert_eq!(guard.token(), token);
    assert!(!waiting.is_finished());
    guard.release().await.unwrap();
    let _guard = within("the next has it", waiting).await.unwrap();
}
