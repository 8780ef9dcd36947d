//! What cannot be meant, and what cannot be had.

use std::time::Duration;

use globe::{Claims, Election, ErrorKind, Lock, MemoryLog, RwLock, Semaphore};

use crate::rig::{fails_with, open};
use crate::{SECOND, two};

#[tokio::test(start_paused = true)]
async fn a_name_without_characters_or_with_too_many_is_invalid() {
    let (_log, one, _other) = two().await;
    let (claims, session) = (&one.claims, &one.session);
    for name in ["", &"x".repeat(600)] {
        fails_with(Lock::new(claims, session, name), ErrorKind::Invalid);
        fails_with(RwLock::new(claims, session, name), ErrorKind::Invalid);
        fails_with(Semaphore::new(claims, session, name, 1), ErrorKind::Invalid);
        fails_with(Election::new(claims, session, name), ErrorKind::Invalid);
    }
}

#[tokio::test(start_paused = true)]
async fn claims_and_a_session_of_different_logs_are_invalid() {
    let (_log, one, _other) = two().await;
    let elsewhere: Claims = open(&MemoryLog::new(), "claims").await;
    fails_with(Lock::new(&elsewhere, &one.session, "a"), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn no_permits_and_more_than_there_are_are_invalid() {
    let (_log, one, _other) = two().await;
    fails_with(
        Semaphore::new(&one.claims, &one.session, "none", 0),
        ErrorKind::Invalid,
    );
    let semaphore = one.semaphore(3);
    fails_with(semaphore.acquire(0).await, ErrorKind::Invalid);
    let error = fails_with(semaphore.acquire(4).await, ErrorKind::Invalid);
    assert!(error.to_string().contains("3 permits"), "{error}");
    fails_with(semaphore.try_acquire(4).await, ErrorKind::Invalid);
    fails_with(semaphore.resize(0).await, ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn bounds_of_nothing_or_of_more_than_a_year_are_invalid() {
    let (_log, one, _other) = two().await;
    for bound in [Duration::ZERO, SECOND * 3600 * 24 * 366, Duration::MAX] {
        let request = one.lock().request().wait_at_most(bound);
        fails_with(request.acquire().await, ErrorKind::Invalid);
        let request = one.lock().request().hold_at_most(bound);
        fails_with(request.try_acquire().await, ErrorKind::Invalid);
    }
    one.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_too_large_is_refused_at_once() {
    let (_log, one, _other) = two().await;
    let request = one.lock().request().value("x".repeat(2 * 1024 * 1024));
    let error = request.acquire().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TooLarge { .. }),
        "{error}"
    );
    let _guard = one.acquire().await;
}
