//! A log that is followed, and a disk that can be stopped.
//!
//! It never mends anything: that is what the tests look for.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use globe_offline::{Offline, OfflineCopy, RecordedLog, Seal};
use tokio::time::Instant;

use super::counted::Counted;
use super::{BOUND, Follower, Rig, flags, put, wait_for};

/// A disk that can be stopped: nothing is written while it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<(Mutex<bool>, Condvar, AtomicUsize)>);

impl Disk {
    pub(crate) fn stop(&self) {
        *self.0.0.lock().unwrap() = true;
    }

    pub(crate) fn go_on(&self) {
        *self.0.0.lock().unwrap() = false;
        self.0.1.notify_all();
    }

    /// What holds `poison` fails so many times.
    pub(crate) fn fail(&self, times: usize) {
        self.0.2.store(times, Ordering::SeqCst);
    }
}

impl Seal for Disk {
    fn seal(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let stopped = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(stopped, |stopped| *stopped).unwrap());
        let fails = &self.0.2;
        if plain.windows(6).any(|some| some == b"poison") && fails.load(Ordering::SeqCst) > 0 {
            fails.fetch_sub(1, Ordering::SeqCst);
            return Err(io::Error::other("it failed"));
        }
        Ok(plain.to_vec())
    }

    fn open(&self, sealed: &[u8]) -> io::Result<Vec<u8>> {
        Ok(sealed.to_vec())
    }
}

pub(crate) struct Stage {
    pub(crate) rig: Rig,
    pub(crate) disk: Disk,
    pub(crate) offline: Offline,
    pub(crate) inner: Counted,
    pub(crate) log: RecordedLog,
    pub(crate) follower: Follower,
}

/// More than fits on the way to the disk.
pub(crate) const MANY: usize = 1_000;
pub(crate) const LARGE: usize = 64 * 1024;

impl Stage {
    pub(crate) async fn new() -> Stage {
        let rig = Rig::new();
        let disk = Disk::default();
        let offline = rig.offline().sealed(disk.clone());
        let inner = Counted::new(rig.memory.clone());
        let log = RecordedLog::new(Arc::new(inner.clone()), &flags(), &offline).unwrap();
        let mut follower = Follower::start(&log).await;
        follower.reach(rig.commit(put("key", "first")).await).await;
        log.flush().await.unwrap();
        Stage {
            rig,
            disk,
            offline,
            inner,
            log,
            follower,
        }
    }

    /// Reads more than fits, while the disk stands still.
    pub(crate) async fn lose(&mut self) {
        self.disk.stop();
        let begun = Instant::now();
        for n in 0..MANY {
            let key = format!("key {}", n % 20);
            self.follower
                .reach(self.rig.commit(put(&key, vec![n as u8; LARGE])).await)
                .await;
        }
        assert!(begun.elapsed() < BOUND / 4, "they wait for the disk");
    }

    pub(crate) async fn copy(&self) -> OfflineCopy {
        self.offline.read(&flags()).await.unwrap().unwrap()
    }

    /// Without anybody doing anything.
    pub(crate) async fn is_mended(&self) {
        let (position, records) = self.rig.truth().await;
        let log = &self.log;
        wait_for(|| log.written().is_some_and(|at| at.covers(position))).await;
        let copy = self.copy().await;
        assert_eq!((copy.position, copy.records), (position, records));
    }
}
