//! Around a log on a bad day, which cuts, delays, forgets and begins other lives, the copy is still what the log held.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use globe_faulty::{Fault, Faults, FaultyLog};
use globe_log_client::{Batch, Error, ErrorKind, LogClient, Position, Record, Result, Tail};
use globe_offline::RecordedLog;
use rig::{Rig, delete, flags, put};
use tokio::time::{sleep, timeout};

/// How many days, unless `GLOBE_SEEDS` says.
const SEEDS: u64 = 100;
const STEPS: usize = 150;

/// Who follows the log as a map does: after what breaks it tries again.
struct Map {
    log: RecordedLog,
    position: Option<Position>,
    tail: Option<Tail>,
}

impl Map {
    /// Follows until it has seen as much; it gives up after some time, as one that is slow does.
    async fn follow(&mut self, head: Position) {
        let seen = async {
            while !self.position.is_some_and(|here| here.covers(head)) {
                if let Err(error) = self.step().await {
                    self.tail = None;
                    let kind = error.kind();
                    if matches!(kind, ErrorKind::Compacted | ErrorKind::EpochChanged) {
                        self.position = None;
                    }
                    sleep(Duration::from_millis(10)).await;
                }
            }
        };
        let _ = timeout(Duration::from_secs(60), seen).await;
    }

    async fn step(&mut self) -> Result<()> {
        let Some(here) = self.position else {
            let snapshot = self.log.snapshot(&flags()).await?;
            let position = snapshot.position();
            snapshot.collect().await?;
            self.position = Some(position);
            return Ok(());
        };
        if self.tail.is_none() {
            self.tail = Some(self.log.tail(&flags(), here).await?);
        }
        let none = || Error::new(ErrorKind::Unavailable, "no tail");
        let tail = self.tail.as_mut().ok_or_else(none)?;
        let batch: Batch = tail.next().await?;
        self.position = Some(Position::new(here.epoch, batch.revision));
        Ok(())
    }
}

struct Day {
    rig: Rig,
    states: BTreeMap<(String, u64), Vec<Record>>,
}

impl Day {
    async fn remember(&mut self) -> Position {
        let (position, records) = self.rig.truth().await;
        let at = (position.epoch.to_string(), position.revision.0);
        self.states.insert(at, records);
        position
    }

    async fn look(&self, log: &RecordedLog, seed: u64) {
        log.flush().await.unwrap();
        let Some(copy) = self.rig.offline().read(&flags()).await.unwrap() else {
            return;
        };
        let epoch = copy.position.epoch.to_string();
        let at = (epoch.clone(), copy.position.revision.0);
        let truth = self.states.range((epoch, 0)..=at).next_back();
        let (_, records) = truth.expect("there was no such position");
        assert_eq!(&copy.records, records, "seed {seed}, {}", copy.position);
    }
}

async fn day(seed: u64) -> usize {
    let mut random = Rng::with_seed(seed);
    let rig = Rig::new();
    let inner = FaultyLog::builder(rig.memory.clone())
        .operator(rig.memory.clone())
        .seed(seed)
        .faults(Faults::legal().with(Fault::Compact, 0.1))
        .build();
    let log = RecordedLog::new(Arc::new(inner.clone()), &flags(), &rig.offline()).unwrap();
    let mut day = Day {
        rig,
        states: BTreeMap::new(),
    };
    let mut map = Map {
        log: log.clone(),
        position: None,
        tail: None,
    };
    let mut backup = day.rig.memory.backup();
    day.remember().await;
    for _ in 0..STEPS {
        let key = format!("key {:02}", random.u8(..40));
        match random.u8(..24) {
            0..=10 => drop(
                day.rig
                    .commit(put(&key, vec![0; random.usize(..200)]))
                    .await,
            ),
            11..=13 => drop(day.rig.commit(delete(&key)).await),
            14..=17 => {
                let head = day.remember().await;
                map.follow(head).await;
            }
            18 => drop(log.head(&flags()).await),
            19 => map.tail = None,
            20 => backup = day.rig.memory.backup(),
            21 if random.u8(..4) == 0 => day.rig.memory.restore(&backup),
            _ => day.look(&log, seed).await,
        }
        day.remember().await;
    }
    inner.heal();
    let head = day.remember().await;
    while !map.position.is_some_and(|here| here.covers(head)) {
        map.follow(head).await;
    }
    day.look(&log, seed).await;
    // Who has missed nothing has nothing to mend.
    let copy = day.rig.copy().await;
    let truth = day.rig.truth().await;
    let at = (copy.position, truth.0, map.position, log.written());
    assert!(
        (copy.position, copy.records) == truth,
        "seed {seed}: {at:?}"
    );
    inner.injected().values().map(|count| *count as usize).sum()
}

#[test]
fn on_a_bad_day_the_copy_is_what_the_log_held_at_its_position() {
    let seeds = std::env::var("GLOBE_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let mut faults = 0;
    for seed in 0..seeds {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        faults += runtime.block_on(day(seed));
    }
    assert!(faults as u64 > seeds * 10, "only {faults} faults");
}
