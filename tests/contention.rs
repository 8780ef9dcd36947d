//! Many of one process that write the same keys: who lost once waits for the others who did, and everybody is answered in time.
//!
//! No clock decides anything: it is paused, and attempts are counted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use globe::{Globe, MemoryLog};
use globe_faulty::{Fault, Faults, FaultyLog};
use rig::{Around, fresh_around, numbers, until, within, write_raw};
use tokio::task::JoinHandle;

const WRITERS: usize = 40;
const EACH: usize = 5;

/// A log that takes its time for each commit.
fn slow() -> FaultyLog {
    let faults = Faults::none()
        .with(Fault::Delay, 1.0)
        .delay(Duration::from_millis(20));
    let slow = FaultyLog::builder(MemoryLog::new()).seed(1).faults(faults);
    slow.build()
}

/// How often a closure was called for each time it was to be, the most for any of them and of all together.
struct Calls {
    most: usize,
    all: usize,
}

/// Everybody adds one to the number, again and again, as `add` does it; it says how often it tried.
async fn crowd<F: Future<Output = usize>>(add: impl Fn(usize) -> F) -> Calls {
    let adding = |writer: usize| {
        let add = &add;
        async move {
            let mut tries = Vec::new();
            for _ in 0..EACH {
                tries.push(add(writer).await);
            }
            tries
        }
    };
    let tries = within("all have", join_all((0..WRITERS).map(adding))).await;
    let tries = tries.concat();
    Calls {
        most: tries.iter().copied().max().unwrap(),
        all: tries.iter().sum(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_lost_once_waits_for_the_others_instead_of_racing_them() {
    let map = numbers(&slow()).await;
    let updating = crowd(async |_| {
        let mut tries = 0;
        let adding = map.update("number", |old| {
            tries += 1;
            old.map_or(0, |old| *old) + 1
        });
        adding.await.unwrap();
        tries
    });
    let updating = updating.await;
    let transacting = crowd(async |writer| {
        let mut tries = 0;
        let adding = map.transact(|txn| {
            tries += 1;
            let number = txn.get(&map, "number")?.map_or(0, |number| *number);
            txn.get(&map, format!("of {writer}"))?;
            txn.put(&map, "number", number + 1)
        });
        adding.await.unwrap();
        tries
    });
    let transacting = transacting.await;
    assert_eq!(*map.get("number").unwrap(), (2 * WRITERS * EACH) as u64);
    for Calls { most, all } in [updating, transacting] {
        assert!(all <= 2 * WRITERS * EACH, "{all} calls in all");
        assert!(most <= 4, "{most} calls for one");
    }
}

/// Somebody has lost to another process, and what he sent then is on its way for as long as it is held.
struct Held {
    around: Around,
    map: Globe<String, u64>,
    loser: JoinHandle<()>,
}

async fn add_one(map: Globe<String, u64>) {
    let adding = map.update("number", |old| old.map_or(0, |old| *old) + 1);
    adding.await.unwrap();
}

impl Held {
    async fn new() -> Held {
        let (log, around, map) = fresh_around().await;
        map.put("number", 0).await.unwrap();
        let (other, way) = (log.clone(), around.clone());
        around.before_the_next_commit(move || {
            let put = write_raw(&other, "numbers", "number", b"100");
            put.now_or_never().unwrap();
            way.hold_requests(true);
        });
        let before = around.calls().commits;
        let loser = tokio::spawn(add_one(map.clone()));
        until("it is sent again", || around.calls().commits == before + 2).await;
        Held { around, map, loser }
    }

    /// Somebody else, who has come far enough to wait.
    async fn another(&self) -> JoinHandle<()> {
        let another = tokio::spawn(add_one(self.map.clone()));
        settle().await;
        another
    }

    fn sent(&self) -> usize {
        self.around.calls().commits
    }

    fn let_go(&self) {
        self.around.hold_requests(false);
    }
}

/// Everybody who can go on does.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_one_that_gets_no_answer_asks_the_log_himself() {
    let held = Held::new().await;
    let (sent, another) = (held.sent(), held.another().await);
    assert_eq!(held.sent(), sent, "he waits");
    // It is his own time that passes, and some of it is left.
    until("he is sent", || held.sent() > sent).await;
    held.let_go();
    let both = async { tokio::try_join!(held.loser, another).unwrap() };
    within("both are done", both).await;
    assert_eq!(*held.map.get("number").unwrap(), 102);
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_leaves_his_place_to_the_next() {
    for drops_the_first in [false, true] {
        let held = Held::new().await;
        let (second, third) = (held.another().await, held.another().await);
        let [dropped, left] = match drops_the_first {
            true => [&held.loser, &second],
            false => [&second, &held.loser],
        };
        dropped.abort();
        settle().await;
        let sent = held.sent();
        held.let_go();
        let are_done = || left.is_finished() && third.is_finished();
        until("the others are done", are_done).await;
        assert_eq!(*held.map.get("number").unwrap(), 102);
        let sent = held.sent() - sent;
        assert!(sent <= 2, "{sent} more were sent: they did not wait");
    }
}
