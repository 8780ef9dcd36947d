//! What a status tells an operator: since when there is trouble, why the last snapshot was taken, and all of it as JSON.
//!
//! Time is paused: the tests wait for conditions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use globe::{Globe, LogClient, MemoryLog, Phase, ResyncReason};
use rig::{fresh, numbers, until, within};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn trouble_is_counted_from_its_beginning_until_all_is_well() {
    let (log, map) = fresh().await;
    assert_eq!(map.status().failing_for, None);
    log.set_available(false);
    until("it fails", || map.status().failing_for.is_some()).await;
    let (begun, failing) = (Instant::now(), map.status().failing_for.unwrap());
    sleep(30 * SECOND).await;
    let status = map.status();
    assert_eq!(status.failing_for, Some(failing + begun.elapsed()));
    assert!(status.last_error.is_some() && status.phase == Phase::Stale);
    log.set_available(true);
    until("all is well", || map.status().last_error.is_none()).await;
    let status = map.status();
    assert_eq!((status.failing_for, status.failures), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_the_last_snapshot_is_told_but_not_of_the_first() {
    let (log, map) = fresh().await;
    assert_eq!((map.status().resyncs, map.status().last_resync), (0, None));
    log.wipe();
    until("it resyncs", || map.status().resyncs == 1).await;
    assert_eq!(map.status().last_resync, Some(ResyncReason::EpochChanged));
}

#[tokio::test(start_paused = true)]
async fn a_status_of_a_closed_map_is_json_without_a_value() {
    let map = numbers(&MemoryLog::new()).await;
    map.put("a", 4_711).await.unwrap();
    within("it is closed", map.close()).await;
    let json = serde_json::to_value(map.status()).unwrap();
    assert_eq!(
        (&json["phase"], &json["entries"]),
        (&"closed".into(), &1.into())
    );
    assert_eq!(json["position"], map.position().unwrap().to_string());
    assert!(!json.to_string().contains("4711"), "{json}");
}

#[tokio::test]
async fn a_shared_log_is_not_wrapped_once_more() {
    let log: Arc<dyn LogClient> = Arc::new(MemoryLog::new());
    let map: Globe<String, u64> = Globe::open(Arc::clone(&log), "numbers").await.unwrap();
    assert!(Arc::ptr_eq(map.log(), &log));
    let own: Globe<String, u64> = Globe::open(MemoryLog::new(), "numbers").await.unwrap();
    assert!(!Arc::ptr_eq(own.log(), &log));
}
