//! Double barriers in storms.
//!
//! Never believes that somebody is in because he says so: an undisturbed reader, who sees every revision, says who stood when a
//! round began and when it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use futures::future::join_all;
use globe::{Cause, Claim, Claims, DoubleBarrier, ErrorKind, MemoryLog, View};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::{Process, STORM, faults, heal, processes, storms};
use crate::SECOND;
use crate::rig::{open, until, within};

const TOGETHER: usize = 3;
const ROOT: &str = "double/a";

#[test]
fn in_no_storm_is_one_in_without_the_others_nor_out_before_them_and_after_it_a_round_begins() {
    let (mut entered, mut rejected, mut left) = (0, 0, 0);
    for told in storms(storm) {
        entered += told.0;
        rejected += told.1;
        left += told.2;
    }
    let all = format!("{entered} were in, {rejected} were not, {left} left together");
    assert!(entered > 3 && rejected > 3 && left > 0, "{all}");
}

/// Who is in, by the record of the round.
fn listed(view: &View<String, Claim>) -> Option<Vec<String>> {
    let record = view.get(ROOT)?;
    let list = record.value["inside"].as_array().unwrap();
    let keys = list.iter().map(|key| key.as_str().unwrap());
    Some(keys.map(str::to_owned).collect())
}

/// What the undisturbed reader has seen, in the life of the log that is now.
#[derive(Default)]
struct Seen {
    /// Of whose session each claim was, whether it stands or not.
    owners: BTreeMap<String, String>,
    /// Who has been in, in all rounds.
    listed: BTreeSet<String>,
    /// Who was told that it was not in.
    rejected: BTreeSet<String>,
}

/// Reads every revision, and looks whether rounds begin and end as they should.
struct Reader {
    claims: Claims,
    seen: Arc<Mutex<Seen>>,
    reading: JoinHandle<()>,
}

impl Reader {
    async fn new(log: &MemoryLog) -> Reader {
        let claims: Claims = open(log, "claims").await;
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let mut watch = claims.watch().every_revision(100_000);
        let noting = Arc::clone(&seen);
        let reading = tokio::spawn(async move {
            let (mut list, mut is_of_this_life) = (None, true);
            while let Some(changes) = watch.next().await {
                let (view, mut seen) = (changes.after(), noting.lock().unwrap());
                let now = listed(&view);
                let is_resync = matches!(changes.cause(), Cause::Resync(_));
                if is_resync {
                    *seen = Seen::default();
                }
                for (key, claim) in view.iter().filter(|(key, _)| *key != ROOT) {
                    seen.owners.insert(key.clone(), claim.by.clone());
                }
                if now != list && !is_resync {
                    // Of what a restore brought back nobody is in any more, whatever stands.
                    if is_of_this_life {
                        ends_well(list.as_deref(), &view);
                    }
                    begins_well(now.as_deref(), &view, &seen);
                }
                is_of_this_life = !is_resync && (is_of_this_life || now != list);
                seen.listed.extend(now.iter().flatten().cloned());
                list = now;
            }
        });
        Reader {
            claims,
            seen,
            reading,
        }
    }

    /// All that is committed is noted.
    async fn reads_all(&self) {
        self.claims.sync().await.unwrap();
        // The reading task is woken by what this one has seen.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(
            !self.reading.is_finished(),
            "a round was not as it should be"
        );
    }

    /// The newest claim of a session: keys are numbered.
    fn newest_of(&self, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        let its = seen.owners.iter().filter(|(_, by)| *by == name);
        let number = |key: &str| -> u64 {
            let number = key.rsplit('-').next().unwrap();
            number.parse().unwrap()
        };
        its.map(|(key, _)| key.clone())
            .max_by_key(|key| number(key))
    }
}

/// A round is over when none of it stands any more.
fn ends_well(list: Option<&[String]>, view: &View<String, Claim>) {
    let mut keys = list.into_iter().flatten();
    let stands = keys.find(|key| view.contains_key(key.as_str()));
    assert_eq!(stands, None, "a round ended before it had left");
}

