//! Barriers and latches in storms, without restores: what they promise is what stands in the log.
//!
//! Never says when somebody is let through, only that it is not too early, and that it is in the end.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures::future::join_all;
use globe::{Barrier, Latch, MemoryLog};
use tokio::time::{Instant, sleep, timeout};

use super::{Process, STORM, heal, processes, storms, without_restores};
use crate::SECOND;
use crate::rig::within;

#[test]
fn in_no_storm_is_a_barrier_passed_that_is_closed_and_after_it_all_pass() {
    let passed: usize = storms(barriers).into_iter().sum();
    assert!(passed > 5, "{passed} passed: that says nothing");
}

#[test]
fn in_no_storm_is_a_latch_open_before_enough_have_come_and_after_it_all_go_on() {
    let opened: usize = storms(latches).into_iter().sum();
    assert!(opened > 1, "{opened} went on: that says nothing");
}

/// How the barrier stands, for certain: its only keeper was told.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Gate {
    is_closed: bool,
    /// How often it has begun to open it.
    opened: u64,
}

impl Gate {
    fn begins_to_open(&mut self) {
        self.is_closed = false;
        self.opened += 1;
    }
}

fn barrier(process: &Process) -> Barrier {
    Barrier::new(&process.claims, "a").unwrap()
}

/// Closes and opens it, until the storm is over; each until it is told that it is done.
async fn keep(process: &mut Process, gate: &Mutex<Gate>, end: Instant) -> usize {
    while Instant::now() < end {
        while barrier(process).close().await.is_err() {
            sleep(SECOND / 10).await;
        }
        gate.lock().unwrap().is_closed = true;
        sleep(process.time(10_000)).await;
        if process.rng.usize(..4) == 0 {
            process.cut_off().await;
        }
        gate.lock().unwrap().begins_to_open();
        while barrier(process).open().await.is_err() {
            sleep(SECOND / 10).await;
        }
        sleep(process.time(2_000)).await;
    }
    0
}

/// Waits at it; how often it passed.
async fn pass(process: &mut Process, gate: &Mutex<Gate>, end: Instant) -> usize {
    let mut passed = 0;
    while Instant::now() < end {
        if process.rng.usize(..10) == 0 {
            process.cut_off().await;
        }
        let before = *gate.lock().unwrap();
        let waited = timeout(process.time(20_000), barrier(process).wait()).await;
        if let Ok(Ok(())) = waited {
            let is_shut = before.is_closed && *gate.lock().unwrap() == before;
            assert!(!is_shut, "it was closed before, and nobody has opened it");
            passed += 1;
        }
        sleep(process.time(1_000)).await;
    }
    passed
}

async fn barriers(seed: u64) -> usize {
    let log = MemoryLog::new();
    let mut all = processes(&log, seed, 2..=4).await;
    for process in &all {
        process.log.set_faults(without_restores());
    }
    let end = Instant::now() + STORM;
    let gate = Mutex::new(Gate {
        is_closed: false,
        opened: 0,
    });
    let (keeper, others) = all.split_first_mut().unwrap();
    let passing = others.iter_mut().map(|process| pass(process, &gate, end));
    let (_, passed) = tokio::join!(keep(keeper, &gate, end), join_all(passing));
    heal(&all);
    for process in &all {
        within("all pass", barrier(process).wait()).await.unwrap();
    }
    passed.into_iter().sum()
}

/// Each comes by its names, one after the other, and by each more than once. They go on when all have come but two.
async fn latches(seed: u64) -> usize {
    const NAMES: usize = 8;
    let log = MemoryLog::new();
    let mut all = processes(&log, seed, 2..=4).await;
    let count = all.len() * NAMES - 2;
    for process in &all {
        process.log.set_faults(without_restores());
    }
    let begun: Mutex<BTreeSet<String>> = Mutex::default();
    let latch = |process: &Process| Latch::new(&process.claims, "a", count).unwrap();
    let coming = all.iter_mut().map(|process| {
        let (latch, begun) = (latch(process), &begun);
        let waiting = latch.clone();
        let come = async move {
            for number in 0..2 * NAMES {
                let who = format!("{}/{}", process.session.name(), number % NAMES);
                sleep(process.time(4_000)).await;
                if process.rng.usize(..8) == 0 {
                    process.cut_off().await;
                }
                begun.lock().unwrap().insert(who.clone());
                while let Err(error) = latch.arrive(&who).await {
                    assert!(!error.is_conflict(), "{error}");
                    sleep(SECOND / 10).await;
                }
            }
        };
        let wait = async move {
            waiting.wait().await.unwrap();
            let come = begun.lock().unwrap().len();
            assert!(come >= count, "open for {count}, and {come} have come");
        };
        timeout(STORM * 5, async { tokio::join!(come, wait) })
    });
    let open = join_all(coming).await;
    assert!(open.iter().all(|open| open.is_ok()), "all come and go on");
    heal(&all);
    for process in &all {
        process.claims.sync().await.unwrap();
        assert_eq!(process.claims.len(), begun.lock().unwrap().len());
        within("it is open", latch(process).wait()).await.unwrap();
    }
    open.len()
}
