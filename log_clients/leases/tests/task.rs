//! The task that sweeps: when it begins, and when it ends.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use globe_leases::LeasedLog;
use globe_log_client::LogClient;
use globe_memory::MemoryLog;
use rig::{TTL, bare, client, join, members, ms, swept};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_clone() {
    let inner = Arc::new(bare());
    let here = LeasedLog::new(Arc::clone(&inner)).unwrap();
    let clone = here.clone();
    let lease = here.grant(TTL).await.unwrap();
    join(&here, "web-7", lease).await.unwrap();
    sleep(ms(1)).await;
    drop(here);
    sleep(ms(1)).await;
    assert!(Arc::strong_count(&inner) > 1, "a clone still needs it");
    drop(clone);
    let gone = async {
        while Arc::strong_count(&inner) > 1 {
            sleep(ms(1)).await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.unwrap();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn a_call_on_another_runtime_begins_another_task() {
    let log = bare();
    let here = client(&log);
    let first = runtime();
    let lease = first.block_on(async {
        let lease = here.grant(ms(100)).await.unwrap();
        join(&here, "web-7", lease).await.unwrap();
        lease
    });
    drop(first);
    let second = runtime();
    second.block_on(async {
        assert_eq!(here.renew(lease).await.unwrap(), lease);
        swept(&log).await;
    });
}

#[test]
fn without_a_runtime_a_call_is_answered_all_the_same() {
    let log = bare();
    let here = client(&log);
    let keyspace = members();
    let mut head = here.head(&keyspace);
    let polled = head.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(_))), "{polled:?}");
    drop(head);
    runtime().block_on(async {
        let lease = here.grant(ms(10)).await.unwrap();
        join(&here, "web-7", lease).await.unwrap();
        swept(&log).await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_log_with_leases_keeps_its_own() {
    let memory = MemoryLog::new();
    let around = LeasedLog::new(memory.clone()).unwrap();
    assert_eq!(around.capabilities(), memory.capabilities());
    let lease = around.grant(TTL).await.unwrap();
    memory.renew(lease).await.unwrap();
    join(&around, "web-7", lease).await.unwrap();
    around.revoke(lease.id).await.unwrap();
    assert!(rig::records(&memory, &rig::leases()).await.is_empty());
    swept(&memory).await;
}
