//! A lock while nothing goes wrong: one holder, in order, for what it costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use globe::{ErrorKind, Fenced, LogClient, Loss, SessionState};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::rig::{fails_with, until, within};
use crate::{Process, SECOND, TTL, beside, is_in, two};

#[tokio::test(start_paused = true)]
async fn a_lock_has_one_holder_and_its_tokens_grow() {
    let (_log, one, other) = two().await;
    let mut last = None;
    for round in 0..10 {
        let (here, there) = if round % 2 == 0 {
            (&one, &other)
        } else {
            (&other, &one)
        };
        let guard = here.acquire().await;
        assert!(guard.is_held());
        let waiting = beside({
            let lock = there.lock();
            async move { lock.acquire().await.unwrap().token() }
        });
        there.counts(2).await;
        sleep(SECOND).await;
        assert!(!waiting.is_finished());
        assert!(last < Some(guard.token().number));
        last = Some(guard.token().number);
        guard.release().await.unwrap();
        let token = within("the other has it", waiting).await.unwrap();
        assert!(last < Some(token.number));
        last = Some(token.number);
        one.counts(0).await;
        other.counts(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_uncontended_lock_is_one_commit_to_take_and_one_to_release() {
    let (_log, one, _other) = two().await;
    one.acquire().await.release().await.unwrap();
    let before = one.way.calls();
    let guard = one.acquire().await;
    assert_eq!(one.way.calls().commits, before.commits + 1);
    guard.release().await.unwrap();
    assert_eq!(one.way.calls().commits, before.commits + 2);
    let tried = one.lock().try_acquire().await.unwrap().unwrap();
    assert_eq!(one.way.calls().commits, before.commits + 3);
    // Seen to be held, it costs nothing to be told so; nor does waiting or holding cost anything.
    assert!(one.lock().try_acquire().await.unwrap().is_none());
    sleep(TTL * 3).await;
    assert_eq!(one.way.calls().commits, before.commits + 3);
    assert_eq!(one.way.calls().grants, before.grants);
    drop(tried);
}

#[tokio::test(start_paused = true)]
async fn grants_are_in_order_of_creation_and_one_release_wakes_one_waiter() {
    const WAITERS: usize = 1_000;
    let (_log, one, other) = two().await;
    let first = one.acquire().await;
    let woken = Arc::new(AtomicUsize::new(0));
    let mut waiting = Vec::new();
    for number in 0..WAITERS {
        let (process, woken) = (
            if number % 2 == 0 { &one } else { &other },
            Arc::clone(&woken),
        );
        let lock = process.lock();
        waiting.push(beside(async move {
            let guard = lock.acquire().await.unwrap();
            woken.fetch_add(1, Ordering::SeqCst);
            guard
        }));
        // They come one after the other.
        process.counts(number + 2).await;
        one.counts(number + 2).await;
        other.counts(number + 2).await;
    }
    let mut token = first.token().number;
    first.release().await.unwrap();
    for (number, next) in waiting.into_iter().enumerate() {
        let guard = within("the next has it", next).await.unwrap();
        sleep(SECOND / 10).await;
        assert_eq!(woken.load(Ordering::SeqCst), number + 1);
        assert!(guard.token().number > token);
        token = guard.token().number;
        guard.release().await.unwrap();
    }
    one.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_guard_lets_the_next_in() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    let waiting = beside({
        let lock = other.lock();
        async move { lock.acquire().await.unwrap() }
    });
    other.counts(2).await;
    drop(guard);
    let guard = within("the other has it", waiting).await.unwrap();
    assert!(guard.is_held());
}

#[tokio::test(start_paused = true)]
async fn wait_and_hold_bounds_are_two() {
    let (_log, one, other) = two().await;
    let request = one.lock().request().hold_at_most(5 * SECOND);
    let guard = request.acquire().await.unwrap();
    let asked = Instant::now();
    let hasty = other.lock().request().wait_at_most(2 * SECOND).acquire();
    fails_with(hasty.await, ErrorKind::Busy);
    assert_eq!(asked.elapsed().as_secs(), 2);
    one.counts(1).await;
    let waiting = beside({
        let request = other.lock().request().wait_at_most(20 * SECOND);
        async move { request.acquire().await.unwrap() }
    });
    let lost = within("its bound is over", guard.unsure()).await;
    assert_eq!(lost, SessionState::Lost(Loss::HoldBound));
    assert!(asked.elapsed() >= 5 * SECOND && !guard.is_held());
    let next = within("the other has it", waiting).await.unwrap();
    assert!(next.is_held() && next.token().number > guard.token().number);
    fails_with(guard.resumed().await, ErrorKind::NotHeld);
    fails_with(guard.release().await, ErrorKind::NotHeld);
    assert!(next.is_held());
}

#[tokio::test(start_paused = true)]
async fn others_are_told_who_holds_and_what_he_says() {
    let (_log, one, other) = two().await;
    assert_eq!(other.lock().holder(), None);
    let request = one.lock().request().value(json!({"job": 7}));
    let guard = request.acquire().await.unwrap();
    until("it is seen", || other.lock().holder().is_some()).await;
    let holder = other.lock().holder().unwrap();
    assert_eq!(
        (holder.by.as_str(), &holder.value),
        ("one", &json!({"job": 7}))
    );
    assert_eq!(holder.token, guard.token());
    guard.set_value(json!({"job": 8})).await.unwrap();
    until("it is seen", || {
        other.lock().holder().unwrap().value == json!({"job": 8})
    })
    .await;
    assert_eq!(other.lock().holder().unwrap().token, guard.token());
    assert!(guard.is_held());
    guard.release().await.unwrap();
    until("it is seen", || other.lock().holder().is_none()).await;
}

/// By the map itself, past the lock: that makes no entry of it, which would be put back for nobody.
#[tokio::test(start_paused = true)]
async fn a_claim_that_its_own_process_writes_over_is_a_claim_still() {
    let (log, one, other) = two().await;
    let guard = one.acquire().await;
    let view = one.claims.view();
    let (key, entry) = view.first().unwrap();
    let lease = entry.lease().unwrap();
    let same = one.claims.update(key, |claim| claim.unwrap().clone());
    same.await.unwrap();
    assert!(guard.is_held());
    log.revoke(lease).await.unwrap();
    let next = other.acquire().await;
    sleep(TTL).await;
    assert!(next.is_held() && !guard.is_held());
    assert_eq!(other.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn locks_of_different_names_and_kinds_are_apart() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    for name in ["invoice", "invoices2", "invoices/a", "a/invoices", "%"] {
        let lock = globe::Lock::new(&other.claims, &other.session, name).unwrap();
        lock.acquire().await.unwrap().release().await.unwrap();
    }
    let other_kind = globe::Election::new(&other.claims, &other.session, "invoices").unwrap();
    let _guard = other_kind.campaign("me").await.unwrap();
    assert!(guard.is_held());
}

/// A record that nobody can read may be a claim: whoever is not let in yet waits until somebody deletes it.
#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_is_in_the_way() {
    let (log, one, other) = two().await;
    let keyspace = crate::rig::keyspace("claims");
    let bad = || globe::log_client::Transaction::new().put(&keyspace, "lock/invoices/x", "[");
    let guard = one.acquire().await;
    globe::LogClient::commit(&log, bad()).await.unwrap();
    until("it is seen", || one.claims.quarantine().len() == 1).await;
    assert!(guard.is_held(), "who was let in stays so");
    guard.release().await.unwrap();
    let waiting = beside({
        let lock = other.lock();
        async move { lock.acquire().await.unwrap() }
    });
    sleep(TTL * 3).await;
    assert!(!waiting.is_finished());
    assert!(one.lock().try_acquire().await.unwrap().is_none());
    let gone = globe::log_client::Transaction::new().delete(&keyspace, "lock/invoices/x");
    globe::LogClient::commit(&log, gone).await.unwrap();
    let _guard = within("the other has it", waiting).await.unwrap();
}

/// Of claims that race for a free lock all but the first are taken back.
#[tokio::test(start_paused = true)]
async fn who_tries_and_is_too_late_leaves_nothing() {
    let (log, one, other) = two().await;
    for _ in 0..10 {
        log.hold_tails(true);
        let tries = async {
            let (lock, there) = (one.lock(), other.lock());
            tokio::join!(lock.try_acquire(), there.try_acquire())
        };
        let release = async {
            sleep(SECOND / 10).await;
            log.hold_tails(false);
        };
        let ((here, there), ()) = tokio::join!(tries, release);
        let (here, there) = (here.unwrap(), there.unwrap());
        assert_eq!(
            usize::from(here.is_some()) + usize::from(there.is_some()),
            1
        );
        one.counts(1).await;
        drop((here, there));
        one.counts(0).await;
        other.counts(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_keeps_its_session_alive() {
    let (_log, one, other) = two().await;
    let guard = one.acquire().await;
    let Process {
        session,
        claims,
        way,
        ..
    } = one;
    drop((session, claims));
    sleep(TTL * 5).await;
    is_in(&guard, SessionState::Live).await;
    assert_eq!(other.count(), 1);
    drop(guard);
    other.counts(0).await;
    assert!(
        way.calls().revocations >= 1,
        "nobody has the session any more"
    );
}

/// On real threads: the session sweeps what nobody wants, and must not take a release for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_not_overtaken_by_the_sessions_own_sweep() {
    let (_log, one, other) = two().await;
    for _ in 0..100 {
        one.acquire().await.release().await.unwrap();
        other
            .rw_lock()
            .read()
            .await
            .unwrap()
            .release()
            .await
            .unwrap();
    }
}

/// However many ask by a name: those of one session are served by one task.
#[tokio::test(start_paused = true)]
async fn all_who_wait_by_one_name_are_served_by_one_task() {
    let (_log, one, _other) = two().await;
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let guard = one.acquire().await;
    let before = alive();
    let mut waiting = Vec::new();
    for count in 1..=20 {
        let lock = one.lock();
        waiting.push(beside(async move { lock.acquire().await.map(drop) }));
        one.counts(count + 1).await;
        assert_eq!(alive(), before + waiting.len() + 1);
    }
    drop(guard);
    for one in waiting {
        within("each is let in", one).await.unwrap().unwrap();
    }
    until("nobody serves any more", || alive() <= before).await;
}
