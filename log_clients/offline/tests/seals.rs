//! A copy that is sealed is one for who has the key, and a seal that fails or panics harms nobody but the copy.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use globe_log_client::{ErrorKind, LogClient};
use globe_offline::{Offline, Refusal, Seal};
use rig::{Follower, Rig, flags, put, wait_for};

/// What a seal does instead of its work.
const WELL: u8 = 0;
const FULL: u8 = 1;
const PANICS: u8 = 2;
const LIES: u8 = 3;

/// No encryption, but like one: it tells what was sealed with another key, or changed.
#[derive(Clone, Debug)]
struct Key {
    key: u8,
    does: Arc<AtomicU8>,
}

impl Key {
    fn new(key: u8) -> Key {
        let does = Arc::default();
        Key { key, does }
    }

    fn does(&self, what: u8) {
        self.does.store(what, Ordering::SeqCst);
    }

    fn sum(&self, plain: &[u8]) -> u8 {
        let add = |sum: u8, byte: &u8| sum.rotate_left(3).wrapping_add(*byte);
        plain.iter().fold(self.key, add)
    }
}

impl Seal for Key {
    fn seal(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self.does.load(Ordering::SeqCst) {
            FULL => return Err(io::Error::from(io::ErrorKind::StorageFull)),
            PANICS => std::panic::panic_any(Bomb),
            LIES => return Ok(vec![1, 2, 3]),
            _ => {}
        }
        let mut sealed = vec![self.key, self.sum(plain)];
        sealed.extend(plain.iter().map(|byte| byte ^ self.key));
        Ok(sealed)
    }

    fn open(&self, sealed: &[u8]) -> io::Result<Vec<u8>> {
        if self.does.load(Ordering::SeqCst) == PANICS {
            std::panic::panic_any(Bomb);
        }
        let no = |why: &str| io::Error::other(why.to_owned());
        let ([key, sum], rest) = sealed.split_first_chunk().ok_or_else(|| no("too short"))?;
        if *key != self.key {
            return Err(no("another key"));
        }
        let plain: Vec<u8> = rest.iter().map(|byte| byte ^ self.key).collect();
        let is_it = self.sum(&plain) == *sum;
        is_it.then_some(plain).ok_or_else(|| no("it was changed"))
    }
}

/// A payload that panics again.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("again");
        }
    }
}

