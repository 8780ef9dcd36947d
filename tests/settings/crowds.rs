//! Many records, many settings, many processes.

use globe::MemoryLog;

use crate::rig::{until, write_many};
use crate::{SPACE, history, limit, one, put, recorded, settings, shows};

/// What others keep there costs a process its memory, and changes nothing of its own.
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_records_of_others_change_nothing() {
    let (log, limit) = one().await;
    for thousand in 0..100 {
        let records = (0..1_000).map(|number| (format!("other-{thousand}/host:{number}"), "1"));
        for chunk in records.collect::<Vec<_>>().chunks(100) {
            write_many(&log, SPACE, chunk.iter().cloned()).await;
        }
    }
    limit.publish("global", 7).await.unwrap();
    assert_eq!(*limit.get(), 7);
    let late = crate::limit(&settings(&log, "web-8").await);
    assert_eq!(*late.get(), 7);
    assert_eq!(history(&late, "global"), [Some(7)]);
}

#[tokio::test(start_paused = true)]
async fn a_change_asks_only_the_setting_it_is_of() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let asked: Arc<AtomicUsize> = Arc::default();
    let mut all = Vec::new();
    for number in 0..300 {
        let asked = Arc::clone(&asked);
        let check = move |_: &u64| {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        all.push(
            settings
                .declare(&format!("s{number}"), 0_u64)
                .check(check)
                .open()
                .unwrap(),
        );
    }
    asked.store(0, Ordering::Relaxed);
    crate::rig::write_raw(&log, SPACE, "s7/global", "1").await;
    shows(&all[7], 1).await;
    crate::a_while().await;
    // When it came, and when it was put into the history.
    assert!(asked.load(Ordering::Relaxed) <= 4, "{asked:?}");
}

/// All see what was put by hand, and all would put it into the history.
#[tokio::test(start_paused = true)]
async fn two_hundred_processes_put_it_into_the_history_once_and_few_try() {
    let log = MemoryLog::new();
    let mut fleet = Vec::new();
    for number in 0..200 {
        fleet.push(limit(&settings(&log, &format!("web-{number}")).await));
    }
    let before = log.head_position().revision.0;
    put(&log, "global", "7").await;
    until("all show it", || {
        fleet.iter().all(|limit| *limit.get() == 7)
    })
    .await;
    crate::a_while().await;
    assert_eq!(recorded(&log).await, 1);
    assert_eq!(log.head_position().revision.0 - before, 2);
    fleet[0].publish("global", 8).await.unwrap();
    until("all show it", || {
        fleet.iter().all(|limit| *limit.get() == 8)
    })
    .await;
}

/// From many threads, while it changes: never back, never torn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_many_threads_never_go_back() {
    let (_log, limit) = one().await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|number| {
            let (limit, stop) = (limit.clone(), std::sync::Arc::clone(&stop));
            std::thread::spawn(move || {
                let (mut cached, mut last) = (limit.cached(), 0);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let now = if number % 2 == 0 {
                        *limit.get()
                    } else {
                        *cached.get()
                    };
                    assert!(now >= last || last == 100, "{now} after {last}");
                    last = now;
                }
                last
            })
        })
        .collect();
    for value in 101..300 {
        limit.publish("global", value).await.unwrap();
        assert_eq!(*limit.get(), value);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().unwrap() >= 100);
    }
}
