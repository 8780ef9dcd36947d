//! Locks, shared locks and permits in storms.
//!
//! Never asks the log who holds: those who hold say so themselves, all in one moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use globe::{
    Fenced, Globe, Hold, Lock, LockGuard, MemoryLog, Permit, ReadGuard, RwLock, Semaphore,
    WriteGuard,
};
use tokio::time::{Instant, sleep, timeout};

use super::{Process, STORM, faults, heal, processes, storms, watched};
use crate::SECOND;
use crate::rig::{open, until, within};

const PERMITS: u32 = 3;

#[test]
fn in_no_storm_do_two_hold_at_once_and_after_it_everybody_is_let_in() {
    let granted: usize = storms(storm).into_iter().sum();
    assert!(granted > 20, "{granted} guards were had: that says nothing");
}

/// What is held, as its owners see it.
#[derive(Clone)]
enum Held {
    Lock(Arc<LockGuard>),
    Read(Arc<ReadGuard>),
    Write(Arc<WriteGuard>),
    Permit(Arc<Permit>, u32),
}

impl Held {
    fn is_held(&self) -> bool {
        match self {
            Held::Lock(guard) => guard.is_held(),
            Held::Read(guard) => guard.is_held(),
            Held::Write(guard) => guard.is_held(),
            Held::Permit(guard, _) => guard.is_held(),
        }
    }

    fn is_let_go(&self) -> bool {
        let count = match self {
            Held::Lock(guard) => Arc::strong_count(guard),
            Held::Read(guard) => Arc::strong_count(guard),
            Held::Write(guard) => Arc::strong_count(guard),
            Held::Permit(guard, _) => Arc::strong_count(guard),
        };
        count == 1
    }
}

/// Looks at all of them in one moment, and keeps the order of exclusive grants.
#[derive(Default)]
struct Judge {
    held: Mutex<Vec<Held>>,
    /// The newest token of the lock, in each life of the log.
    granted: Mutex<BTreeMap<String, u64>>,
    count: Mutex<usize>,
}

impl Judge {
    fn grant(&self, held: Held) {
        if let Held::Lock(guard) = &held {
            let hold: &Hold = guard;
            let token = hold.token();
            let mut granted = self.granted.lock().unwrap();
            let last = granted.entry(token.epoch.to_string()).or_default();
            assert!(token.number > *last, "{token} was granted after {last}");
            *last = token.number;
        }
        *self.count.lock().unwrap() += 1;
        self.held.lock().unwrap().push(held);
        self.look();
    }

    /// What holds at this moment, by the word of those who hold.
    fn look(&self) {
        // What its owner has let go is dropped outside.
        let mut all = std::mem::take(&mut *self.held.lock().unwrap());
        all.retain(|held| !held.is_let_go());
        let now: Vec<&Held> = all.iter().filter(|held| held.is_held()).collect();
        let count = |is: fn(&Held) -> usize| now.iter().map(|held| is(held)).sum::<usize>();
        let locks = count(|held| usize::from(matches!(held, Held::Lock(_))));
        let reads = count(|held| usize::from(matches!(held, Held::Read(_))));
        let writes = count(|held| usize::from(matches!(held, Held::Write(_))));
        let permits = count(|held| match held {
            Held::Permit(_, weight) => *weight as usize,
            _ => 0,
        });
        assert!(locks <= 1, "{locks} hold the lock");
        assert!(
            writes <= 1 && (writes == 0 || reads == 0),
            "{writes} write, {reads} read"
        );
        assert!(permits <= PERMITS as usize, "{permits} permits are held");
        self.held.lock().unwrap().extend(all);
    }
}

/// One process, and the map of what is done under the lock.
struct Rival {
    process: Process,
    state: Globe<String, u64>,
}

impl Rival {
    /// Takes and lets go, drops what it was doing, is cut off, until the storm is over.
    async fn live(&mut self, judge: &Judge, end: Instant) {
        while Instant::now() < end {
            let bound = Duration::from_millis(self.process.rng.u64(1..20_000));
            let holding = Duration::from_millis(self.process.rng.u64(1..8_000));
            match self.process.rng.usize(..10) {
                0 => self.process.cut_off().await,
                1 => drop(timeout(bound / 20, self.lock().acquire()).await),
                2 => {
                    if let Ok(Some(guard)) = self.lock().try_acquire().await {
                        self.hold_lock(judge, guard, holding).await;
                    }
                }
                3 | 4 => {
                    let request = self
                        .lock()
                        .request()
                        .wait_at_most(bound)
                        .hold_at_most(holding);
                    if let Ok(guard) = request.acquire().await {
                        self.hold_lock(judge, guard, holding * 2).await;
                    }
                }
                5 => self.read(judge, bound, holding).await,
                6 => self.write(judge, bound, holding).await,
                7 => self.permits(judge, bound, holding).await,
                _ => {
                    let request = self.lock().request().wait_at_most(bound);
                    if let Ok(guard) = request.acquire().await {
                        self.hold_lock(judge, guard, holding).await;
                    }
                }
            }
            sleep(Duration::from_millis(self.process.rng.u64(1..500))).await;
        }
    }

