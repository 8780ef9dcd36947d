//! Whatever happens, in whatever order, the copy is what the log held at the position it says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::collections::BTreeMap;

use globe_log_client::{
    Difference, Keyspace, KnownKeys, LogClient, Position, Record, Snapshot, Tail, Transaction,
};
use globe_memory::MemoryBackup;
use globe_offline::RecordedLog;
use proptest::collection::vec;
use proptest::prelude::*;
use rig::{Rig, delete, flags, put};

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Put(u8, u16),
    Delete(u8),
    Several(u8),
    Elsewhere,
    Head,
    /// A map reads so many batches of its tail, if there are so many.
    Read(u8),
    /// A map opens its tail anew.
    Reopen,
    /// A map takes a snapshot, reads so many pages of it, and goes on from it if that was all.
    Snapshot(u8),
    /// A map asks what it does not know where it is, reads so many pages of it, and goes on from it if that was all.
    Differ(u8),
    Compact(u8),
    Backup,
    Restore,
    /// The process ends, and another one goes on with the copy, as far as it can.
    Restart,
    /// A map reads what is not noted on its way, as when there was no room: it goes on from where the log is.
    Miss,
    /// The copy is read, and must be true.
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6u8, 0..900u16).prop_map(|(key, size)| Step::Put(key, size)),
        3 => (0..6u8).prop_map(Step::Delete),
        2 => (0..6u8).prop_map(Step::Several),
        2 => Just(Step::Elsewhere),
        2 => Just(Step::Head),
        8 => (1..6u8).prop_map(Step::Read),
        2 => Just(Step::Reopen),
        2 => (0..4u8).prop_map(Step::Snapshot),
        3 => (0..4u8).prop_map(Step::Differ),
        1 => (0..10u8).prop_map(Step::Compact),
        1 => Just(Step::Backup),
        1 => Just(Step::Restore),
        1 => Just(Step::Restart),
        1 => Just(Step::Miss),
        3 => Just(Step::Look),
    ]
}

struct Run {
    rig: Rig,
    log: RecordedLog,
    backup: Option<MemoryBackup>,
    position: Option<Position>,
    tail: Option<Tail>,
    /// A snapshot that is being read.
    snapshot: Option<Snapshot>,
    /// A difference that is being read.
    difference: Option<Difference>,
    /// All that ever was, by life and revision.
    states: BTreeMap<(String, u64), Vec<Record>>,
    looks: usize,
}

impl Run {
    async fn new() -> Run {
        let rig = Rig::new();
        let log = rig.recorded();
        let mut run = Run {
            rig,
            log,
            backup: None,
            position: None,
            tail: None,
            snapshot: None,
            difference: None,
            states: BTreeMap::new(),
            looks: 0,
        };
        run.remember().await;
        run
    }

    async fn remember(&mut self) {
        let (position, records) = self.rig.truth().await;
        let key = (position.epoch.to_string(), position.revision.0);
        self.states.insert(key, records);
    }

    async fn commit(&mut self, transaction: Transaction) {
        self.rig.commit(transaction).await;
        self.remember().await;
    }

    async fn take(&mut self, step: Step) {
        let key = |key: u8| format!("key {key}");
        match step {
            Step::Put(name, size) => {
                self.commit(put(&key(name), vec![name; usize::from(size)]))
                    .await;
            }
            Step::Delete(name) => self.commit(delete(&key(name))).await,
            Step::Several(name) => {
                let other = key((name + 1) % 6);
                let several = put(&key(name), "several").delete(&flags(), other);
                self.commit(several).await;
            }
            Step::Elsewhere => {
                let elsewhere = Keyspace::new("elsewhere").unwrap();
                self.commit(Transaction::new().put(&elsewhere, "key", ""))
                    .await;
            }
            Step::Head => drop(self.log.head(&flags()).await.unwrap()),
            Step::Read(batches) => self.read(batches).await,
            Step::Reopen => self.tail = None,
            Step::Snapshot(pages) => self.snapshot(pages).await,
            Step::Differ(pages) => self.differ(pages).await,
            Step::Compact(back) => {
                let (head, _) = self.rig.truth().await;
                let revision = head.revision.0.saturating_sub(u64::from(back)).max(1);
                let _ = self
                    .rig
                    .memory
                    .compact(globe_log_client::Revision(revision));
            }
            Step::Backup => self.backup = Some(self.rig.memory.backup()),
            Step::Restore => {
                if let Some(backup) = &self.backup {
                    self.rig.memory.restore(backup);
                    self.remember().await;
                }
            }
            Step::Restart => self.restart().await,
            Step::Miss => {
                self.position = Some(self.rig.truth().await.0);
                self.tail = None;
            }
            Step::Look => self.look().await,
        }
    }

