//! A line that freezes: nothing passes, nothing is refused, and what was held may arrive long after it was given up.
//!
//! Never waits for a line to break: it is the client that has to know when to stop.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::harness::{Harness, Line};
use super::known::{Known, rest};
use super::space::{Space, in_bounded_time, soon};
use crate::error::{Error, ErrorKind};
use crate::record::Record;
use crate::transaction::{Precondition, Transaction};

/// How long a commit may take.
const TIMEOUT: Duration = Duration::from_millis(500);

/// How much later its answer may be on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

/// A fresh keyspace through a client whose line can freeze, and the same through one whose cannot. Where there is no such
/// line, both are the client under test.
async fn both_ways(harness: &dyn Harness) -> (Space, Space) {
    let straight = Space::fresh(harness);
    let frail = Space {
        log: harness.frail().await.unwrap_or_else(|| harness.log()),
        keyspace: straight.keyspace.clone(),
    };
    (frail, straight)
}

pub async fn a_page_that_hangs_ends_the_snapshot_in_bounded_time(harness: &dyn Harness) {
    let (frail, straight) = both_ways(harness).await;
    straight.fill(1500).await;
    let snapshot = soon("a snapshot", frail.log.snapshot(&frail.keyspace)).await;
    let mut snapshot = snapshot.unwrap();
    let mut records = soon("a page", snapshot.next_page()).await.unwrap().unwrap();
    harness.set_line(Line::Frozen).await;
    let outcome = loop {
        match in_bounded_time("a page", snapshot.next_page()).await {
            Ok(Some(page)) => records.extend(page),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let end = in_bounded_time("the end", snapshot.next_page()).await;
    assert_eq!(end.unwrap(), None);
    harness.set_line(Line::Well).await;
    match outcome {
        Ok(()) => assert_eq!(records.len(), 1500, "a short snapshot"),
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}"),
    }
    let again = in_bounded_time("another snapshot", when_read(&frail)).await;
    assert_eq!(again.len(), 1500);
}

pub async fn a_page_that_hangs_ends_the_difference_in_bounded_time(harness: &dyn Harness) {
    let (frail, straight) = both_ways(harness).await;
    if !frail.capabilities().differences {
        return;
    }
    straight.fill(1000).await;
    let mut known = Known::of(&straight).await;
    straight.fill(1500).await;
    let mut difference = known.ask(&frail).await.unwrap();
    let page = soon("a page", difference.next_page()).await;
    let mut changes = page.unwrap().unwrap();
    harness.set_line(Line::Frozen).await;
    let outcome = rest(&mut difference, &mut changes).await;
    let end = in_bounded_time("the end", difference.next_page()).await;
    assert_eq!(end.unwrap(), None);
    harness.set_line(Line::Well).await;
    match outcome {
        Ok(()) => assert_eq!(changes.len(), 1500, "a short difference"),
        Err(error) => assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}"),
    }
    assert_eq!(known.catch_up(&straight).await, 1500);
}

/// Takes snapshots until one is whole: a line that was frozen may break once more.
async fn when_read(space: &Space) -> Vec<Record> {
    loop {
        let pages = async { space.log.snapshot(&space.keyspace).await?.collect().await };
        match pages.await {
            Ok(records) => return records,
            Err(error) => assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn a_commit_on_a_frozen_line_is_answered_within_its_timeout(harness: &dyn Harness) {
    let (frail, straight) = both_ways(harness).await;
    frail.put("key", "value").await;
    harness.set_line(Line::Frozen).await;
    let asked = Instant::now();
    let outcome = in_bounded_time("a commit", frail.log.commit(create(&frail, "held"))).await;
    let took = asked.elapsed();
    harness.set_line(Line::Well).await;
    assert!(took < TIMEOUT + SLACK, "it was answered after {took:?}");
    in_bounded_time("a later commit", acknowledged(&frail)).await;
    let is_there = keys(&straight).await.contains("held");
    match outcome {
        Ok(_) => assert!(is_there),
        Err(error) => {
            is_honest(&error);
            let nothing = error.kind() == &ErrorKind::Unavailable;
            assert!(
                !nothing || !is_there,
                "it was written, and it said: {error}"
            );
        }
    }
}

/// Whatever becomes of a commit nobody waits for any more, once a later one was acknowledged it is decided.
pub async fn a_commit_that_was_given_up_never_lands_after_a_later_one(harness: &dyn Harness) {
    let (frail, straight) = both_ways(harness).await;
    frail.put("first", "value").await;
    let mut given_up = BTreeSet::new();
    for round in 0..4 {
        let key = format!("late-{round}");
        harness.set_line(Line::Frozen).await;
        give_up(&frail, &key, round % 2 == 0).await;
        harness.set_line(Line::Renewed).await;
        if !frail.capabilities().fenced {
            // It may land whenever it likes: there is nothing to see.
            return harness.set_line(Line::Well).await;
        }
        in_bounded_time("a later commit", acknowledged(&frail)).await;
        // Its precondition holds from now on, so only the log's fence is in the way of a late copy.
        straight.delete(key.clone()).await;
        given_up.insert(key);
        harness.set_line(Line::Well).await;
    }
    for _ in 0..20 {
        in_bounded_time("one more commit", acknowledged(&frail)).await;
        let there = keys(&straight).await;
        let late: Vec<_> = there.intersection(&given_up).collect();
        assert!(late.is_empty(), "{late:?} landed after a later commit");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn create(space: &Space, key: &str) -> Transaction {
    let create = Transaction::new().when(&space.keyspace, key.to_owned(), Precondition::Absent);
    let create = create.put(&space.keyspace, key.to_owned(), "value");
    create.taking_at_most(TIMEOUT)
}

/// Commits on a frozen line, and drops the future or waits for the answer that nobody knows.
async fn give_up(space: &Space, key: &str, is_dropped: bool) {
    let commit = space.log.commit(create(space, key));
    let outcome = match is_dropped {
        true => timeout(TIMEOUT / 2, commit)
            .await
            .unwrap_or_else(|_| Ok(Default::default())),
        false => in_bounded_time("a commit", commit).await,
    };
    if let Err(error) = outcome {
        is_honest(&error);
    }
}

fn is_honest(error: &Error) {
    let says_so = matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Indeterminate
    );
    assert!(says_so, "{error}");
}

/// Commits again and again until one is acknowledged.
async fn acknowledged(space: &Space) {
    let later = || Transaction::new().put(&space.keyspace, "later", "value");
    while let Err(error) = space.log.commit(later()).await {
        is_honest(&error);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn keys(space: &Space) -> BTreeSet<String> {
    let keys = space.records().await.into_keys();
    keys.map(|key| String::from_utf8(key.to_vec()).unwrap())
        .collect()
}
