//! Types, closures and wakers that panic or lie: they harm only themselves.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use futures::FutureExt;
use globe::registry::{Member, Pick};
use globe::{MemoryLog, Registry, Session};
use serde::{Deserialize, Serialize};

use crate::rig::{until, within, write_raw};
use crate::{SERVICE, two};

#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_harms_only_itself() {
    let (_log, one, _other) = two().await;
    let mine = one.register(Member::new("a", 80)).await;
    let panics = mine.set(|_| panic!("it panics"));
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    mine.set(|me| me.weight = 7).await.unwrap();
    assert_eq!(one.registry.members(SERVICE).get("a").unwrap().weight, 7);
}

/// One that panics while it is compared, once it is told to.
#[derive(Deserialize)]
struct Touchy(u16);

static IS_TOUCHED: AtomicBool = AtomicBool::new(false);

impl Serialize for Touchy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!IS_TOUCHED.load(Ordering::Relaxed), "it panics");
        serializer.serialize_u16(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_panics_when_it_is_compared_is_taken_for_other_data() {
    let log = MemoryLog::new();
    let registry: Registry<Touchy> = Registry::open(log.clone(), "services").await.unwrap();
    let picker = registry.picker(SERVICE, Pick::RoundRobin);
    write_raw(&log, "services", "billing/a", br#"{"data":1}"#).await;
    within("it is there", picker.ready()).await.unwrap();
    IS_TOUCHED.store(true, Ordering::Relaxed);
    for (number, data) in [(1, 2), (2, 2), (3, 3)] {
        write_raw(
            &log,
            "services",
            "billing/a",
            format!(r#"{{"data":{data}}}"#),
        )
        .await;
        write_raw(
            &log,
            "services",
            &format!("billing/b{number}"),
            br#"{"data":1}"#,
        )
        .await;
        until("it is listed", || {
            let members = registry.members(SERVICE);
            members.len() == 1 + number && members.get("a").is_some_and(|a| a.data.0 == data)
        })
        .await;
    }
    IS_TOUCHED.store(false, Ordering::Relaxed);
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker panics");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_costs_nobody_else_anything() {
    let (_log, one, other) = two().await;
    let picker = other.registry.picker(SERVICE, Pick::Hash);
    let mut watch = other.registry.watch(SERVICE);
    let waker = Waker::from(Arc::new(Panics));
    let mut context = Context::from_waker(&waker);
    let (mut ready, mut next) = (Box::pin(picker.ready()), Box::pin(watch.next()));
    assert!(ready.as_mut().poll(&mut context).is_pending());
    assert!(next.as_mut().poll(&mut context).is_pending());
    let mut careful = other.registry.watch(SERVICE);
    let _mine = one.register(Member::new("a", 80)).await;
    assert!(within("others hear", careful.next()).await.is_some());
    let _another = one.register(Member::new("b", 80)).await;
    other.lists(&["a", "b"]).await;
    drop((ready, next));
    assert_eq!(within("it is shown", watch.next()).await.unwrap().len(), 2);
}

/// Data whose drop looks at the registry it was in.
#[derive(Serialize, Deserialize)]
struct Nosy {
    number: u16,
    #[serde(skip)]
    _looks: Looks,
}

#[derive(Default)]
struct Looks;

static NOSY: std::sync::OnceLock<Registry<Nosy>> = std::sync::OnceLock::new();

impl Drop for Looks {
    fn drop(&mut self) {
        if let Some(registry) = NOSY.get() {
            let picker = registry.picker(SERVICE, Pick::Weighted);
            drop((picker.pick(), registry.members(SERVICE), registry.status()));
            registry.accept(SERVICE);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn data_whose_drop_comes_back_in_holds_nobody_up() {
    let log = MemoryLog::new();
    let registry: Registry<Nosy> = Registry::open(log.clone(), "services").await.unwrap();
    assert!(NOSY.set(registry.clone()).is_ok());
    let session = Session::open(log).await.unwrap();
    let nosy = |number| Nosy {
        number,
        _looks: Looks,
    };
    let mine = registry.register(&session, SERVICE, Member::new("a", nosy(0)));
    let mine = within("it is registered", mine).await.unwrap();
    for number in 1..20 {
        let setting = mine.set(|me| me.data = Arc::new(nosy(number)));
        within("it is set", setting).await.unwrap();
        let members = registry.members(SERVICE);
        assert_eq!(members.get("a").unwrap().data.number, number);
    }
    within("it leaves", mine.deregister()).await.unwrap();
    assert!(registry.members(SERVICE).is_empty());
}

/// Data whose drop panics once.
#[derive(Serialize, Deserialize)]
struct Fragile {
    number: u16,
    #[serde(skip)]
    _breaks: Breaks,
}

#[derive(Default)]
struct Breaks;

static IS_BREAKING: AtomicBool = AtomicBool::new(false);

impl Drop for Breaks {
    fn drop(&mut self) {
        let breaks = IS_BREAKING.swap(false, Ordering::Relaxed);
        assert!(!breaks || std::thread::panicking(), "it breaks");
    }
}

/// It was let go by the map and by its registration first: the registry is the last to have it.
#[tokio::test(start_paused = true)]
async fn data_whose_drop_panics_costs_nobody_else_anything() {
    let log = MemoryLog::new();
    let registry: Registry<Fragile> = Registry::open(log.clone(), "services").await.unwrap();
    let picker = registry.picker(SERVICE, Pick::Hash);
    write_raw(&log, "services", "billing/a", br#"{"data":{"number":1}}"#).await;
    within("it is there", picker.ready()).await.unwrap();
    for number in 2..10 {
        IS_BREAKING.store(true, Ordering::Relaxed);
        let value = format!(r#"{{"data":{{"number":{number}}}}}"#);
        write_raw(&log, "services", "billing/a", value).await;
        write_raw(
            &log,
            "services",
            &format!("billing/b{number}"),
            br#"{"data":{"number":1}}"#,
        )
        .await;
        let is_shown = || {
            let members = registry.members(SERVICE);
            members.get("a").is_some_and(|a| a.data.number == number)
                && members.len() == usize::from(number)
        };
        if registry.status().map.phase == globe::Phase::Failed {
            return; // The map was the last to have it, and says so.
        }
        until("it is listed", is_shown).await;
    }
    IS_BREAKING.store(false, Ordering::Relaxed);
}
