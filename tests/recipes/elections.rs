//! Elections: one leader, who stops before the next begins.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use globe::{ErrorKind, Fenced, Globe, LogClient, MemoryLog, SessionState};
use serde_json::json;
use tokio::time::sleep;

use crate::rig::{conflicts, fails_with, open, until, within};
use crate::{Process, SECOND, TTL, beside, two};

#[tokio::test(start_paused = true)]
async fn one_leads_a_term_and_others_are_told() {
    let (_log, one, other) = two().await;
    let mut observe = other.election().observe();
    assert_eq!(observe.next().await, Some(None));
    let term = one.election().campaign(json!({"at": "h1"})).await.unwrap();
    let leader = within("a leader is seen", observe.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((leader.by.as_str(), leader.token), ("one", term.token()));
    term.proclaim(json!({"at": "h2"})).await.unwrap();
    let leader = within("it is seen", observe.next()).await.unwrap().unwrap();
    assert_eq!(
        (leader.value, leader.token),
        (json!({"at": "h2"}), term.token())
    );
    let next = beside({
        let election = other.election();
        async move { election.campaign("me").await.unwrap() }
    });
    other.counts(2).await;
    term.resign().await.unwrap();
    let next = within("the next leads", next).await.unwrap();
    let leader = within("it is seen", async {
        loop {
            if let Some(Some(leader)) = observe.next().await
                && leader.by == "other"
            {
                break leader;
            }
        }
    });
    assert_eq!(leader.await.token, next.token());
    assert_eq!(one.election().leader().unwrap().token, next.token());
}

/// A copy of what was sent before arrives when the next has long been proclaimed.
#[tokio::test(start_paused = true)]
async fn no_older_proclamation_lands_over_a_newer_one() {
    let (log, one, other) = two().await;
    let term = one.election().campaign("first").await.unwrap();
    let sent = one.way.keep_transactions();
    term.proclaim("second").await.unwrap();
    let older = sent.lock().unwrap().last().cloned().unwrap();
    term.proclaim("third").await.unwrap();
    conflicts(log.commit(older).await);
    other.claims.sync().await.unwrap();
    assert_eq!(other.election().leader().unwrap().value, json!("third"));
    assert_eq!(term.state(), SessionState::Live);
}

#[tokio::test(start_paused = true)]
async fn a_deposed_leader_writes_nothing() {
    let (_log, one, other) = two().await;
    let state: Globe<String, u64> = open(&one.way, "state").await;
    let term = one.election().campaign("one").await.unwrap();
    one.way.cut(true);
    let election = other.election();
    let next = within("the next leads", election.campaign("other"));
    let next = next.await.unwrap();
    one.way.cut(false);
    let write = |txn: &mut globe::Txn<'_>| {
        txn.require(&term)?;
        txn.put(&state, "a", 1)
    };
    fails_with(state.transact(write).await, ErrorKind::NotHeld);
    assert!(next.token().number > term.token().number);
}

/// The work counts itself in and out: it is never there when its claim has ended.
#[tokio::test(start_paused = true)]
async fn work_ends_before_the_claim_can_and_goes_on_under_the_same_term_if_it_has_not() {
    struct Inside(Arc<AtomicUsize>);
    impl Drop for Inside {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let log = MemoryLog::new();
    let one = Process::patient(&log, "one").await;
    let inside = Arc::new(AtomicUsize::new(0));
    let terms = Arc::new(std::sync::Mutex::new(Vec::new()));
    let election = one.election();
    let (counted, noted) = (Arc::clone(&inside), Arc::clone(&terms));
    let leading = beside(async move {
        let work = |term: Arc<globe::Leadership>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let inside = Inside(Arc::clone(&counted));
            noted.lock().unwrap().push(term.token());
            async move {
                std::future::pending::<()>().await;
                drop(inside);
                ControlFlow::Break(())
            }
        };
        election.lead("one", work).await
    });
    until("it works", || inside.load(Ordering::SeqCst) == 1).await;
    one.way.cut(true);
    until("it is suspended", || {
        one.session.state() == SessionState::Suspended
    })
    .await;
    until("the work is dropped", || inside.load(Ordering::SeqCst) == 0).await;
    sleep(TTL * 3).await;
    one.way.cut(false);
    until("it works again", || inside.load(Ordering::SeqCst) == 1).await;
    let seen = terms.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
    leading.abort();
    until("nobody works", || inside.load(Ordering::SeqCst) == 0).await;
    one.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_lost_its_term_campaigns_again() {
    let (_log, one, other) = two().await;
    let terms = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (election, noted) = (one.election(), Arc::clone(&terms));
    let leading = beside(async move {
        let work = |term: Arc<globe::Leadership>| {
            noted.lock().unwrap().push(term.token().number);
            let count = noted.lock().unwrap().len();
            async move {
                if count == 3 {
                    return ControlFlow::Break(());
                }
                std::future::pending().await
            }
        };
        election.lead("one", work).await
    });
    for count in 1..=2 {
        until("it leads", || terms.lock().unwrap().len() == count).await;
        other.claims.sync().await.unwrap();
        other.claims.clear().await.unwrap();
    }
    within("its work is done", leading).await.unwrap().unwrap();
    let terms = terms.lock().unwrap().clone();
    assert!(terms.is_sorted() && terms.len() == 3, "{terms:?}");
    other.counts(0).await;
}

#[tokio::test(start_paused = true)]
async fn work_that_goes_on_is_called_again_in_the_same_term_and_others_have_their_turn() {
    let (_log, one, _other) = two().await;
    let mut calls = 0;
    let election = one.election();
    let lead = election.lead("one", |_term| {
        calls += 1;
        let flow = if calls == 1000 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        };
        async move { flow }
    });
    tokio::time::timeout(SECOND, lead).await.unwrap().unwrap();
    assert_eq!(calls, 1000);
}

#[tokio::test(start_paused = true)]
async fn when_its_work_is_done_a_leader_resigns_and_the_next_leads() {
    let (_log, one, other) = two().await;
    let works = Arc::new(AtomicUsize::new(0));
    let (election, working) = (one.election(), Arc::clone(&works));
    let leading = beside(async move {
        let work = |_term| {
            let working = Arc::clone(&working);
            async move {
                working.store(1, Ordering::SeqCst);
                sleep(SECOND).await;
                working.store(2, Ordering::SeqCst);
                ControlFlow::Break(())
            }
        };
        election.lead("one", work).await
    });
    until("it works", || works.load(Ordering::SeqCst) == 1).await;
    let election = other.election();
    let next = within("the next leads", election.campaign("other"));
    let next = next.await.unwrap();
    assert_eq!(works.load(Ordering::SeqCst), 2);
    within("its call returns", leading).await.unwrap().unwrap();
    assert!(next.is_held());
    other.counts(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_when_its_map_has_ended() {
    let (_log, one, other) = two().await;
    let mut observe = other.election().observe();
    assert_eq!(observe.next().await, Some(None));
    let _term = one.election().campaign("one").await.unwrap();
    let leader = within("a leader is seen", observe.next()).await.unwrap();
    assert_eq!(leader.unwrap().by, "one");
    other.claims.close().await;
    assert_eq!(within("it ends", observe.next()).await, None);
}
