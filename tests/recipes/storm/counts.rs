//! Counters and ids in storms; ids with restores as well, for they promise something across them.
//!
//! Never adds the same amount twice: what a counter holds tells which additions it is made of.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures::future::join_all;
use globe::{Counter, Counts, Ids, MemoryLog};
use tokio::time::{Instant, sleep, timeout};

use super::{Process, STORM, faults, heal, processes, storms, without_restores};
use crate::SECOND;
use crate::rig::open;

#[test]
fn in_no_storm_does_an_addition_count_twice_or_not_at_all_that_was_acknowledged() {
    let added: usize = storms(counters).into_iter().sum();
    assert!(added > 20, "{added} additions: that says nothing");
}

#[test]
fn in_no_storm_is_an_id_given_out_twice_and_in_each_process_they_grow() {
    let given: usize = storms(ids).into_iter().sum();
    assert!(given > 1_000, "{given} ids: that says nothing");
}

/// As many as have a bit each in a counter, with one between.
const ADDITIONS: u32 = 31;

/// What became of the additions, of one bit each: two of one would be another bit.
#[derive(Default)]
struct Sum {
    begun: u32,
    counted: i64,
    unknown: i64,
}

impl Sum {
    /// What an addition of this bit was answered, if it was.
    fn note(&mut self, bit: i64, answer: Option<globe::Result<i64>>) {
        match answer {
            Some(Ok(value)) => {
                assert_ne!(value & bit, 0, "its own addition is in {value:#b}");
                self.counted |= bit;
            }
            Some(Err(error)) if !error.may_be_committed() => {}
            _ => self.unknown |= bit,
        }
    }
}

async fn add(process: &mut Process, sum: &Mutex<Sum>, end: Instant) {
    let counts: Counts = open(&process.log, "counts").await;
    process.log.set_faults(without_restores());
    let counter = Counter::new(&counts.with_deadline(SECOND * 10), "a").unwrap();
    while Instant::now() < end {
        let bit = {
            let mut sum = sum.lock().unwrap();
            if sum.begun == ADDITIONS {
                return;
            }
            sum.begun += 1;
            1 << (2 * (sum.begun - 1))
        };
        let bound = process.time(60_000);
        let added = timeout(bound, counter.add(bit)).await;
        sum.lock().unwrap().note(bit, added.ok());
        if process.rng.usize(..5) == 0 {
            process.cut_off().await;
        }
        sleep(process.time(8_000)).await;
    }
}

async fn counters(seed: u64) -> usize {
    let log = MemoryLog::new();
    let mut all = processes(&log, seed, 2..=4).await;
    let (sum, end) = (Mutex::new(Sum::default()), Instant::now() + STORM);
    join_all(all.iter_mut().map(|process| add(process, &sum, end))).await;
    heal(&all);
    // What is still under way arrives.
    sleep(SECOND * 60).await;
    let sum = sum.into_inner().unwrap();
    for process in &all {
        let counts: Counts = open(&process.log, "counts").await;
        let value = Counter::new(&counts, "a").unwrap().get();
        let (least, most) = (sum.counted, sum.counted | sum.unknown);
        assert_eq!(value & least, least, "{value:#b} lacks some of {least:#b}");
        assert_eq!(value | most, most, "{value:#b} has more than {most:#b}");
    }
    sum.counted.count_ones() as usize
}

async fn give(process: &mut Process, seed: u64, given: &Mutex<BTreeSet<u64>>, end: Instant) {
    let counts: Counts = open(&process.log, "counts").await;
    process.log.set_faults(faults(seed));
    let ids = Ids::new(&counts.with_deadline(SECOND * 5), "a", 10).unwrap();
    let mut last = None;
    while Instant::now() < end {
        let bound = process.time(10_000);
        if let Ok(Ok(id)) = timeout(bound, ids.next()).await {
            assert!(given.lock().unwrap().insert(id), "{id} was given out twice");
            assert!(Some(id) > last, "{id} after {last:?}");
            last = Some(id);
        }
        if process.rng.usize(..200) == 0 {
            process.cut_off().await;
        }
        sleep(process.time(400)).await;
    }
}

async fn ids(seed: u64) -> usize {
    let log = MemoryLog::new();
    let mut all = processes(&log, seed, 2..=4).await;
    let (given, end) = (Mutex::default(), Instant::now() + STORM);
    let giving = all
        .iter_mut()
        .map(|process| give(process, seed, &given, end));
    join_all(giving).await;
    heal(&all);
    given.lock().unwrap().len()
}
