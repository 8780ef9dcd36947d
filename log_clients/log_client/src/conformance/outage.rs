//! What clients say when the log is away, deaf, refuses them, or is another one.
//!
//! Never does to a log what its harness cannot: the weaker case is then said in [`Harness`].

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::harness::Harness;
use super::known::Known;
use super::mirror::Mirror;
use super::space::{OUTAGE, PATIENCE, Space, in_bounded_time, of_another_life, refusal, soon};
use crate::error::{Error, ErrorKind, Result};
use crate::lease::LeaseId;
use crate::position::Position;
use crate::transaction::{Precondition, Transaction};

/// How long to wait before a call is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// How long a commit may take, and how much later its answer may be on a busy machine.
const TIMEOUT: Duration = Duration::from_millis(500);
const SLACK: Duration = Duration::from_secs(3);

/// How long the log stays away from a tail that does not notice.
const AWAY: Duration = Duration::from_secs(1);

/// A call that takes no longer than this does not try again inside.
const AT_ONCE: Duration = Duration::from_secs(2);

pub async fn every_call_ends_while_the_log_is_away_and_works_when_it_is_back(
    harness: &dyn Harness,
) {
    let space = Space::fresh(harness);
    let at = space.put("key", "value").await;
    let is_away = harness.set_reachable(false).await;
    let outcomes = every_call(&space, at).await;
    harness.set_reachable(true).await;
    for outcome in outcomes {
        let Err(error) = outcome else {
            assert!(!is_away, "a log that is away answered");
            continue;
        };
        let says_so = matches!(
            error.kind(),
            ErrorKind::Unavailable | ErrorKind::Indeterminate
        );
        assert!(says_so, "{error}");
    }
    when_found(&space).await;
    let mut mirror = Mirror::open(&space).await;
    assert!(mirror.position.covers(at));
    let written = space.put("after", "value").await;
    mirror.reach(written).await;
}

