//! A proof may be an answer that another map of the same log was given a moment ago: it is never taken for more.
//!
//! Time is paused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe::log_client::RecentHead;
use globe::{LogClient, MemoryLog, Position, Revision};
use globe_faulty::{Fault, Faults, FaultyLog};
use rig::{Around, brisk, keyspace, until, write_raw};
use tokio::time::{Instant, sleep};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Where the log was, at each time it was asked.
type Heads = Arc<Mutex<VecDeque<(Instant, Position)>>>;

/// Lets the maps around `around` hear of the oldest head that is recent enough.
fn answer_as_late_as_allowed(around: &Around, heads: &Heads) {
    let heads = Arc::clone(heads);
    around.answer_recently(move |age| {
        let heads = heads.lock().unwrap();
        let recent = heads.iter().find(|(asked, _)| asked.elapsed() <= age);
        let (asked, position) = recent.or(heads.back()).unwrap();
        RecentHead::new(*position, asked.elapsed())
    });
}

#[tokio::test(start_paused = true)]
async fn an_answer_older_than_the_last_commits_is_no_rollback_and_proves_no_more_than_it_says() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = brisk(&around).await;
    let heads = Heads::default();
    for number in 0..20_u64 {
        let head = write_raw(&log, "numbers", "a", number.to_string()).await;
        heads.lock().unwrap().push_back((Instant::now(), head));
        sleep(MILLISECOND).await;
    }
    answer_as_late_as_allowed(&around, &heads);
    let begun = Instant::now();
    for number in 0..2000_u64 {
        let head = write_raw(&log, "numbers", "a", number.to_string()).await;
        heads.lock().unwrap().push_back((Instant::now(), head));
        sleep(MILLISECOND).await;
        if begun.elapsed() > 200 * MILLISECOND {
            let staleness = map.status().staleness.unwrap();
            let bounds = 20 * MILLISECOND..=60 * MILLISECOND;
            assert!(bounds.contains(&staleness), "{staleness:?}");
        }
    }
    let status = map.status();
    assert_eq!((status.resyncs, status.violations), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_seen_by_an_answer_given_to_another() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = brisk(&around).await;
    let head = write_raw(&log, "numbers", "a", b"1").await;
    until("it is here", || map.len() == 1).await;
    sleep(200 * MILLISECOND).await;
    let below = Position::new(head.epoch, Revision(head.revision.0 - 1));
    around.answer_recently(move |age| RecentHead::new(below, age));
    until("a snapshot was taken", || map.status().resyncs > 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_faulty_log_passes_on_how_old_an_answer_is_and_may_take_it_back() {
    let log = MemoryLog::new();
    write_raw(&log, "numbers", "a", b"1").await;
    let head = write_raw(&log, "numbers", "a", b"2").await;
    let around = Around::new(&log);
    let recent = RecentHead::new(head, 7 * MILLISECOND);
    around.answer_recently(move |_| recent);
    let faulty = FaultyLog::builder(around).faults(Faults::none()).build();
    let space = keyspace("numbers");
    let ask = async || {
        let answer = faulty.recent_head(&space, 10 * MILLISECOND);
        answer.await.unwrap()
    };
    assert_eq!(ask().await, recent);
    faulty.set_faults(Faults::none().with(Fault::StaleHead, 1.0));
    let stale = ask().await;
    assert!(stale.position.revision < head.revision, "{stale:?}");
    assert_eq!(stale.age, recent.age);
}
