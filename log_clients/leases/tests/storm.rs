//! Leases on a bad day: clients whose calls are late, lost and cut off, judged by what the log itself has written.
//!
//! The time is paused and the faults come from a seed; ids and pauses do not, so a seed is no replay. What is asked for
//! holds at every run.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod rig;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fastrand::Rng;
use globe_faulty::{Faults, FaultyLog};
use globe_leases::LeasedLog;
use globe_log_client::{Change, Keyspace, Lease, LeaseId, LogClient, Position, Tail};
use globe_memory::MemoryLog;
use rig::{TTL, bare, join, leases, members, ms, swept};
use tokio::time::{Duration, Instant, sleep};

/// What the log has written in one keyspace, and when.
type Story = Arc<Mutex<Vec<(Instant, u64, Change)>>>;

fn tell(mut tail: Tail) -> Story {
    let story = Story::default();
    let told = Arc::clone(&story);
    tokio::spawn(async move {
        while let Ok(batch) = tail.next().await {
            let (now, at) = (Instant::now(), batch.revision.0);
            let changes = batch.changes.into_iter();
            told.lock()
                .unwrap()
                .extend(changes.map(|change| (now, at, change)));
        }
    });
    story
}

async fn follow(log: &MemoryLog, keyspace: &Keyspace, from: Position) -> Story {
    tell(log.tail(keyspace, from).await.unwrap())
}

/// What a client does all day, with leases that all share.
async fn work(log: LeasedLog, mut rng: Rng, shared: Arc<Mutex<Vec<Lease>>>) {
    let end = Instant::now() + 6 * TTL;
    while Instant::now() < end {
        sleep(ms(rng.u64(0..1000))).await;
        let known = shared.lock().unwrap().clone();
        let lease = match known.get(rng.usize(0..4)) {
            Some(lease) => *lease,
            None => match log.grant(TTL / rng.u32(1..5)).await {
                Ok(granted) => {
                    shared.lock().unwrap().push(granted);
                    granted
                }
                Err(_) => continue,
            },
        };
        // Whatever it says: the story tells what became of it.
        let is_well = match rng.u8(0..10) {
            0..5 => join(&log, &format!("web-{}", rng.u8(0..20)), lease)
                .await
                .is_ok(),
            5..9 => log.renew(lease).await.is_ok(),
            _ => rng.bool(),
        };
        if !is_well {
            shared.lock().unwrap().retain(|kept| kept.id != lease.id);
        }
    }
}

/// When each lease was last renewed, and where in the log it ended.
#[derive(Default)]
struct Lives {
    alive: BTreeMap<Bytes, (Instant, Duration, u64)>,
    ended: BTreeMap<LeaseId, u64>,
}

impl Lives {
    fn of(story: &Story) -> Lives {
        let mut lives = Lives::default();
        for (when, at, change) in story.lock().unwrap().iter() {
            if change.key().starts_with(b"lease/") {
                lives.hear(*when, *at, change);
            }
        }
        lives
    }

    fn hear(&mut self, when: Instant, at: u64, change: &Change) {
        let Change::Put(record) = change else {
            let (renewed, ttl, _) = self.alive.remove(change.key()).unwrap();
            let lived = when - renewed;
            assert!(lived >= ttl, "it lived {lived:?} of its {ttl:?}");
            let digits = std::str::from_utf8(&change.key()[6..]).unwrap();
            let id = LeaseId::new(u64::from_str_radix(digits, 16).unwrap());
            assert_eq!(self.ended.insert(id, at), None, "it ended twice");
            return;
        };
        let json: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
        let [ttl, n] = ["ttl_ms", "n"].map(|name| json[name].as_u64().unwrap());
        let before = self.alive.get(&record.key).filter(|(_, _, m)| *m == n);
        let renewed = before.map_or(when, |(renewed, ..)| *renewed);
        self.alive.insert(record.key.clone(), (renewed, ms(ttl), n));
    }
}

async fn a_day(seed: u64) -> usize {
    let log = bare();
    let from = log.head_position();
    let told = follow(&log, &leases(), from).await;
    let hung = follow(&log, &members(), from).await;
    let (mut rng, shared) = (Rng::with_seed(seed), Arc::default());
    let lines = [rng.u64(..), rng.u64(..), rng.u64(..)].map(|seed| {
        let line = FaultyLog::builder(log.clone()).seed(seed);
        line.faults(Faults::legal()).build()
    });
    let clients = lines.clone().map(|line| LeasedLog::new(line).unwrap());
    let work = clients
        .clone()
        .map(|client| work(client, rng.fork(), Arc::clone(&shared)));
    futures::future::join_all(work).await;
    lines.iter().for_each(FaultyLog::heal);
    let [_, _, last] = clients;
    last.head(&members()).await.unwrap();
    sleep(3 * TTL).await;
    swept(&log).await;

    let lives = Lives::of(&told);
    assert!(lives.alive.is_empty());
    for (_, at, change) in hung.lock().unwrap().iter() {
        let Change::Put(record) = change else {
            continue;
        };
        let ended = lives.ended[&record.lease.unwrap()];
        assert!(
            *at < ended,
            "{record:?} was put under a lease that had ended"
        );
    }
    hung.lock().unwrap().len().min(lives.ended.len())
}

#[tokio::test(start_paused = true)]
async fn on_a_bad_day_no_lease_ends_early_and_nothing_outlives_one() {
    let mut happened = 0;
    for seed in 0..30 {
        happened += a_day(seed).await;
    }
    assert!(happened > 100, "hardly anything happened");
}
