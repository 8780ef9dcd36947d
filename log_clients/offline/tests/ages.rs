//! A copy says how old it is at most, and by that it is decided what may be begun with it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use globe_log_client::LogClient;
use globe_memory::MemoryLog;
use globe_offline::{OfflineCopy, RecordedLog, Start};
use rig::counted::Counted;
use rig::{Follower, Rig, flags, put};
use tokio::time::Instant;

/// Moments are kept in milliseconds, of two clocks.
const ROUNDED: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_the_copy_has_reached_makes_it_younger_and_one_ahead_does_not() {
    let rig = Rig::new();
    rig.commit(put("key", "1")).await;
    let log = rig.recorded();
    let mut follower = Follower::start(&log).await;
    log.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ahead = rig.commit(put("key", "2")).await;
    let asked = Instant::now();
    log.head(&flags()).await.unwrap();
    log.flush().await.unwrap();
    assert!(rig.copy().await.age.unwrap() >= Duration::from_millis(300));
    tokio::time::sleep(Duration::from_millis(200)).await;
    follower.reach(ahead).await;
    log.flush().await.unwrap();
    // As old as the question for that head, though more was read later.
    let age = rig.copy().await.age.unwrap();
    assert!(age >= Duration::from_millis(200), "{age:?}");
    assert!(age <= asked.elapsed() + ROUNDED, "{age:?}");
    let asked = Instant::now();
    log.recent_head(&flags(), Duration::ZERO).await.unwrap();
    log.flush().await.unwrap();
    assert!(rig.copy().await.age.unwrap() <= asked.elapsed() + ROUNDED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_was_old_when_it_was_told_makes_it_no_younger_than_that() {
    let rig = Rig::new();
    let mut inner = Counted::new(rig.memory.clone());
    inner.age = Duration::from_secs(7);
    let log = RecordedLog::new(Arc::new(inner), &flags(), &rig.offline()).unwrap();
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let age = async || {
        log.flush().await.unwrap();
        rig.copy().await.age.unwrap().as_secs()
    };
    assert!(age().await < 7);
    log.recent_head(&flags(), Duration::from_secs(9))
        .await
        .unwrap();
    assert!(age().await >= 7);
    log.head(&flags()).await.unwrap();
    assert!(age().await < 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_proves_nothing_makes_it_no_younger() {
    let mut capabilities = MemoryLog::new().capabilities();
    capabilities.linearizable_head = false;
    let mut rig = Rig::new();
    rig.memory = MemoryLog::builder().capabilities(capabilities).build();
    let log = rig.recorded();
    Follower::start(&log).await;
    log.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    log.head(&flags()).await.unwrap();
    log.recent_head(&flags(), Duration::ZERO).await.unwrap();
    log.flush().await.unwrap();
    assert!(rig.copy().await.age.unwrap() >= Duration::from_millis(300));
}

#[tokio::test]
async fn what_may_be_begun_with_is_decided_by_age() {
    let rig = Rig::new();
    let log = rig.recorded();
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let mut copy: OfflineCopy = rig.copy().await;
    let max_age = Duration::from_secs(60);
    let starts = [
        Start::RequireLive,
        Start::AllowStale { max_age },
        Start::AllowAny,
    ];
    let allowed = |copy: &OfflineCopy| starts.map(|start| rig.offline().start(start).allows(copy));
    for (age, expected) in [
        (Some(Duration::ZERO), [false, true, true]),
        (Some(max_age), [false, true, true]),
        (
            Some(max_age + Duration::from_millis(1)),
            [false, false, true],
        ),
        (None, [false, false, true]),
    ] {
        copy.age = age;
        assert_eq!(allowed(&copy), expected, "{age:?}");
    }
    assert!(rig.offline().allows(&copy), "any age, if nothing is set");
}
