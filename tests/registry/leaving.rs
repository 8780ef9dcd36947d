//! Leaving: what a drop does, and what becomes of it when the log is away.

use globe::ErrorKind;
use globe::registry::{Member, State};
use tokio::time::sleep;

use crate::rig::{fails_with, until};
use crate::{SECOND, SERVICE, TTL, held_back, lists, registry, two};

#[tokio::test(start_paused = true)]
async fn who_drops_its_registration_drains_and_leaves() {
    let (log, one, _other) = two().await;
    let onlooker = registry(&log).await;
    let all = one.register_all(&["a", "b", "c"]).await;
    lists(&onlooker, &["a", "b", "c"]).await;
    drop(all);
    lists(&onlooker, &[]).await;
    assert!(held_back(&onlooker).is_empty());
    sleep(TTL * 2).await;
    assert!(one.ids().is_empty(), "no session puts it back");
    let _again = one.register_all(&["a", "b", "c"]).await;
    lists(&onlooker, &["a", "b", "c"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_deregistration_that_fails_goes_on_until_it_is_done() {
    let (_log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    one.way.cut(true);
    fails_with(mine.deregister().await, ErrorKind::Unavailable);
    other.lists(&[]).await;
    sleep(TTL * 5).await;
    one.way.cut(false);
    until("it is live", || {
        one.session.state() == globe::SessionState::Live
    })
    .await;
    sleep(SECOND * 20).await;
    assert!(other.ids().is_empty() && one.ids().is_empty());
    assert_eq!(one.session.status().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deregistration_that_is_dropped_at_any_await_is_done_all_the_same() {
    for steps in 0..12 {
        let (_log, one, other) = two().await;
        let mine = one.register(Member::new("a", 80)).await;
        other.lists(&["a"]).await;
        let mut leaving = Box::pin(mine.deregister());
        for _ in 0..steps {
            let polled = futures::poll!(leaving.as_mut());
            tokio::task::yield_now().await;
            if polled.is_ready() {
                break;
            }
        }
        drop(leaving);
        other.lists(&[]).await;
        sleep(TTL * 2).await;
        assert!(other.ids().is_empty(), "after {steps} steps");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_is_dropped_at_any_await_leaves_nothing() {
    for steps in 0..12 {
        let (_log, one, other) = two().await;
        let (registry, session) = (&one.registry, &one.session);
        let mut registering = Box::pin(registry.register(session, SERVICE, Member::new("a", 80)));
        let mut is_done = false;
        for _ in 0..steps {
            is_done = futures::poll!(registering.as_mut()).is_ready();
            tokio::task::yield_now().await;
            if is_done {
                break;
            }
        }
        drop(registering);
        sleep(TTL).await;
        assert!(
            other.ids().is_empty(),
            "after {steps} steps, done: {is_done}"
        );
    }
}

/// Only then are they alarmed who look: a record that is deleted by hand is put back by its session.
#[tokio::test(start_paused = true)]
async fn what_somebody_deletes_is_back_in_a_moment() {
    let (log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    other.lists(&["a"]).await;
    crate::rig::delete_raw(&log, "services", "billing/a").await;
    sleep(SECOND).await;
    assert!(mine.is_registered());
    other.lists(&["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn who_drains_already_leaves_by_one_commit() {
    let (_log, one, other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    mine.set(|me| me.state = State::Draining).await.unwrap();
    let before = one.way.calls().commits;
    let sent = one.way.keep_transactions();
    mine.deregister().await.unwrap();
    let written = std::mem::take(&mut *sent.lock().unwrap());
    let writes = written
        .iter()
        .filter(|transaction| !transaction.writes().is_empty());
    assert_eq!(writes.count(), 1);
    assert!(one.way.calls().commits > before);
    other.lists(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_costs_a_commit_and_a_look_costs_none() {
    let (_log, one, other) = two().await;
    let before = one.way.calls().commits;
    let mine = one.register(Member::new("a", 80)).await;
    assert_eq!(one.way.calls().commits, before + 1);
    mine.set(|me| me.weight = 7).await.unwrap();
    assert_eq!(one.way.calls().commits, before + 2);
    let (calls, picker) = (
        other.way.calls(),
        other.registry.picker(SERVICE, Default::default()),
    );
    picker.ready().await.unwrap();
    for _ in 0..1000 {
        drop((picker.pick(), other.registry.members(SERVICE)));
    }
    let after = other.way.calls();
    assert_eq!(
        (after.commits, after.snapshots),
        (calls.commits, calls.snapshots)
    );
    // An upkeep of its session, and the probes of its map, may come in between; no more.
    assert!(after.heads <= calls.heads + 2, "{after:?}");
    mine.deregister().await.unwrap();
    assert_eq!(one.way.calls().commits, before + 4);
}

#[tokio::test(start_paused = true)]
async fn changes_come_one_after_the_other_and_one_that_was_dropped_harms_no_later_one() {
    let (_log, one, _other) = two().await;
    let mine = one.register(Member::new("a", 0)).await;
    let add = || mine.set(|me| me.data = (*me.data + 1).into());
    let (first, second, third) = tokio::join!(add(), add(), add());
    first.and(second).and(third).unwrap();
    assert_eq!(*mine.member().data, 3);
    for steps in 0..8 {
        let mut adding = Box::pin(add());
        for _ in 0..steps {
            if futures::poll!(adding.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    sleep(SECOND).await;
    let before = *mine.member().data;
    add().await.unwrap();
    let members = one.registry.members(SERVICE);
    assert_eq!(*members.get("a").unwrap().data, before + 1);
}

/// What is still leaving is not what was registered since.
#[tokio::test(start_paused = true)]
async fn who_registers_once_more_is_not_taken_away_by_what_leaves() {
    for wait in 0..30 {
        let (_log, one, other) = two().await;
        let first = one.register(Member::new("a", 1)).await;
        let second = one.register(Member::new("a", 2)).await;
        assert!(!first.is_registered() && second.is_registered());
        fails_with(first.set(|me| me.weight = 1).await, ErrorKind::NotHeld);
        drop(first);
        one.way.cut(true);
        drop(second);
        sleep(SECOND * wait / 2).await;
        one.way.cut(false);
        let third = one.register(Member::new("a", 3)).await;
        sleep(TTL * 3).await;
        assert!(third.is_registered(), "after {wait}");
        other.lists(&["a"]).await;
        third.deregister().await.unwrap();
        other.lists(&[]).await;
    }
}
