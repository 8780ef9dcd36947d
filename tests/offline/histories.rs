//! One map, closed, dropped and begun again, by a seed, while its log is written, forgets, goes away and is restored.
//!
//! What it shows is compared with the log's own history at every look, and never with another map.

use fastrand::Rng;
use globe::log_client::Transaction;
use globe::{Guard, LogClient, MemoryLog, Position};
use tempfile::TempDir;

use crate::rig::shown::content;
use crate::rig::truth::Truth;
use crate::rig::{Around, keyspace, within};
use crate::{Numbers, SECOND, builder, in_folder};

const SPACE: &str = "numbers";

/// A log, what it really held, and a map that comes and goes.
struct Stage {
    log: MemoryLog,
    /// The way of the map to it.
    way: Around,
    truth: Truth,
    folder: TempDir,
    rng: Rng,
    number: u64,
    map: Option<Numbers>,
    /// Where the map stood when it was closed, if its copy has to stand there.
    closed_at: Option<Position>,
    /// Maps are dropped as well: what writes their copies ends some time later, and until then nobody else writes them.
    may_drop: bool,
    /// What is withheld for a moment, of maps that are guarded: they show what the log held, if later.
    guard: Guard,
    /// How often it began with its copy while the log was down.
    begun: usize,
}

impl Stage {
    async fn begin(seed: u64) -> Stage {
        let log = MemoryLog::builder().page_size(3).build();
        let truth = Truth::begin(&log, keyspace(SPACE)).await;
        Stage {
            truth,
            way: Around::new(&log),
            log,
            folder: tempfile::tempdir().unwrap(),
            rng: Rng::with_seed(seed),
            number: 0,
            map: None,
            closed_at: None,
            may_drop: seed % 2 == 1,
            guard: match seed % 4 {
                0 | 1 => Guard::follow(),
                _ => Guard::hold()
                    .share(0.3)
                    .new_epochs(true)
                    .at_most(SECOND / 20),
            },
            begun: 0,
        }
    }

    async fn write(&mut self) {
        let keyspace = keyspace(SPACE);
        let mut keys = ["a", "b", "c", "d", "e", "f"];
        self.rng.shuffle(&mut keys);
        let mut transaction = Transaction::new();
        for key in &keys[..self.rng.usize(1..4)] {
            self.number += 1;
            transaction = match self.rng.u8(..3) {
                0 => transaction.delete(&keyspace, *key),
                _ => transaction.put(&keyspace, *key, self.number.to_string()),
            };
        }
        self.log.commit(transaction).await.unwrap();
        self.truth.catch_up().await;
    }

    async fn restore(&mut self) {
        let backup = self.log.backup();
        self.write().await;
        self.log.restore(&backup);
        self.truth.follow_restore().await;
    }

    fn forget(&mut self) {
        let head = self.log.head_position().revision;
        self.log.compact(head).unwrap();
    }

    /// Another process begins, in the folder of the one before; the log may be down.
    async fn open(&mut self) {
        let is_down = self.rng.bool();
        self.way.cut(is_down);
        let builder = builder(&self.way, in_folder(&self.folder)).guard(self.guard);
        let map = builder.start().unwrap();
        if is_down && self.closed_at.is_some() {
            map.hydrated().await.unwrap();
            self.begun += 1;
            let here = map.position().unwrap();
            assert!(
                self.closed_at.is_some_and(|copy| here.covers(copy)),
                "it begins with all that the one before has shown: {here}, not {:?}",
                self.closed_at
            );
        }
        self.map = Some(map);
        self.look();
        self.way.cut(false);
    }

    /// What is shown is what the log held, at one position.
    fn look(&self) {
        let view = self.map.as_ref().and_then(|map| map.try_view());
        if let Some(view) = view {
            let here = view.position();
            assert_eq!(content(&view), self.truth.at(here), "at {here}");
        }
    }

    async fn catch_up(&mut self) {
        let head = self.log.head_position();
        if let Some(map) = &self.map {
            within("a sync", map.sync()).await.unwrap();
            assert!(map.position().is_some_and(|here| here.covers(head)));
            assert!(!map.status().from_copy);
        }
        self.look();
    }

    async fn close(&mut self) {
        self.catch_up().await;
        if let Some(map) = self.map.take() {
            self.closed_at = map.position().filter(|_| !self.may_drop);
            map.close().await;
        }
    }

    async fn step(&mut self) {
        match self.rng.u8(..12) {
            0 => self.restore().await,
            1 | 2 => self.forget(),
            3 | 4 if self.map.is_some() => self.close().await,
            5 if self.may_drop => drop(self.map.take()),
            6..9 if self.map.is_none() => self.open().await,
            _ => self.write().await,
        }
        self.look();
    }
}

async fn run(seed: u64) -> usize {
    let mut stage = Stage::begin(seed).await;
    for _ in 0..60 {
        stage.step().await;
        if stage.rng.u8(..4) == 0 {
            tokio::time::sleep(SECOND / 500).await;
        }
    }
    if stage.map.is_none() {
        stage.open().await;
    }
    stage.close().await;
    stage.begun
}

#[tokio::test]
async fn a_map_that_begins_again_shows_what_the_log_held_and_never_less_than_was_closed() {
    let seeds: u64 = std::env::var("GLOBE_SEEDS").map_or(20, |seeds| seeds.parse().unwrap());
    let mut begun = 0;
    for seed in 0..seeds {
        begun += run(seed).await;
    }
    assert!(begun > 0, "copies were begun with");
}
