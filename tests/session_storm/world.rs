//! One storm, drawn from a seed: its processes, what is done to them, and what has to be true meanwhile and after.
//!
//! It looks at the log itself, and asks no session whether it is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use globe::log_client::Transaction;
use globe::{ErrorKind, Keyspace, LeaseId, LogClient, MemoryLog, SessionState};
use globe_faulty::FaultyLog;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::expected::State;
use crate::process::Process;
use crate::way::Way;
use crate::weather::Weather;

/// The longest a part of a run may take in its own time.
const BOUND: Duration = Duration::from_secs(900);

/// How long after the last fault a commit may still be on its way, and a bit.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Records that are good for a lease.
const EACH: usize = 5;

/// Lives through the storm of a seed, on a paused clock.
pub(crate) fn live_through(seed: u64) {
    // The jitter of the sessions is drawn from the generator of this thread.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::begin(seed).await;
        world.storm().await;
        world.calm().await;
    });
}

#[derive(Clone)]
struct World {
    memory: MemoryLog,
    processes: Vec<Process>,
    ttl: Duration,
    rng: Arc<Mutex<Rng>>,
    /// What third parties ended: its holder cannot know at once.
    ended: Arc<Mutex<BTreeSet<LeaseId>>>,
    first_life: globe::Epoch,
    is_over: Arc<AtomicBool>,
}

impl World {
    async fn begin(seed: u64) -> World {
        // Every fifth breaks the contract: what a session is told then means nothing.
        let weather = Weather::of(seed + seed / 4);
        let mut rng = Rng::with_seed(seed);
        let mut capabilities = MemoryLog::new().capabilities();
        capabilities.records_per_lease = EACH;
        let memory = MemoryLog::builder().capabilities(capabilities).build();
        let ttl = Duration::from_millis(rng.u64(1_000..12_000));
        let mut processes = Vec::new();
        for number in 0..weather.nodes {
            let log = FaultyLog::builder(memory.clone())
                .operator(memory.clone())
                .seed(rng.u64(..))
                .faults(weather.faults.clone());
            let way = Way::new(log.build());
            processes.push(Process::begin(format!("p{number}"), way, ttl).await);
        }
        World {
            first_life: memory.head_position().epoch,
            memory,
            processes,
            ttl,
            rng: Arc::new(Mutex::new(rng)),
            ended: Arc::default(),
            is_over: Arc::default(),
        }
    }

    /// A generator of its own for each part.
    fn rng(&self) -> Rng {
        self.rng.lock().unwrap().fork()
    }

    /// Workers work, and things happen to them, until all is written.
    async fn storm(&self) {
        let (mut workers, mut others) = (JoinSet::new(), JoinSet::new());
        for process in &self.processes {
            for worker in 0..2 {
                workers.spawn(process.clone().work(worker, self.rng(), 15));
            }
            others.spawn(self.clone().trouble(process.clone(), self.rng()));
        }
        others.spawn(self.clone().vandalise(self.rng()));
        others.spawn(self.clone().watch(self.rng()));
        let all = async { while workers.join_next().await.map(Result::unwrap).is_some() {} };
        let all = tokio::time::timeout(BOUND, all).await;
        assert!(all.is_ok(), "some write never ended");
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = others.join_next().await {
            ended.unwrap();
        }
        for process in &self.processes {
            process.way.cut(false);
            process.way.log.heal();
        }
    }

