//! What follows the map is held up by a slow check, while others go on: what they show and record is right all the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use globe::settings::Setting;
use globe::{LogClient, MemoryLog, Settings};
use tokio::task::block_in_place;

use crate::rig::{keyspace, until, write_many, write_raw};
use crate::{SPACE, limit, settings, shows};

/// Holds up whoever checks one number, once, until it is let go.
struct Trap {
    number: u64,
    is_set: AtomicBool,
    caught: Sender<()>,
    let_go: Mutex<Receiver<()>>,
}

/// The other end of a trap.
struct Trapper {
    trap: Arc<Trap>,
    catches: Receiver<()>,
    lets_go: Sender<()>,
}

impl Trapper {
    fn new(number: u64) -> Trapper {
        let ((caught, catches), (lets_go, let_go)) = (channel(), channel());
        let trap = Trap {
            number,
            is_set: AtomicBool::new(false),
            caught,
            let_go: Mutex::new(let_go),
        };
        Trapper {
            trap: Arc::new(trap),
            catches,
            lets_go,
        }
    }

    fn set(&self) {
        self.trap.is_set.store(true, Ordering::SeqCst);
    }

    fn has_caught(&self) {
        block_in_place(|| self.catches.recv().unwrap());
    }

    fn let_go(&self) {
        self.lets_go.send(()).unwrap();
    }
}

impl Trap {
    fn pass(&self, number: u64) {
        if number == self.number && self.is_set.swap(false, Ordering::SeqCst) {
            self.caught.send(()).unwrap();
            let let_go = self.let_go.lock().unwrap();
            // What the same thread has still to run goes on elsewhere.
            block_in_place(|| let_go.recv().unwrap());
        }
    }
}

/// A setting whose check goes through these.
fn trapped(settings: &Settings, traps: &[&Trapper]) -> Setting<u64> {
    let traps: Vec<_> = traps
        .iter()
        .map(|trapper| Arc::clone(&trapper.trap))
        .collect();
    let check = move |number: &u64| {
        traps.iter().for_each(|trap| trap.pass(*number));
        Ok(())
    };
    settings.declare("slow", 1_u64).check(check).open().unwrap()
}

/// Two look at the map at the same time: who publishes, and who follows. The check of the first takes longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_slow_look_is_not_shown_over_a_newer_one() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let (first, next) = (Trapper::new(2), Trapper::new(3));
    let slow = trapped(&settings, &[&first, &next]);
    first.set();
    write_raw(&log, SPACE, "slow/global", "2").await;
    first.has_caught();
    // The follower is asking for the 2, and the 3 is published.
    slow.publish("global", 3).await.unwrap();
    assert_eq!(*slow.get(), 3);
    // It shows what it has found, and is held up at its next look.
    next.set();
    first.let_go();
    next.has_caught();
    let shown = *slow.get();
    next.let_go();
    assert_eq!(shown, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_published_is_shown_on_return_whoever_follows() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let trapper = Trapper::new(2);
    let (slow, limit) = (trapped(&settings, &[&trapper]), limit(&settings));
    trapper.set();
    write_raw(&log, SPACE, "slow/global", "2").await;
    trapper.has_caught();
    let mut shown = Vec::new();
    for value in 3..6 {
        limit.publish("global", value).await.unwrap();
        shown.push(*limit.get());
    }
    limit.undo("global", 1).await.unwrap();
    shown.push(*limit.get());
    limit.clear("global").await.unwrap();
    shown.push(*limit.get());
    trapper.let_go();
    assert_eq!(shown, [3, 4, 5, 4, 100]);
    shows(&slow, 2).await;
}

/// Somebody else has put it into the history since, which the one that would do it as well has not heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_records_looks_first_whether_another_has() {
    let log = MemoryLog::new();
    let settings = settings(&log, "web-7").await;
    let trapper = Trapper::new(2);
    let limit = limit(&settings);
    let last = settings.declare("last", 1_u64).open().unwrap();
    let slow = trapped(&settings, &[&trapper]);
    trapper.set();
    // In one commit, so that the follower is held up as soon as it knows what is missing in the other histories.
    let by_hand = ["http.limit", "last", "slow"].map(|name| (format!("{name}/global"), "2"));
    write_many(&log, SPACE, by_hand).await;
    trapper.has_caught();
    assert_eq!((*limit.get(), *last.get()), (2, 2));
    let record = r#"{"value":2,"by":"anna"}"#;
    write_raw(&log, SPACE, "http.limit/global/was/0000000000", record).await;
    // Its turn comes after that of the limit.
    while past(&log, "last").await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    trapper.let_go();
    assert_eq!(past(&log, "http.limit").await, 1);
    shows(&slow, 2).await;
    until("it is told who it was", || {
        limit.history("global").unwrap()[0].by() == Some("anna")
    })
    .await;
}

/// It is still at it when its binding is dropped, and fails only then.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_applies_nothing_any_more_has_no_problem() {
    let log = MemoryLog::new();
    let limit = limit(&settings(&log, "web-7").await);
    let (trapper, held) = (Trapper::new(2), Arc::new(()));
    trapper.set();
    let (trap, kept) = (Arc::clone(&trapper.trap), Arc::clone(&held));
    let refuse = move |limit: &u64| {
        let _ = &kept;
        trap.pass(*limit);
        match limit {
            2 => Err("not this one"),
            _ => Ok(()),
        }
    };
    let binding = limit.bind(|limit| *limit, refuse);
    limit.publish("global", 2).await.unwrap();
    trapper.has_caught();
    drop(binding);
    trapper.let_go();
    until("its task has ended", || Arc::strong_count(&held) == 1).await;
    assert!(limit.problems().is_empty(), "{:?}", limit.problems());
}

/// How many records of a setting's history stand in the log.
async fn past(log: &MemoryLog, name: &str) -> usize {
    let records = log.snapshot(&keyspace(SPACE)).await.unwrap();
    let records = records.collect().await.unwrap();
    let begin = format!("{name}/global/was/");
    let is_past = |key: &[u8]| key.starts_with(begin.as_bytes());
    records.iter().filter(|record| is_past(&record.key)).count()
}
