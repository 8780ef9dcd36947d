//! Barriers and latches: who waits, who goes on together, and what is left when somebody dies.

use futures::FutureExt;
use globe::{Barrier, DoubleBarrier, ErrorKind, Latch, MemoryLog, SessionState};
use tokio::time::sleep;

use crate::rig::{fails_with, until, within};
use crate::{Process, SECOND, TTL, beside, two};

fn double(process: &Process, count: usize) -> DoubleBarrier {
    DoubleBarrier::new(&process.claims, &process.session, "training", count).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_a_closed_barrier_goes_on_when_it_opens_and_not_when_its_closer_dies() {
    let (_log, one, other) = two().await;
    let (here, there) = (
        Barrier::new(&one.claims, "migration").unwrap(),
        Barrier::new(&other.claims, "migration").unwrap(),
    );
    assert!(here.close().await.unwrap());
    assert!(!there.close().await.unwrap());
    let waiting = beside({
        let there = there.clone();
        async move { there.wait().await }
    });
    one.session.close().await.unwrap();
    sleep(TTL * 2).await;
    assert!(!waiting.is_finished());
    assert!(there.open().await.unwrap());
    within("it is open", waiting).await.unwrap().unwrap();
    assert!(!here.open().await.unwrap());
    within("it is open", here.wait()).await.unwrap();
}

/// What was closed before the call holds it up, although this process has not seen it yet.
#[tokio::test(start_paused = true)]
async fn a_wait_sees_what_was_closed_before_it() {
    let (log, one, other) = two().await;
    log.hold_tails(true);
    let closing = beside({
        let here = Barrier::new(&one.claims, "migration").unwrap();
        async move { here.close().await }
    });
    until("it is committed", || {
        log.head_position().revision.0 > 1 && one.way.calls().commits > 0
    })
    .await;
    let waiting = beside({
        let there = Barrier::new(&other.claims, "migration").unwrap();
        async move { there.wait().await }
    });
    sleep(SECOND / 10).await;
    log.hold_tails(false);
    closing.await.unwrap().unwrap();
    sleep(SECOND).await;
    assert!(!waiting.is_finished());
    Barrier::new(&one.claims, "migration")
        .unwrap()
        .open()
        .await
        .unwrap();
    within("it is open", waiting).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn arriving_twice_is_once() {
    let (_log, one, other) = two().await;
    let here = Latch::new(&one.claims, "ready", 2).unwrap();
    let there = Latch::new(&other.claims, "ready", 2).unwrap();
    assert_eq!(here.arrive("a/b").await.unwrap(), 1);
    assert_eq!(there.arrive("a/b").await.unwrap(), 1);
    let waiting = beside({
        let there = there.clone();
        async move { there.wait().await }
    });
    sleep(SECOND).await;
    assert!(!waiting.is_finished());
    // The reply is lost: it is tried again, which is harmless.
    one.way.lose_replies(true);
    let arriving = beside({
        let hasty = one.claims.with_deadline(SECOND);
        let here = Latch::new(&hasty, "ready", 2).unwrap();
        async move { here.arrive("c").await }
    });
    sleep(SECOND / 2).await;
    one.way.lose_replies(false);
    assert_eq!(within("it arrived", arriving).await.unwrap().unwrap(), 2);
    within("it is open", waiting).await.unwrap().unwrap();
    here.reset().await.unwrap();
    other.counts(0).await;
    fails_with(Latch::new(&one.claims, "ready", 0), ErrorKind::Invalid);
    fails_with(here.arrive("").await, ErrorKind::Invalid);
}

/// Rounds follow one another; in each the same ones are in, for everybody.
#[tokio::test(start_paused = true)]
async fn all_of_a_round_agree() {
    const INSIDE: usize = 3;
    let log = MemoryLog::new();
    let mut processes = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        processes.push(Process::new(&log, name).await);
    }
    let tasks: Vec<_> = processes
        .iter()
        .map(|process| {
            let barrier = double(process, INSIDE);
            beside(async move {
                for _ in 0..5 {
                    let inside = barrier.enter(TTL * 3).await?;
                    sleep(SECOND / 10).await;
                    inside.leave(TTL * 3).await?;
                }
                Ok::<_, globe::Error>(())
            })
        })
        .collect();
    for task in tasks {
        within("every round ends", task).await.unwrap().unwrap();
    }
    processes[0].counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_in_vain_is_in_no_list_and_leaves_nothing() {
    let (_log, one, other) = two().await;
    fails_with(double(&one, 2).enter(SECOND).await, ErrorKind::Busy);
    other.counts(0).await;
    let (here, there) = (double(&one, 2), double(&other, 2));
    let (inside, late) = tokio::join!(here.enter(TTL), async {
        sleep(SECOND).await;
        there.enter(TTL).await
    });
    let (inside, late) = (inside.unwrap(), late.unwrap());
    // A third one waits for the next round, in vain.
    fails_with(double(&one, 2).enter(SECOND).await, ErrorKind::Busy);
    let left = inside.leave(SECOND).await;
    fails_with(left, ErrorKind::Busy);
    late.leave(SECOND).await.unwrap();
    other.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn the_dead_have_left() {
    let (_log, one, other) = two().await;
    let (here, there) = (double(&one, 2), double(&other, 2));
    let (inside, dead) = tokio::join!(here.enter(TTL), there.enter(TTL));
    let (inside, _dead) = (inside.unwrap(), dead.unwrap());
    other.way.cut(true);
    inside.leave(TTL * 2).await.unwrap();
    one.counts(0).await;
}

/// At the very moment at which the bound is over the round begins, or not; both think the same.
#[tokio::test(start_paused = true)]
async fn a_bound_that_is_over_as_the_round_begins_leaves_no_doubt() {
    for delay in 0..40 {
        let (_log, one, other) = two().await;
        let (here, there) = (double(&one, 2), double(&other, 2));
        let (first, second) = tokio::join!(here.enter(SECOND), async {
            sleep(SECOND - SECOND / 20 + SECOND / 400 * delay).await;
            there.enter(SECOND).await
        });
        assert_eq!(
            first.is_ok(),
            second.is_ok(),
            "{delay}: {first:?} {second:?}"
        );
        drop((first, second));
        // Who was in is written down until somebody comes again.
        until("all have left", || {
            one.claims.view().keys().all(|key| key == "double/training")
        })
        .await;
    }
}

/// The bound is over while its own try to begin the round is still on its way, and somebody else has begun it.
#[tokio::test(start_paused = true)]
async fn who_is_in_when_his_bound_is_over_has_entered() {
    let (_log, one, other) = two().await;
    let (here, there) = (double(&one, 2), double(&other, 2));
    let (first, second) = tokio::join!(here.enter(SECOND), async {
        sleep(SECOND / 2).await;
        one.way.hold_requests(true);
        let second = there.enter(SECOND).await;
        sleep(SECOND).await;
        one.way.hold_requests(false);
        second
    });
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test(start_paused = true)]
async fn none_and_too_many_are_invalid() {
    let (_log, one, _other) = two().await;
    for count in [0, 127] {
        let barrier = DoubleBarrier::new(&one.claims, &one.session, "training", count);
        let error = fails_with(barrier, ErrorKind::Invalid);
        assert!(error.to_string().contains("from 1 to 126"), "{error}");
    }
    fails_with(Barrier::new(&one.claims, ""), ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn dropping_one_who_is_in_leaves() {
    let (_log, one, other) = two().await;
    let (here, there) = (double(&one, 2), double(&other, 2));
    let (inside, dropped) = tokio::join!(here.enter(TTL), there.enter(TTL));
    drop(dropped.unwrap());
    inside.unwrap().leave(TTL / 2).await.unwrap();
    one.counts(0).await;
}

/// At every await: one that was dropped has not come, or has left; it is in nobody's way.
#[tokio::test(start_paused = true)]
async fn an_enter_that_was_dropped_leaves_nothing() {
    for polls in 0..40 {
        let (_log, one, other) = two().await;
        let there = double(&other, 2);
        let waiting = beside(async move { there.enter(TTL).await?.leave(TTL).await });
        one.counts(1).await;
        let here = double(&one, 2);
        let mut entering = Box::pin(here.enter(TTL));
        for _ in 0..polls {
            if (&mut entering).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(entering);
        match within("the other is told", waiting).await.unwrap() {
            Ok(()) => one.counts(0).await,
            // Nobody came, for all the log knows.
            Err(error) => assert_eq!(*error.kind(), ErrorKind::Busy, "{error}"),
        }
        one.counts(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_log_is_away_is_told_so() {
    let (_log, one, other) = two().await;
    one.way.cut(true);
    until("it is suspended", || {
        one.session.state() == SessionState::Suspended
    })
    .await;
    let late = double(&one, 2).enter(SECOND).await;
    fails_with(late, ErrorKind::Unavailable);
    one.way.cut(false);
    other.counts(0).await;
}

/// The others count on it: it is told that it was in, if it can be seen, and never that it was not.
#[tokio::test(start_paused = true)]
async fn who_was_in_and_lost_its_session_before_it_was_told_is_never_told_that_it_was_not() {
    let bounds = [TTL * 20, TTL / 2];
    for (bound, is_over_before) in bounds.into_iter().flat_map(|at| [(at, false), (at, true)]) {
        let (_log, one, other) = two().await;
        let (here, there) = (double(&one, 2), double(&other, 2));
        let entering = beside(async move { here.enter(bound).await });
        other.counts(1).await;
        // Its claim has been answered.
        one.claims.sync().await.unwrap();
        one.way.cut(true);
        let inside = within("the other is in", there.enter(TTL)).await.unwrap();
        until("who is away has died", || {
            other
                .claims
                .view()
                .keys()
                .filter(|key| *key != "double/training")
                .count()
                == 1
        })
        .await;
        let mut inside = Some(inside);
        if is_over_before {
            let left = inside.take().unwrap().leave(TTL).await;
            left.unwrap();
            other.counts(0).await;
        }
        one.way.cut(false);
        if bound < TTL || !is_over_before {
            let told = within("it is told", entering).await.unwrap();
            fails_with(told.map(drop), ErrorKind::NotHeld);
        } else {
            // All that is known is that it has to come anew.
            let there = double(&other, 2);
            let (told, again) = tokio::join!(within("it is in", entering), there.enter(TTL));
            drop(again.unwrap());
            drop(told.unwrap().unwrap());
        }
    }
}
