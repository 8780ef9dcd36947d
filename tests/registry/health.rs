//! Health: what a check says, and what becomes of one that cannot say anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use globe::ErrorKind;
use globe::registry::{Member, State};
use tokio::time::{Duration, sleep};

use crate::rig::{fails_with, until};
use crate::{Process, SECOND, SERVICE, two};

fn state(process: &Process) -> State {
    process.registry.members(SERVICE).get("a").unwrap().state
}

async fn is_in(process: &Process, expected: State) {
    until(&format!("it is {expected}"), || state(process) == expected).await;
}

/// A check that says what it is told: 0 down, 1 up, 2 panics, 3 hangs.
fn check(
    says: &Arc<AtomicU32>,
) -> impl FnMut() -> futures::future::BoxFuture<'static, bool> + use<> {
    let says = Arc::clone(says);
    move || {
        let says = says.load(Ordering::Relaxed);
        assert_ne!(says, 4, "it panics before there is a future");
        Box::pin(async move {
            match says {
                2 => panic!("it panics"),
                3 => std::future::pending().await,
                says => says == 1,
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_is_as_its_check_says_and_one_that_panics_or_hangs_says_down() {
    let (_log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    let says = Arc::new(AtomicU32::new(1));
    let health = mine.health(SECOND, check(&says)).unwrap();
    sleep(SECOND * 3).await;
    assert_eq!(state(&other), State::Up);
    for bad in [0, 2, 3, 4] {
        says.store(bad, Ordering::Relaxed);
        is_in(&other, State::Down).await;
        says.store(1, Ordering::Relaxed);
        is_in(&other, State::Up).await;
    }
    // As long as nothing changes, nothing is written.
    let before = one.way.calls().commits;
    sleep(SECOND * 10).await;
    assert_eq!(one.way.calls().commits, before);
    drop(health);
    says.store(0, Ordering::Relaxed);
    sleep(SECOND * 5).await;
    assert_eq!(state(&other), State::Up);
}

#[tokio::test(start_paused = true)]
async fn a_check_does_not_bring_back_who_drains_and_ends_with_its_member() {
    let (_log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    let says = Arc::new(AtomicU32::new(1));
    let _health = mine.health(SECOND, check(&says)).unwrap();
    mine.set(|me| me.state = State::Draining).await.unwrap();
    for verdict in [0, 1] {
        says.store(verdict, Ordering::Relaxed);
        sleep(SECOND * 3).await;
        assert_eq!(state(&other), State::Draining);
    }
    mine.deregister().await.unwrap();
    sleep(SECOND * 3).await;
    assert_eq!(Arc::strong_count(&says), 1, "the check is let go");
    assert!(other.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_is_written_later() {
    let (log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    let says = Arc::new(AtomicU32::new(1));
    let _health = mine.health(SECOND, check(&says)).unwrap();
    log.set_available(false);
    says.store(0, Ordering::Relaxed);
    sleep(SECOND * 5).await;
    log.set_available(true);
    is_in(&other, State::Down).await;
}

#[tokio::test(start_paused = true)]
async fn an_interval_that_cannot_be_meant_is_invalid() {
    let (_log, one, _other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    for every in [Duration::ZERO, SECOND * 86_401] {
        let error = fails_with(mine.health(every, || async { true }), ErrorKind::Invalid);
        assert!(error.to_string().contains("24 hours"), "{error}");
    }
}