/// All of a round stand when it begins; none has been in before, or was told that it is not.
fn begins_well(list: Option<&[String]>, view: &View<String, Claim>, seen: &Seen) {
    let Some(list) = list else { return };
    assert_eq!(list.len(), TOGETHER, "{list:?}");
    for key in list {
        assert!(
            view.contains_key(key.as_str()),
            "{key} is in, and not there"
        );
        assert!(!seen.listed.contains(key), "{key} is in once more");
        assert!(
            !seen.rejected.contains(key),
            "{key} is in, and was told it is not"
        );
    }
}

impl Process {
    fn barrier(&self) -> DoubleBarrier {
        DoubleBarrier::new(&self.claims, &self.session, "a", TOGETHER).unwrap()
    }

    /// Enters and leaves, drops what it was doing, is cut off, until the storm is over; how often it was in, was not, and left
    /// with all others.
    async fn take_part(&mut self, reader: &Reader, end: Instant) -> (usize, usize, usize) {
        let mut told = (0, 0, 0);
        while Instant::now() < end {
            let (bound, inside) = (self.time(8_000), self.time(4_000));
            match self.rng.usize(..10) {
                0 => self.cut_off().await,
                1 => drop(timeout(bound / 20, self.barrier().enter(bound)).await),
                _ => self.round(reader, bound, inside, &mut told).await,
            }
            sleep(self.time(300)).await;
        }
        told
    }

    async fn round(
        &mut self,
        reader: &Reader,
        bound: Duration,
        inside: Duration,
        told: &mut (usize, usize, usize),
    ) {
        let life = || reader.claims.position().map(|at| at.epoch);
        let before = life();
        let entered = self.barrier().enter(bound).await;
        reader.reads_all().await;
        let is_one_life = before == life() && self.claims.position().map(|at| at.epoch) == before;
        let newest = reader.newest_of(self.session.name());
        match entered {
            Err(error) if *error.kind() == ErrorKind::Busy => {
                told.1 += 1;
                if let Some(key) = newest.filter(|_| is_one_life) {
                    let mut seen = reader.seen.lock().unwrap();
                    assert!(!seen.listed.contains(&key), "{key} is in: {error}");
                    seen.rejected.insert(key);
                }
            }
            Err(_) => {}
            Ok(entered) => {
                told.0 += 1;
                let round = listed(&reader.claims.view()).unwrap_or_default();
                if let Some(key) = newest.filter(|_| is_one_life) {
                    let seen = reader.seen.lock().unwrap();
                    assert!(seen.listed.contains(&key), "{key} was told that it is in");
                }
                sleep(inside).await;
                if self.rng.usize(..5) == 0 {
                    return;
                }
                let left = entered.leave(bound * 2).await;
                reader.reads_all().await;
                if left.is_ok() && before == life() {
                    told.2 += 1;
                    let view = reader.claims.view();
                    let stays = round.iter().find(|key| view.contains_key(key.as_str()));
                    assert_eq!(stays, None, "one left before another");
                }
            }
        }
    }
}

/// One storm; how many were in, were not, and left together.
async fn storm(seed: u64) -> (usize, usize, usize) {
    let log = MemoryLog::new();
    let mut all = processes(&log, seed, 3..=5).await;
    let reader = Reader::new(&log).await;
    for process in &all {
        process.log.set_faults(faults(seed));
    }
    let end = Instant::now() + STORM;
    let lives = all
        .iter_mut()
        .map(|process| process.take_part(&reader, end));
    let told = join_all(lives).await;
    heal(&all);
    // Who was in and died has left, after a while.
    let rounds = all[..TOGETHER].iter().map(|process| async {
        let inside = within("a round begins", process.barrier().enter(SECOND * 50)).await;
        let wait = Duration::from_millis(Rng::with_seed(seed).u64(1..500));
        sleep(wait).await;
        within("it ends", inside.unwrap().leave(SECOND * 50)).await
    });
    for left in join_all(rounds).await {
        left.unwrap();
    }
    reader.reads_all().await;
    until("no claim is left", || reader.claims.is_empty()).await;
    reader.reading.abort();
    told.into_iter().fold((0, 0, 0), |sum, told| {
        (sum.0 + told.0, sum.1 + told.1, sum.2 + told.2)
    })
}