fn sealed(rig: &Rig, key: &Key) -> Offline {
    rig.offline().sealed(key.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sealed_is_opened_by_the_same_key_only_and_shows_nothing() {
    let rig = Rig::new();
    rig.commit(put("first", "SECRET")).await;
    let key = Key::new(0x5a);
    let log = rig.recorded_by(&sealed(&rig, &key));
    let mut follower = Follower::start(&log).await;
    follower
        .reach(rig.commit(put("second", "SECRET")).await)
        .await;
    log.flush().await.unwrap();
    let bytes = fs::read(rig.file()).unwrap();
    let shows = |text: &str| {
        bytes
            .windows(text.len())
            .any(|some| some == text.as_bytes())
    };
    assert!(!shows("SECRET") && !shows("first") && !shows("flags"));

    let copy = sealed(&rig, &key).read(&flags()).await.unwrap().unwrap();
    assert_eq!((copy.position, copy.records), rig.truth().await);
    let other = sealed(&rig, &Key::new(3)).read(&flags()).await;
    assert_eq!(other, Err(Refusal::Unopened("another key".to_owned())));
    assert_eq!(rig.offline().read(&flags()).await, Err(Refusal::Sealed));
    key.does(PANICS);
    let panicked = sealed(&rig, &key).read(&flags()).await;
    let why = "the seal panicked".to_owned();
    assert_eq!(panicked, Err(Refusal::Unopened(why)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_sealed_is_refused_by_who_has_a_key() {
    let rig = Rig::new();
    let log = rig.recorded();
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let refused = sealed(&rig, &Key::new(3)).read(&flags()).await;
    assert_eq!(refused, Err(Refusal::Unsealed));
}

/// The checksums are no secret: whoever can write the file can make them fit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_frames_that_were_left_out_or_moved_with_fitting_checksums_end_what_is_believed() {
    let rig = Rig::new();
    let key = Key::new(0x5a);
    let log = rig.recorded_by(&sealed(&rig, &key));
    let mut follower = Follower::start(&log).await;
    let begun = follower.position;
    for n in 0..3 {
        follower
            .reach(rig.commit(put(&format!("key {n}"), "v")).await)
            .await;
    }
    log.flush().await.unwrap();
    drop((follower, log));
    rig.is_let_go().await;
    let bytes = fs::read(rig.file()).unwrap();
    let (head, frames) = (&bytes[..16], bodies(&bytes));
    // As it was, it can be made from its parts.
    assert_eq!(forged(head, &frames), bytes);
    // Begin, number, current, and three commits.
    let (base, commits) = frames.split_at(3);
    for order in [vec![1, 2], vec![1, 0, 2], vec![2]] {
        let moved = order.iter().map(|n| commits[*n].clone());
        let moved: Vec<_> = base.iter().cloned().chain(moved).collect();
        fs::write(rig.file(), forged(head, &moved)).unwrap();
        let copy = sealed(&rig, &key).read(&flags()).await.unwrap().unwrap();
        assert_eq!((copy.position, copy.records), (begun, Vec::new()));
    }
}

fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut bodies) = (16, Vec::new());
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        bodies.push(bytes[at + 8..at + 8 + length].to_vec());
        at += 8 + length;
    }
    bodies
}

fn forged(head: &[u8], bodies: &[Vec<u8>]) -> Vec<u8> {
    let (mut bytes, mut sum) = (head.to_vec(), crc32(head));
    for body in bodies {
        let length = (body.len() as u32).to_le_bytes();
        sum = crc32(&[&sum.to_le_bytes(), &length[..], body].concat());
        bytes.extend([&length[..], &sum.to_le_bytes(), body].concat());
    }
    bytes
}

/// As the standard has it, bit by bit: so the checksum of a file is that of every build.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_that_fails_or_panics_stops_the_copy_and_not_its_readers_until_it_works_again() {
    for what in [FULL, PANICS] {
        let rig = Rig::new();
        let key = Key::new(0x5a);
        let offline = sealed(&rig, &key);
        let log = rig.recorded_by(&offline);
        let mut follower = Follower::start(&log).await;
        follower.reach(rig.commit(put("key", "1")).await).await;
        log.flush().await.unwrap();
        let before = offline.read(&flags()).await.unwrap().unwrap();

        key.does(what);
        for n in 0..100 {
            let head = rig.commit(put("key", n.to_string())).await;
            follower.reach(head).await;
        }
        let error = log.flush().await.unwrap_err();
        let kind = match what {
            FULL => ErrorKind::Full,
            _ => ErrorKind::Unavailable,
        };
        assert_eq!(error.kind(), &kind);
        assert_eq!(log.failure().unwrap().kind(), &kind);
        assert_eq!(log.written(), None);
        key.does(WELL);
        let copy = offline.read(&flags()).await.unwrap().unwrap();
        assert_eq!(copy.records, before.records);

        // Nobody needs to do anything.
        wait_for(|| log.written().is_some_and(|at| at.covers(follower.position))).await;
        assert!(log.failure().is_none());
        follower.reach(rig.commit(put("key", "last")).await).await;
        log.flush().await.unwrap();
        let copy = offline.read(&flags()).await.unwrap().unwrap();
        assert_eq!((copy.position, copy.records), rig.truth().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lying_seal_wrote_is_refused_or_left_out_and_replaced() {
    let rig = Rig::new();
    let key = Key::new(0x5a);
    let offline = sealed(&rig, &key);
    let log = rig.recorded_by(&offline);
    let mut follower = Follower::start(&log).await;
    follower.reach(rig.commit(put("key", "1")).await).await;
    log.flush().await.unwrap();
    let before = offline.read(&flags()).await.unwrap().unwrap();
    key.does(LIES);
    follower.reach(rig.commit(put("key", "2")).await).await;
    log.flush().await.unwrap();
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    assert_eq!(
        (copy.position, copy.records),
        (before.position, before.records)
    );
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let refused = offline.read(&flags()).await;
    assert!(matches!(refused, Err(Refusal::Unopened(_))), "{refused:?}");
    key.does(WELL);
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    assert_eq!((copy.position, copy.records), rig.truth().await);
}

/// A key that cannot be had for a while is no reason to lose what is sealed with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_had_at_the_start_loses_nothing() {
    let rig = Rig::new();
    let key = Key::new(0x5a);
    let offline = sealed(&rig, &key);
    let log = rig.recorded_by(&offline);
    Follower::start(&log).await;
    log.flush().await.unwrap();
    let position = offline.read(&flags()).await.unwrap().unwrap().position;
    drop(log);
    rig.is_let_go().await;
    let bytes = fs::read(rig.file()).unwrap();

    key.does(PANICS);
    let log = rig.recorded_by(&offline);
    let mut follower = Follower::after(&log, position).await;
    follower.reach(rig.commit(put("key", "1")).await).await;
    let _ = log.flush().await;
    assert_eq!(fs::read(rig.file()).unwrap(), bytes);
    key.does(WELL);
    tokio::time::sleep(Duration::from_millis(10)).await;
    wait_for(|| log.written().is_some_and(|at| at.covers(follower.position))).await;
    let copy = offline.read(&flags()).await.unwrap().unwrap();
    assert_eq!((copy.position, copy.records), rig.truth().await);
    log.head(&flags()).await.unwrap();
}