    /// Cuts a process off for a while, or ends its session.
    async fn trouble(self, process: Process, mut rng: Rng) {
        while !self.is_over.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(rng.u64(..8_000))).await;
            if rng.u8(..3) == 0 {
                process.begin_anew().await;
                continue;
            }
            process.way.cut(true);
            sleep(self.ttl.mul_f64(2.0 * rng.f64())).await;
            process.way.cut(false);
        }
    }

    /// Deletes entries, and ends leases, of anybody.
    async fn vandalise(self, mut rng: Rng) {
        while !self.is_over.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(rng.u64(..5_000))).await;
            let records = self.records().await;
            let leased = records
                .into_iter()
                .filter_map(|(key, it)| Some((key, it.1?)));
            let leased: Vec<_> = leased.collect();
            let Some((key, lease)) = rng.choice(leased) else {
                continue;
            };
            if rng.bool() {
                self.ended.lock().unwrap().insert(lease);
                self.memory.revoke(lease).await.unwrap();
                continue;
            }
            for process in &self.processes {
                let is_its = process.book.lock().unwrap().contains_key(&key);
                if is_its {
                    process.note(&key, |expected| expected.deleted_by_others());
                }
            }
            let delete = Transaction::new().delete(&keyspace("numbers"), key);
            self.memory.commit(delete).await.unwrap();
        }
    }

    /// Looks now and then whether a session that says it is live has its leases.
    async fn watch(self, mut rng: Rng) {
        while !self.is_over.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(rng.u64(1..400))).await;
            for process in &self.processes {
                let Ok(session) = process.session.try_read() else {
                    continue;
                };
                let relied_on = process.way.relied_on(session.time_left());
                if session.state() == SessionState::Live {
                    for lease in relied_on {
                        let is_known = lease.epoch == self.memory.head_position().epoch
                            && !self.ended.lock().unwrap().contains(&lease.id);
                        let is_alive = self.is_alive(lease.id).await;
                        assert!(is_alive || !is_known, "a live session without its lease");
                    }
                }
            }
        }
    }

    /// Whether the log takes something under a lease.
    async fn is_alive(&self, lease: LeaseId) -> bool {
        let probe = Transaction::new();
        let probe = probe.put_leased(&keyspace("probes"), lease.to_string(), "1", lease);
        match self.memory.commit(probe).await {
            Ok(_) => true,
            Err(error) if *error.kind() == ErrorKind::LeaseLost => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until all is as it was told, and sees that it stays so.
    async fn calm(&self) {
        sleep(AFTERMATH).await;
        let mut wrong = Err("nothing was looked at".to_owned());
        let begun = tokio::time::Instant::now();
        while wrong.is_err() && begun.elapsed() < BOUND {
            sleep(Duration::from_secs(1)).await;
            wrong = self.verify().await;
        }
        wrong.unwrap();
        sleep(self.ttl * 3).await;
        self.verify().await.unwrap();
        for process in &self.processes {
            process.begin_anew().await;
        }
        self.verify().await.unwrap();
        assert_eq!(
            self.records()
                .await
                .values()
                .filter(|it| it.1.is_some())
                .count(),
            0
        );
    }

    /// Every key of every process against what it was told.
    async fn verify(&self) -> Result<(), String> {
        let was_restored = self.memory.head_position().epoch != self.first_life;
        let records = self.records().await;
        for (number, process) in self.processes.iter().enumerate() {
            let session = process.session.read().await;
            if session.state() != SessionState::Live {
                return Err(format!("{session:?} of {number} is not live"));
            }
            process
                .map
                .sync()
                .await
                .map_err(|error| error.to_string())?;
            let book = process.book.lock().unwrap().clone();
            let mut entries = 0;
            for (key, expected) in book {
                let state = match records.get(&key) {
                    None => State::Absent,
                    Some((value, None)) => State::Permanent(*value),
                    Some((value, Some(lease))) => {
                        entries += 1;
                        let entry = process.map.get_entry(&key);
                        let is_own = entry.is_some_and(|entry| {
                            session.owns(&entry) && entry.lease() == Some(*lease)
                        });
                        if !is_own {
                            return Err(format!("{key} is not under a lease of its session"));
                        }
                        State::Ephemeral(*value)
                    }
                };
                if !expected.allows(state, was_restored) {
                    let life = if was_restored { " (restored)" } else { "" };
                    return Err(format!("{key} is {state:?}{life}: {expected:?}"));
                }
            }
            let status = session.status();
            if status.entries != entries {
                return Err(format!("{entries} entries of {number}: {status:?}"));
            }
            if status.leases > entries.div_ceil(EACH) * 2 + 2 {
                return Err(format!("{} leases for {entries} entries", status.leases));
            }
        }
        Ok(())
    }

    /// What stands in the log.
    async fn records(&self) -> BTreeMap<String, (u64, Option<LeaseId>)> {
        let snapshot = self.memory.snapshot(&keyspace("numbers")).await.unwrap();
        let records = snapshot.collect().await.unwrap().into_iter();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let each = records.map(|record| {
            let value = text(&record.value).parse().unwrap();
            (text(&record.key), (value, record.lease))
        });
        each.collect()
    }
}

fn keyspace(name: &str) -> Keyspace {
    Keyspace::new(name).unwrap()
}