    fn lock(&self) -> Lock {
        Lock::new(&self.process.claims, &self.process.session, "a").unwrap()
    }

    /// Writes under the lock now and then, while it holds.
    async fn hold_lock(&mut self, judge: &Judge, guard: LockGuard, holding: Duration) {
        let guard = Arc::new(guard);
        judge.grant(Held::Lock(Arc::clone(&guard)));
        let end = Instant::now() + holding;
        while Instant::now() < end {
            let state = self.state.with_deadline(SECOND * 3);
            let written = state.transact(|txn| {
                txn.require(&*guard)?;
                txn.put(&state, "token", guard.token().number)
            });
            let _ = written.await;
            sleep(Duration::from_millis(self.process.rng.u64(1..1_000))).await;
        }
        judge.look();
    }

    async fn read(&mut self, judge: &Judge, bound: Duration, holding: Duration) {
        let lock = RwLock::new(&self.process.claims, &self.process.session, "b").unwrap();
        if let Ok(guard) = lock.request_read().wait_at_most(bound).acquire().await {
            let guard = Arc::new(guard);
            judge.grant(Held::Read(Arc::clone(&guard)));
            sleep(holding).await;
        }
    }

    async fn write(&mut self, judge: &Judge, bound: Duration, holding: Duration) {
        let lock = RwLock::new(&self.process.claims, &self.process.session, "b").unwrap();
        if let Ok(guard) = lock.request_write().wait_at_most(bound).acquire().await {
            let guard = Arc::new(guard);
            judge.grant(Held::Write(Arc::clone(&guard)));
            sleep(holding).await;
        }
    }

    async fn permits(&mut self, judge: &Judge, bound: Duration, holding: Duration) {
        let semaphore =
            Semaphore::new(&self.process.claims, &self.process.session, "c", PERMITS).unwrap();
        let weight = self.process.rng.u32(1..=PERMITS);
        let Ok(request) = semaphore.request(weight).await else {
            return;
        };
        if let Ok(guard) = request.wait_at_most(bound).acquire().await {
            let guard = Arc::new(guard);
            judge.grant(Held::Permit(Arc::clone(&guard), weight));
            sleep(holding).await;
        }
    }
}

/// What was written under the lock, as an undisturbed reader sees it: in one life of the log tokens never fall.
async fn tokens_never_fall(log: MemoryLog) {
    let state: Globe<String, u64> = open(&log, "state").await;
    let mut watch = state.watch_key("token").every_revision(100_000);
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(changes) = watch.next().await {
        let life = changes.to().epoch.to_string();
        // What a restore brought back is not written in the new life.
        let is_resync = matches!(changes.cause(), globe::Cause::Resync(_));
        for change in changes.iter().filter(|_| !is_resync) {
            if let Some(token) = change.new_value() {
                let last = newest.entry(life.clone()).or_default();
                assert!(**token >= *last, "token {token} was written after {last}");
                *last = **token;
            }
        }
    }
}

/// One storm; how many guards were had.
async fn storm(seed: u64) -> usize {
    let log = MemoryLog::new();
    let mut rivals = Vec::new();
    for process in processes(&log, seed, 2..=4).await {
        let state = open(&process.log, "state").await;
        rivals.push(Rival { process, state });
    }
    let judge = Arc::new(Judge::default());
    let reading = tokio::spawn(tokens_never_fall(log.clone()));
    for rival in &rivals {
        rival.process.log.set_faults(faults(seed));
    }
    let end = Instant::now() + STORM;
    let lives = rivals.iter_mut().map(|rival| rival.live(&judge, end));
    watched(lives, || judge.look()).await;
    heal(rivals.iter().map(|rival| &rival.process));
    judge.look();
    // Everybody is let in once more, and nothing is left behind.
    for rival in &rivals {
        let guard = within("everybody is let in", rival.lock().acquire()).await;
        judge.grant(Held::Lock(Arc::new(guard.unwrap())));
        judge.look();
    }
    let quiet = open::<String, globe::Claim>(&log, "claims").await;
    until("no claim is left", || {
        quiet.view().keys().all(|key| key == "semaphore/c")
    })
    .await;
    assert!(!reading.is_finished(), "a token fell");
    reading.abort();
    let granted = judge.count.lock().unwrap();
    *granted
}