    async fn read(&mut self, batches: u8) {
        let Some(position) = self.position else {
            return;
        };
        if self.tail.is_none() {
            self.tail = self.log.tail(&flags(), position).await.ok();
        }
        for _ in 0..batches {
            let Some(tail) = &mut self.tail else { return };
            // What is there is there at once.
            let next = tokio::select! {
                biased;
                next = tail.next() => next,
                () = tokio::task::yield_now() => return,
            };
            match next {
                Ok(batch) => {
                    let here = self.position.as_mut().unwrap();
                    here.revision = batch.revision;
                }
                Err(_) => self.tail = None,
            }
        }
    }

    async fn snapshot(&mut self, pages: u8) {
        if self.snapshot.is_none() {
            self.snapshot = self.log.snapshot(&flags()).await.ok();
        }
        for _ in 0..pages {
            let Some(snapshot) = &mut self.snapshot else {
                return;
            };
            match snapshot.next_page().await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.position = Some(snapshot.position());
                    (self.snapshot, self.tail) = (None, None);
                }
                Err(_) => self.snapshot = None,
            }
        }
    }

    async fn differ(&mut self, pages: u8) {
        let Some(position) = self.position else {
            return;
        };
        if self.difference.is_none() {
            let known = self.stood(position).iter().map(|one| one.key.clone());
            let known = KnownKeys::new(known.collect()).unwrap();
            let difference = self.log.difference(&flags(), position, known).await;
            self.difference = difference.ok();
        }
        for _ in 0..pages {
            let Some(difference) = &mut self.difference else {
                return;
            };
            match difference.next_page().await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.position = Some(difference.position());
                    (self.difference, self.tail) = (None, None);
                }
                Err(_) => self.difference = None,
            }
        }
    }

    /// What the log held at a position.
    fn stood(&self, position: Position) -> &[Record] {
        let epoch = position.epoch.to_string();
        let upto = (epoch.clone(), position.revision.0);
        let truth = self.states.range((epoch, 0)..=upto).next_back();
        truth.expect("there was no such position").1
    }

    async fn restart(&mut self) {
        (self.tail, self.snapshot, self.difference) = (None, None, None);
        self.log.flush().await.unwrap();
        let other = self.rig.recorded();
        drop(std::mem::replace(&mut self.log, other));
        if self.rig.folder.path().join("flags.globe.lock").exists() {
            self.rig.is_let_go().await;
        }
        let copy = self.rig.offline().read(&flags()).await.unwrap();
        self.position = copy.map(|copy| copy.position);
    }

    async fn look(&mut self) {
        self.log.flush().await.unwrap();
        let Some(copy) = self.rig.offline().read(&flags()).await.unwrap() else {
            return;
        };
        let truth = self.stood(copy.position);
        assert_eq!(copy.records, truth, "at {}", copy.position);
        self.looks += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_copy_is_what_the_log_held_at_its_position(steps in vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for step in steps {
                run.take(step).await;
            }
            run.look().await;
            // Whatever was, a snapshot makes it whole, and a tail keeps it so.
            run.snapshot = None;
            run.snapshot(100).await;
            run.take(Step::Put(0, 5)).await;
            run.read(100).await;
            run.log.flush().await.unwrap();
            run.rig.is_whole().await;
        });
    }
}
