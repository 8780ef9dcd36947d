//! Watches, reactions and bindings: what they are told, and what becomes of theirs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use globe::MemoryLog;
use globe::settings::Setting;

use crate::rig::{until, within};
use crate::{limit, one, put, settings, shows};

type Heard = Arc<Mutex<Vec<(u64, u64)>>>;

fn hear(limit: &Setting<u64>) -> (Heard, globe::settings::Subscription) {
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    let subscription = limit.on_change(move |old, new| kept.lock().unwrap().push((*old, *new)));
    (heard, subscription)
}

#[tokio::test(start_paused = true)]
async fn a_watch_shows_each_difference_and_nothing_that_is_none() {
    let (log, limit) = one().await;
    let mut watch = limit.watch();
    limit.publish("global", 1).await.unwrap();
    let (old, new) = within("it changes", watch.next()).await.unwrap();
    assert_eq!((*old, *new), (100, 1));
    // Another layer says the same: nothing has changed but the source.
    limit.publish("region:eu", 1).await.unwrap();
    assert_eq!(limit.get().source().layer(), Some("region:eu"));
    put(&log, "region:eu", "nonsense").await;
    limit.publish("region:us", 7).await.unwrap();
    crate::a_while().await;
    let more = tokio::time::timeout(std::time::Duration::from_secs(1), watch.next());
    assert!(more.await.is_err(), "what is the same is shown");
    limit.publish("region:eu", 2).await.unwrap();
    limit.publish("region:eu", 3).await.unwrap();
    let (old, new) = within("it changes", watch.next()).await.unwrap();
    assert_eq!((*old, *new), (1, 3), "what came and went is not shown");
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_the_settings_and_not_before() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let mut watch = limit(&settings).watch();
    // Only the watch is left of the setting.
    put(&log, "global", "5").await;
    let (_, new) = within("it changes", watch.next()).await.unwrap();
    assert_eq!(*new, 5);
    settings.close().await;
    assert!(within("it ends", watch.next()).await.is_none());
    let limit = limit(&settings);
    assert_eq!(*limit.get(), 5);
    assert!(within("it ends", limit.watch().next()).await.is_none());
    crate::rig::fails_with(limit.publish("global", 6).await, globe::ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_reaction_is_called_in_order_until_it_is_dropped() {
    let (log, limit) = one().await;
    let (heard, subscription) = hear(&limit);
    for value in ["1", "2", "3"] {
        put(&log, "global", value).await;
        shows(&limit, value.parse().unwrap()).await;
        until("it is heard", || {
            heard.lock().unwrap().len().to_string() == *value
        })
        .await;
    }
    assert_eq!(*heard.lock().unwrap(), [(100, 1), (1, 2), (2, 3)]);
    drop(subscription);
    limit.publish("global", 4).await.unwrap();
    crate::a_while().await;
    assert_eq!(heard.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reaction_that_panics_ends_alone() {
    let (_log, limit) = one().await;
    let bad = limit.on_change(|_, _| panic!("on purpose"));
    let (heard, _subscription) = hear(&limit);
    limit.publish("global", 1).await.unwrap();
    limit.publish("global", 2).await.unwrap();
    until("it is heard", || {
        heard
            .lock()
            .unwrap()
            .last()
            .is_some_and(|(_, new)| *new == 2)
    })
    .await;
    until("it is told", || !limit.problems().is_empty()).await;
    assert!(
        limit.problems()[0].why.contains("panicked"),
        "{:?}",
        limit.problems()
    );
    drop(bad);
    assert!(limit.problems().is_empty(), "{:?}", limit.problems());
    assert_eq!(*limit.get(), 2);
}

/// What is applied: a pool that takes no odd sizes, and how often it was asked.
#[derive(Default)]
struct Pool {
    size: AtomicU64,
    asked: AtomicU64,
}

fn bind(limit: &Setting<u64>, pool: &Arc<Pool>) -> globe::settings::Binding {
    let pool = Arc::clone(pool);
    limit.bind(
        |limit| limit / 10,
        move |size| {
            pool.asked.fetch_add(1, Ordering::Relaxed);
            match size % 2 {
                0 => pool.size.store(*size, Ordering::Relaxed),
                _ if *size > 90 => panic!("on purpose"),
                _ => return Err(format!("the pool takes no {size}")),
            }
            Ok(())
        },
    )
}

#[tokio::test(start_paused = true)]
async fn a_binding_applies_at_once_and_whenever_its_part_has_changed() {
    let (_log, limit) = one().await;
    let pool = Arc::new(Pool::default());
    let binding = bind(&limit, &pool);
    let stands = || {
        (
            pool.size.load(Ordering::Relaxed),
            pool.asked.load(Ordering::Relaxed),
        )
    };
    assert_eq!(stands(), (10, 1), "before it returned");
    for value in [105, 109, 201, 209] {
        limit.publish("global", value).await.unwrap();
        crate::a_while().await;
    }
    assert_eq!(stands(), (20, 2));
    drop(binding);
    limit.publish("global", 409).await.unwrap();
    crate::a_while().await;
    assert_eq!(stands(), (20, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_binding_refuses_stands_in_the_problems_until_it_takes_one() {
    let (_log, limit) = one().await;
    let pool = Arc::new(Pool::default());
    let binding = bind(&limit, &pool);
    limit.publish("global", 30).await.unwrap();
    until("it is told", || !limit.problems().is_empty()).await;
    let problem = &limit.problems()[0];
    assert_eq!(
        (problem.at.as_str(), problem.why.as_str()),
        ("binding", "the pool takes no 3")
    );
    // It is tried again with every change, also where the part is the same.
    limit.publish("global", 31).await.unwrap();
    until("it is asked", || pool.asked.load(Ordering::Relaxed) == 3).await;
    limit.publish("global", 40).await.unwrap();
    until("nothing is wrong", || limit.problems().is_empty()).await;
    limit.publish("global", 999).await.unwrap();
    until("it is told", || !limit.problems().is_empty()).await;
    assert!(
        limit.problems()[0].why.contains("panicked"),
        "{:?}",
        limit.problems()
    );
    limit.publish("global", 60).await.unwrap();
    until("nothing is wrong", || limit.problems().is_empty()).await;
    limit.publish("global", 70).await.unwrap();
    until("it is told", || !limit.problems().is_empty()).await;
    drop(binding);
    assert!(limit.problems().is_empty());
}
