//! Claims that nobody waits for any more, and those that others take away.

use futures::FutureExt;
use globe::{ErrorKind, Fenced, LogClient, Loss, SessionState};
use tokio::time::{Instant, sleep};

use crate::rig::{fails_with, until, within};
use crate::{SECOND, TTL, beside, is_in, two};

/// At every await: what it was doing leaves nothing that would be in somebody's way.
#[tokio::test(start_paused = true)]
async fn an_acquire_that_was_dropped_leaves_no_claim() {
    let (_log, one, other) = two().await;
    for held in [false, true] {
        let guard = if held {
            Some(other.acquire().await)
        } else {
            None
        };
        for polls in 0..40 {
            let lock = one.lock();
            let mut acquire = Box::pin(lock.acquire());
            for _ in 0..polls {
                if (&mut acquire).now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(acquire);
        }
        other.counts(usize::from(held)).await;
        drop(guard);
        other.counts(0).await;
    }
    one.acquire().await.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_unknown_outcome_is_swept_and_another_is_made() {
    let (_log, one, other) = two().await;
    one.acquire().await.release().await.unwrap();
    one.way.lose_replies(true);
    let lock = one.lock();
    let acquiring = beside(async move { lock.acquire().await.unwrap() });
    other.counts(1).await;
    sleep(SECOND).await;
    one.way.lose_replies(false);
    let guard = within("the lock is had", acquiring).await.unwrap();
    other.counts(1).await;
    assert!(guard.is_held());
    guard.release().await.unwrap();
    other.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_release_that_failed_is_finished_by_the_session() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    one.way.lose_requests(true);
    let hasty = guard.release();
    let released = tokio::time::timeout(TTL * 2, hasty).await.unwrap();
    assert!(released.unwrap_err().may_be_committed());
    one.way.lose_requests(false);
    other.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_he_holds_is_let_in_when_he_lets_go() {
    let (_log, one, _other) = two().await;
    let guard = one.acquire().await;
    let lock = one.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    one.counts(2).await;
    guard.release().await.unwrap();
    let _guard = within("it is had again", waiting).await.unwrap();
}

/// The next holds at once; who held learns it from its own copy.
#[tokio::test(start_paused = true)]
async fn a_claim_that_somebody_deletes_is_lost_for_good() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    let lock = other.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    other.counts(2).await;
    let key = other
        .claims
        .view()
        .iter()
        .find(|(_, claim)| claim.by == "one")
        .unwrap()
        .0
        .clone();
    other.claims.delete(key).await.unwrap();
    let next = within("the other has it", waiting).await.unwrap();
    let lost = within("its owner learns of it", guard.unsure()).await;
    assert_eq!(lost, SessionState::Lost(Loss::Displaced));
    fails_with(guard.resumed().await, ErrorKind::NotHeld);
    fails_with(guard.set_value("mine".into()).await, ErrorKind::NotHeld);
    fails_with(guard.release().await, ErrorKind::NotHeld);
    sleep(TTL * 2).await;
    assert!(next.is_held());
    assert_eq!(other.count(), 1, "it was not put back");
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_lease_somebody_ends_is_lost_and_not_put_back() {
    let (log, one, other) = two().await;
    let guard = one.acquire().await;
    other.counts(1).await;
    let lease = other
        .claims
        .view()
        .iter()
        .next()
        .unwrap()
        .1
        .lease()
        .unwrap();
    let lock = other.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    other.counts(2).await;
    log.revoke(lease).await.unwrap();
    let next = within("the other has it", waiting).await.unwrap();
    until("its owner learns of it", || !guard.is_held()).await;
    until("its session is back", || {
        one.session.state() == SessionState::Live
    })
    .await;
    sleep(TTL).await;
    assert!(matches!(guard.state(), SessionState::Lost(_)));
    assert!(next.is_held());
    assert_eq!(other.count(), 1);
}

/// In the place it has now, at the end, and with another key.
#[tokio::test(start_paused = true)]
async fn a_waiter_whose_session_is_lost_queues_anew() {
    let (log, one, other) = two().await;
    let guard = other.acquire().await;
    let lock = one.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    other.counts(2).await;
    let of_one = |claims: &globe::Claims| {
        let view = claims.view();
        let mut claims = view.iter().filter(|(_, claim)| claim.by == "one");
        claims
            .next()
            .map(|(key, claim)| (key.clone(), claim.lease().unwrap()))
    };
    let (key, lease) = of_one(&other.claims).unwrap();
    let behind = beside({
        let lock = other.lock();
        async move { lock.acquire().await.unwrap() }
    });
    other.counts(3).await;
    log.revoke(lease).await.unwrap();
    until("it queues anew", || {
        of_one(&other.claims).is_some_and(|(new, _)| new != key)
    })
    .await;
    guard.release().await.unwrap();
    let second = within("who was behind has it", behind).await.unwrap();
    sleep(SECOND).await;
    assert!(!waiting.is_finished());
    second.release().await.unwrap();
    let last = within("it has it", waiting).await.unwrap();
    is_in(&last, SessionState::Live).await;
}

#[tokio::test(start_paused = true)]
async fn closing_a_session_loses_its_guards_and_ends_its_waits() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    let lock = one.lock();
    let waiting = beside(async move { lock.acquire().await });
    one.counts(2).await;
    one.session.close().await.unwrap();
    assert_eq!(guard.state(), SessionState::Lost(Loss::Closed));
    let waited = within("the wait ends", waiting).await.unwrap();
    fails_with(waited, ErrorKind::Closed);
    fails_with(one.lock().try_acquire().await, ErrorKind::Closed);
    other.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_of_a_map_that_was_closed_is_not_held() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    one.claims.close().await;
    assert_eq!(guard.state(), SessionState::Lost(Loss::Closed));
    fails_with(one.lock().acquire().await, ErrorKind::Closed);
    one.session.close().await.unwrap();
    other.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_queues_anew_keeps_its_bound() {
    let (log, one, other) = two().await;
    let guard = other.acquire().await;
    let (asked, request) = (Instant::now(), one.lock().request());
    let waiting = beside(async move { request.wait_at_most(2 * TTL).acquire().await });
    let of_one = || {
        let view = other.claims.view();
        let mut claims = view.iter().filter(|(_, claim)| claim.by == "one");
        let (key, claim) = claims.next()?;
        Some((key.clone(), claim.lease()?))
    };
    other.counts(2).await;
    for _ in 0..3 {
        let (key, lease) = of_one().unwrap();
        log.revoke(lease).await.unwrap();
        until("it queues anew", || {
            of_one().is_some_and(|(anew, _)| anew != key)
        })
        .await;
        sleep(TTL / 4).await;
    }
    let late = within("its bound is over", waiting).await.unwrap();
    fails_with(late, ErrorKind::Busy);
    assert_eq!(asked.elapsed().as_secs(), 2 * TTL.as_secs());
    other.counts(1).await;
    assert!(guard.is_held());
}

/// It is under no lease, so nothing ends it: not even a restart of everybody.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_put_by_hand_holds_until_somebody_deletes_it() {
    let (log, one, other) = two().await;
    let keyspace = crate::rig::keyspace("claims");
    let put = globe::log_client::Transaction::new().put(
        &keyspace,
        "lock/invoices/by-hand",
        "{\"by\":\"ops\"}",
    );
    LogClient::commit(&log, put).await.unwrap();
    one.counts(1).await;
    assert_eq!(one.lock().holder().unwrap().by, "ops");
    assert!(one.lock().try_acquire().await.unwrap().is_none());
    let lock = one.lock();
    let waiting = beside(async move { lock.acquire().await.unwrap() });
    other.counts(2).await;
    sleep(TTL * 3).await;
    assert!(!waiting.is_finished());
    other.claims.delete("lock/invoices/by-hand").await.unwrap();
    let guard = within("it is had", waiting).await.unwrap();
    assert!(guard.is_held());
}
