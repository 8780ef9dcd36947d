//! Types and checks of the caller's that panic, lie, block or come back in: they harm only themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use globe::settings::Setting;
use globe::{ErrorKind, MemoryLog};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rig::{fails_with, until, write_raw};
use crate::{SPACE, a_while, limit, settings, shows};

/// Panics when it is read as 13, written as 14, or dropped as 15.
#[derive(Debug, PartialEq)]
struct Trap(u64);

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Trap, D::Error> {
        let number = u64::deserialize(deserializer)?;
        assert_ne!(number, 13, "on purpose");
        Ok(Trap(number))
    }
}

impl Serialize for Trap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, 14, "on purpose");
        self.0.serialize(serializer)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        if self.0 == 15 && !std::thread::panicking() {
            panic!("on purpose");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_panics_is_refused_and_harms_nobody() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let trap = settings.declare("trap", Trap(1)).open().unwrap();
    let other = limit(&settings);
    for number in ["13", "15", "16"] {
        write_raw(&log, SPACE, "trap/global", number).await;
        crate::put(&log, "global", number).await;
        shows(&other, number.parse().unwrap()).await;
    }
    shows(&trap, Trap(16)).await;
    fails_with(trap.publish("global", Trap(13)).await, ErrorKind::Invalid);
    fails_with(trap.publish("global", Trap(14)).await, ErrorKind::Codec);
    write_raw(&log, SPACE, "trap/global", "13").await;
    until("it is told", || !trap.problems().is_empty()).await;
    assert!(
        trap.problems()[0].why.contains("panicked"),
        "{:?}",
        trap.problems()
    );
    assert_eq!(*trap.get(), Trap(16));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_refuses() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let check = |number: &u64| {
        assert_ne!(*number, 13, "on purpose");
        Ok(())
    };
    let number = settings
        .declare("number", 1_u64)
        .check(check)
        .open()
        .unwrap();
    fails_with(number.publish("global", 13).await, ErrorKind::Invalid);
    write_raw(&log, SPACE, "number/global", "13").await;
    until("it is told", || !number.problems().is_empty()).await;
    assert_eq!(*number.get(), 1);
    number.publish("global", 2).await.unwrap();
    assert_eq!((*number.get(), number.problems().len()), (2, 0));
    let never = |_: &u64| -> Result<(), String> { panic!("on purpose") };
    fails_with(
        settings.declare("never", 1_u64).check(never).open(),
        ErrorKind::Invalid,
    );
}

/// A check that is called under a lock would wait for itself.
#[tokio::test(start_paused = true)]
async fn a_check_may_read_the_setting_it_is_of() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let own: Arc<Mutex<Option<Setting<u64>>>> = Arc::default();
    let asked = Arc::new(AtomicBool::new(false));
    let check = {
        let (own, asked, settings) = (Arc::clone(&own), Arc::clone(&asked), settings.clone());
        move |_: &u64| {
            let own = own.lock().unwrap().clone();
            if let Some(own) = own {
                asked.store(true, Ordering::Relaxed);
                let _ = (
                    own.get(),
                    own.explain(),
                    own.problems(),
                    settings.problems(),
                );
                let _ = own.watch();
                let _ = settings.declare("another", 1).open();
            }
            Ok(())
        }
    };
    let number = settings
        .declare("number", 1_u64)
        .check(check)
        .open()
        .unwrap();
    *own.lock().unwrap() = Some(number.clone());
    number.publish("global", 2).await.unwrap();
    write_raw(&log, SPACE, "number/global", "3").await;
    shows(&number, 3).await;
    assert!(asked.load(Ordering::Relaxed));
    own.lock().unwrap().take();
}

/// A check that is asked again may say something else: what is shown was taken by it once.
#[tokio::test(start_paused = true)]
async fn a_check_that_changes_its_mind_is_believed_when_it_is_asked() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let is_open = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_open);
    let check = move |_: &u64| match asked.load(Ordering::Relaxed) {
        true => Ok(()),
        false => Err("not now".to_owned()),
    };
    let number = settings
        .declare("number", 1_u64)
        .check(check)
        .open()
        .unwrap();
    number.publish("global", 2).await.unwrap();
    is_open.store(false, Ordering::Relaxed);
    fails_with(number.publish("global", 3).await, ErrorKind::Invalid);
    write_raw(&log, SPACE, "number/global", "3").await;
    until("it is told", || !number.problems().is_empty()).await;
    is_open.store(true, Ordering::Relaxed);
    number.publish("global", 4).await.unwrap();
    assert_eq!((*number.get(), number.problems().len()), (4, 0));
}

/// Nobody holds it any more: not the settings, nor their tasks.
#[tokio::test(start_paused = true)]
async fn what_nobody_holds_is_let_go() {
    let log = MemoryLog::new();
    let held = Arc::new(());
    let settings = settings(&log, "web-7").await;
    let check = {
        let held = Arc::clone(&held);
        move |_: &u64| {
            let _ = &held;
            Ok(())
        }
    };
    let number = settings
        .declare("number", 1_u64)
        .check(check)
        .open()
        .unwrap();
    let (subscription, binding) = (
        number.on_change(|_, _| {}),
        number.bind(|number| *number, |_| Ok::<_, String>(())),
    );
    drop(number);
    write_raw(&log, SPACE, "number/global", "3").await;
    a_while().await;
    assert_eq!(Arc::strong_count(&held), 2, "its reaction holds it");
    drop((subscription, binding));
    until("it is let go", || Arc::strong_count(&held) == 1).await;
    drop(settings);
    let alive = tokio::runtime::Handle::current().metrics();
    until("no task is left", || alive.num_alive_tasks() == 0).await;
}