/// Waits until the log answers again.
pub(crate) async fn when_found(space: &Space) -> Position {
    let found = async {
        loop {
            match space.log.head(&space.keyspace).await {
                Ok(head) => break head,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    };
    in_bounded_time("finding the log again", found).await
}

/// The outcomes of one call of each kind.
async fn every_call(space: &Space, at: Position) -> Vec<Result<()>> {
    let (log, keyspace) = (&space.log, &space.keyspace);
    let put = Transaction::new()
        .when(keyspace, "key", Precondition::At(at.revision))
        .put(keyspace, "key", "later");
    let pages = async { log.snapshot(keyspace).await?.collect().await };
    let mut outcomes = vec![
        in_bounded_time("head", log.head(keyspace)).await.map(drop),
        in_bounded_time("a snapshot", pages).await.map(drop),
        in_bounded_time("a commit", log.commit(put)).await.map(drop),
    ];
    if space.capabilities().leases {
        let lease = in_bounded_time("a lease", log.grant(PATIENCE)).await;
        outcomes.push(lease.map(drop));
        outcomes.push(in_bounded_time("a revocation", log.revoke(LeaseId::new(1))).await);
    }
    outcomes
}

pub async fn a_tail_opened_before_an_outage_breaks_or_goes_on_without_a_gap(harness: &dyn Harness) {
    for first in [FirstAsked::WhileAway, FirstAsked::OnceBack] {
        tails_through_an_outage(harness, first).await;
    }
}

pub async fn a_tail_that_waits_through_an_outage_breaks_or_goes_on_without_a_gap(
    harness: &dyn Harness,
) {
    tails_through_an_outage(harness, FirstAsked::Before).await;
}

/// When a tail is first asked for a batch.
#[derive(Clone, Copy)]
enum FirstAsked {
    Before,
    WhileAway,
    OnceBack,
}

/// Follows a log that goes away and comes back.
async fn tails_through_an_outage(harness: &dyn Harness, first: FirstAsked) {
    let space = Space::fresh(harness);
    space.put("before", "value").await;
    let mut mirror = Mirror::open(&space).await;
    let outage = Outage::default();
    let follow = async {
        match first {
            FirstAsked::Before => {}
            FirstAsked::WhileAway => outage.begun.notified().await,
            FirstAsked::OnceBack => outage.over.notified().await,
        }
        outage.follow(&mut mirror, &space).await;
    };
    let both = async { tokio::join!(follow, outage.run(harness, &space)) };
    in_bounded_time("the tail", both).await;
    assert_eq!(mirror.records, space.records().await);
}

/// An outage, and what its two sides tell each other.
#[derive(Default)]
struct Outage {
    begun: Notify,
    over: Notify,
    /// The tail has broken.
    noticed: Notify,
    /// What was written afterwards.
    written: watch::Sender<Option<Position>>,
}

impl Outage {
    /// Takes the log away until that is noticed, then writes what a tail must not miss.
    async fn run(&self, harness: &dyn Harness, space: &Space) {
        harness.set_reachable(false).await;
        self.begun.notify_one();
        // A tail may also go on as if nothing had been.
        let _ = timeout(AWAY, self.noticed.notified()).await;
        harness.set_reachable(true).await;
        self.over.notify_one();
        when_found(space).await;
        space.put("after", "1").await;
        space.put("after", "2").await;
        space.put("last", "value").await;
        let last = space.delete("before").await;
        self.written.send_replace(Some(last));
    }

    /// Follows until everything written was seen, through every break: each says `Unavailable`.
    async fn follow(&self, mirror: &mut Mirror, space: &Space) {
        let mut written = self.written.subscribe();
        loop {
            let last = *written.borrow_and_update();
            if last.is_some_and(|last| mirror.position.covers(last)) {
                return;
            }
            let step = tokio::select! {
                biased;
                Ok(()) = written.changed() => continue,
                step = mirror.step_at_leisure() => step,
            };
            if let Err(error) = step {
                self.noticed.notify_one();
                resume(mirror, space, error).await;
            }
            // A log that is busy telling is no reason to starve the other side.
            tokio::task::yield_now().await;
        }
    }
}

/// Opens another tail where one broke, as soon as there is one.
async fn resume(mirror: &mut Mirror, space: &Space, mut error: Error) {
    loop {
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
        match mirror.reopen(space).await {
            Ok(()) => return,
            Err(again) => error = again,
        }
        tokio::time::sleep(AGAIN).await;
    }
}

pub async fn an_outage_is_not_the_end_of_a_lease(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    if !space.capabilities().leases {
        return;
    }
    let lease = soon("a lease", space.log.grant(10 * OUTAGE));
    let lease = lease.await.unwrap();
    let leased = Transaction::new().put_leased(&space.keyspace, "key", "value", lease.id);
    space.commit(leased).await;
    let is_away = harness.set_reachable(false).await;
    let renewed = in_bounded_time("a renewal", space.log.renew(lease)).await;
    harness.set_reachable(true).await;
    match renewed {
        Ok(_) => assert!(!is_away, "a log that is away answered"),
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}"),
    }
    when_found(&space).await;
    let renewed = soon("a renewal", space.log.renew(lease)).await;
    renewed.expect("its time was not over");
    assert_eq!(space.record("key").await.unwrap().lease, Some(lease.id));
}

pub async fn a_log_taken_away_between_pages_leaves_no_short_snapshot(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.fill(1500).await;
    let snapshot = soon("a snapshot", space.log.snapshot(&space.keyspace)).await;
    let mut snapshot = snapshot.unwrap();
    let mut records = soon("a page", snapshot.next_page()).await.unwrap().unwrap();
    harness.set_reachable(false).await;
    let outcome = loop {
        match in_bounded_time("a page", snapshot.next_page()).await {
            Ok(Some(page)) => records.extend(page),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    harness.set_reachable(true).await;
    match outcome {
        Ok(()) => assert_eq!(records.len(), 1500, "a short snapshot"),
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}"),
    }
    // What broke off stays so, although the log is back.
    assert_eq!(soon("the end", snapshot.next_page()).await.unwrap(), None);
    when_found(&space).await;
    assert_eq!(space.records().await.len(), 1500);
}

pub async fn a_commit_is_answered_within_its_timeout(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let put = |key: &'static str, timeout| {
        let put = Transaction::new().put(&space.keyspace, key, "value");
        put.taking_at_most(timeout)
    };
    space.commit(put("well", PATIENCE)).await;
    let is_away = harness.set_reachable(false).await;
    let mut unavailable = Vec::new();
    for key in ["a", "b", "c"] {
        let asked = Instant::now();
        let outcome = in_bounded_time("a commit", space.log.commit(put(key, TIMEOUT))).await;
        let took = asked.elapsed();
        assert!(took < TIMEOUT + SLACK, "it was answered after {took:?}");
        match outcome {
            Ok(_) => assert!(!is_away, "a log that is away answered"),
            Err(error) if error.kind() == &ErrorKind::Unavailable => unavailable.push(key),
            Err(error) => assert_eq!(error.kind(), &ErrorKind::Indeterminate, "{error}"),
        }
    }
    harness.set_reachable(true).await;
    when_found(&space).await;
    space.put("later", "value").await;
    let records = space.records().await;
    for key in unavailable {
        let there = records.contains_key(key.as_bytes());
        assert!(!there, "{key} was called unavailable, and it was written");
    }
}

pub async fn why_the_log_is_away_is_told_while_a_call_still_tries(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let (log, keyspace) = (&space.log, &space.keyspace);
    space.head().await;
    assert!(log.last_failure().is_none(), "it was just reached");
    harness.set_reachable(false).await;
    let asked = Instant::now();
    let mut told = None;
    let mut call = pin!(log.head(keyspace));
    let answered = async {
        loop {
            tokio::select! {
                biased;
                head = &mut call => break head,
                () = tokio::time::sleep(AGAIN) => told = told.take().or(log.last_failure()),
            }
        }
    };
    let outcome = in_bounded_time("head", answered).await;
    let tries_again = asked.elapsed() > AT_ONCE;
    harness.set_reachable(true).await;
    if outcome.is_err() && tries_again {
        assert!(told.is_some(), "it tried for long, and nobody was told why");
    }
    for error in told.iter().chain(outcome.as_ref().err()) {
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
    }
    when_found(&space).await;
    assert!(log.last_failure().is_none(), "it was reached again");
}

pub async fn a_status_names_the_log_and_says_why_it_is_away(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let (log, keyspace) = (&space.log, &space.keyspace);
    space.head().await;
    let well = log.status();
    assert_eq!(well.name, log.capabilities().name);
    assert_eq!(well.last_failure, None, "it was just reached");
    harness.set_reachable(false).await;
    let outcome = in_bounded_time("head", log.head(keyspace)).await;
    let reason = || log.last_failure().map(|error| error.to_string());
    // It may be tried again in between.
    let (before, status, after) = (reason(), log.status(), reason());
    harness.set_reachable(true).await;
    drop(outcome);
    assert_eq!(status.name, well.name);
    let told = status.last_failure;
    assert!([before, after].contains(&told), "it says {told:?}");
    when_found(&space).await;
    assert_eq!(log.status().last_failure, None, "it was reached again");
}

pub async fn a_commit_whose_reply_was_lost_is_never_a_plain_failure(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let deaf = Space {
        log: harness.deaf().await.unwrap_or_else(|| harness.log()),
        keyspace: space.keyspace.clone(),
    };
    for round in 0..3 {
        let key = format!("key-{round}");
        let create = Transaction::new()
            .when(&deaf.keyspace, key.clone(), Precondition::Absent)
            .put(&deaf.keyspace, key.clone(), "value");
        let outcome = in_bounded_time("a commit", deaf.log.commit(create)).await;
        let record = space.records().await.remove(key.as_bytes());
        match outcome {
            Ok(position) => assert_eq!(record.map(|r| r.modified), Some(position.revision)),
            Err(error) if error.kind() == &ErrorKind::Indeterminate => {}
            Err(error) => assert_eq!(record, None, "it was written, and it said: {error}"),
        }
    }
}

pub async fn what_only_a_person_can_mend_is_denied(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    space.put("key", "value").await;
    let Some(stranger) = harness.stranger().await else {
        return;
    };
    let stranger = Space {
        log: stranger,
        keyspace: space.keyspace.clone(),
    };
    let (log, keyspace) = (&stranger.log, &stranger.keyspace);
    let pages = async { log.snapshot(keyspace).await?.collect().await };
    let put = Transaction::new().put(keyspace, "key", "stolen");
    if log.capabilities().differences {
        let known = Known::of(&space).await;
        let error = known.ask(&stranger).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
    }
    for error in [
        soon("head", log.head(keyspace)).await.unwrap_err(),
        soon("a snapshot", pages).await.unwrap_err(),
        soon("a commit", log.commit(put)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), &ErrorKind::Denied, "{error}");
    }
    assert_eq!(space.record("key").await.unwrap().value, "value");
}

pub async fn a_wiped_log_is_in_another_epoch(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let before = space.put("key", "value").await;
    let mut mirror = Mirror::open(&space).await;
    if !harness.wipe().await {
        let strange = space.tail(of_another_life(before)).await;
        assert_eq!(refusal(strange).await, ErrorKind::EpochChanged);
        return;
    }
    let head = when_found(&space).await;
    assert_ne!(
        head.epoch, before.epoch,
        "the new log was taken for the old one"
    );
    // Its numbers pass those of the old one, and still nothing of it may be taken for what came next there.
    while space.put("key", "of another life").await.revision <= before.revision {}
    let followed = in_bounded_time("the end of the old tail", mirror.step()).await;
    assert!(followed.is_err(), "it followed silently: {followed:?}");
    let tail = space.tail(before).await;
    assert_eq!(refusal(tail).await, ErrorKind::EpochChanged);
    let mut mirror = Mirror::open(&space).await;
    assert_eq!(mirror.records[&b"key"[..]].value, "of another life");
    let written = space.delete("key").await;
    assert_eq!(mirror.next().await.revision, written.revision);
}
