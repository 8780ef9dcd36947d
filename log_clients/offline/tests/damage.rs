//! A file that is cut, changed, foreign, of another kind or of a newer version is refused, or is a true earlier state.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod rig;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use globe_log_client::{LogClient, Position, Record, Transaction};
use globe_offline::{Offline, OfflineCopy, Refusal};
use rig::{Follower, Rig, delete, flags, put};

/// A file, and all that was true at one time or another, in the order in which it was.
struct Written {
    rig: Rig,
    bytes: Vec<u8>,
    /// By revision, and how long the file was by then.
    states: BTreeMap<u64, (Vec<Record>, usize)>,
    last: Position,
}

impl Written {
    /// A snapshot, and after it a put, progress, a delete, several changes at once, and a lease.
    async fn new() -> Written {
        let rig = Rig::new();
        for n in 0..9 {
            rig.commit(put(&format!("k{n}"), vec![n; 2])).await;
        }
        let log = rig.recorded();
        let mut follower = Follower::start(&log).await;
        let lease = rig.memory.grant(Duration::from_secs(60)).await.unwrap();
        let mut states = BTreeMap::new();
        let commits = [
            None,
            Some(put("k1", "new")),
            Some(Transaction::new().put_leased(&flags(), "leased", "v", lease.id)),
            Some(delete("k2")),
            Some(
                put("k3", "")
                    .delete(&flags(), "k4")
                    .put(&flags(), "k5", "x"),
            ),
            Some(put("k2", "again")),
        ];
        for commit in commits {
            if let Some(commit) = commit {
                follower.reach(rig.commit(commit).await).await;
            }
            log.head(&flags()).await.unwrap();
            log.flush().await.unwrap();
            let length = fs::metadata(rig.file()).unwrap().len() as usize;
            let (position, records) = rig.truth().await;
            states.insert(position.revision.0, (records, length));
        }
        let last = follower.position;
        drop((follower, log));
        rig.is_let_go().await;
        let bytes = fs::read(rig.file()).unwrap();
        Written {
            rig,
            bytes,
            states,
            last,
        }
    }

    /// Reads other bytes in the place of the copy, and demands that they are refused or true.
    async fn read(&self, bytes: &[u8], folder: &Path) -> Result<OfflineCopy, Refusal> {
        fs::write(folder.join("flags.globe"), bytes).unwrap();
        let copy = Offline::in_folder(folder).read(&flags()).await?.unwrap();
        let (records, _) = &self.states[&copy.position.revision.0];
        assert_eq!(&copy.records, records);
        assert_eq!(copy.position.epoch, self.last.epoch);
        Ok(copy)
    }

    /// Where the records that it begins with end: nothing shorter is believed.
    fn base(&self) -> usize {
        let (_, length) = self.states.values().next().unwrap();
        // The first flush wrote when it was current as well.
        *length
    }
}

#[tokio::test]
async fn cut_anywhere_it_is_the_last_state_that_was_whole_by_then() {
    let written = Written::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut first = None;
    for length in 0..=written.bytes.len() {
        let read = written.read(&written.bytes[..length], folder.path()).await;
        let Ok(copy) = read else {
            assert_eq!(read, Err(Refusal::Damaged), "{length}");
            assert!(length < written.base() && first.is_none(), "{length}");
            continue;
        };
        first = first.or(Some(length));
        let whole = written.states.iter().rev();
        let whole = whole.clone().find(|(_, (_, end))| *end <= length);
        let at_least = whole.map_or(0, |(revision, _)| *revision);
        assert!(copy.position.revision.0 >= at_least, "{length}");
    }
    let copy = written.read(&written.bytes, folder.path()).await.unwrap();
    assert_eq!(copy.position, written.last);
    let first = first.unwrap();
    assert!(first > written.base() / 2, "{first} of {}", written.base());
}

#[tokio::test]
async fn with_any_bit_flipped_it_is_refused_or_a_true_earlier_state() {
    let written = Written::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut refusals = 0;
    let mut earlier = 0;
    for at in 0..written.bytes.len() {
        for bit in 0..8 {
            let mut bytes = written.bytes.clone();
            bytes[at] ^= 1 << bit;
            match written.read(&bytes, folder.path()).await {
                Err(_) => refusals += 1,
                Ok(copy) => {
                    earlier += 1;
                    // It is never believed beyond the damage.
                    let (_, length) = written.states[&copy.position.revision.0];
                    let beyond = written.states.range(copy.position.revision.0 + 1..);
                    assert!(at < written.bytes.len(), "{length}");
                    assert!(beyond.clone().next().is_none_or(|(_, (_, end))| at < *end));
                }
            }
        }
    }
    assert_eq!(refusals + earlier, written.bytes.len() * 8);
    assert!(refusals > 1_000 && earlier > 1_000, "{refusals}, {earlier}");
}

/// Damage of more than a bit: bytes that are zero, doubled, left out, or from elsewhere in the file.
#[tokio::test]
async fn with_pieces_lost_zeroed_repeated_or_exchanged_it_is_refused_or_a_true_earlier_state() {
    let written = Written::new().await;
    let folder = tempfile::tempdir().unwrap();
    let random = fastrand_like(7);
    for n in 0..3_000u64 {
        let mut bytes = written.bytes.clone();
        let from = random(3 * n) as usize % bytes.len();
        let length = 1 + random(3 * n + 1) as usize % (bytes.len() - from);
        let piece: Vec<u8> = bytes[from..from + length].to_vec();
        let to = random(3 * n + 2) as usize % bytes.len();
        match n % 4 {
            0 => bytes[from..from + length].fill(0),
            1 => drop(bytes.drain(from..from + length)),
            2 => drop(bytes.splice(to..to, piece)),
            _ => {
                let room = (bytes.len() - to).min(length);
                bytes[to..to + room].copy_from_slice(&piece[..room]);
            }
        }
        let _ = written.read(&bytes, folder.path()).await;
    }
    // Whole frames as well, which have good checksums of their own.
    let ends: Vec<usize> = frames(&written.bytes);
    for (n, from) in ends.iter().enumerate() {
        for to in &ends[n + 1..] {
            let without = [&written.bytes[..*from], &written.bytes[*to..]].concat();
            let twice = [&written.bytes[..*to], &written.bytes[*from..]].concat();
            for bytes in [without, twice] {
                let _ = written.read(&bytes, folder.path()).await;
            }
        }
    }
}

/// Where the frames of a file begin, and it ends.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut ends) = (16, vec![16]);
    while let Some(length) = bytes.get(at..at + 4) {
        at += 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        ends.push(at);
    }
    assert_eq!(at, bytes.len());
    ends
}

/// Numbers that look random, and are the same at every run.
fn fastrand_like(seed: u64) -> impl Fn(u64) -> u64 {
    move |n| {
        let mixed = (n ^ seed.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 29)
    }
}

#[tokio::test]
async fn what_is_foreign_newer_or_unreadable_is_refused_by_name() {
    let written = Written::new().await;
    let folder = tempfile::tempdir().unwrap();
    let refused = async |bytes: &[u8]| written.read(bytes, folder.path()).await.unwrap_err();
    assert_eq!(refused(b"").await, Refusal::Damaged);
    assert_eq!(refused(b"Globe").await, Refusal::Damaged);
    assert_eq!(refused(b"{}").await, Refusal::Foreign);
    assert_eq!(refused(&[0; 4096]).await, Refusal::Foreign);
    assert_eq!(refused(b"SQLite format 3\0").await, Refusal::Foreign);
    let mut bytes = written.bytes.clone();
    bytes[8] = 2;
    let newer = refused(&bytes).await;
    assert_eq!(newer, Refusal::Newer(2));
    assert_eq!(
        newer.to_string(),
        "it is of version 2; this program knows version 1"
    );
    bytes[8] = 0;
    assert_eq!(refused(&bytes).await, Refusal::Damaged);
    let bytes = &mut written.bytes.clone();
    bytes[12] = 2;
    assert_eq!(refused(bytes).await, Refusal::Damaged);

    let file = folder.path().join("flags.globe");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let refusal = Offline::in_folder(folder.path()).read(&flags()).await;
    assert!(
        matches!(refusal, Err(Refusal::Unreadable(_))),
        "{refusal:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_meets_a_file_it_does_not_believe_keeps_it_and_begins_another() {
    let written = Written::new().await;
    let rig = &written.rig;
    let mut newer = written.bytes.clone();
    newer[8] = 9;
    for bytes in [&b"something precious"[..], &newer] {
        fs::write(rig.file(), bytes).unwrap();
        let log = rig.recorded();
        let snapshot = log.snapshot(&flags()).await.unwrap();
        log.flush().await.unwrap();
        assert_eq!(fs::read(rig.file()).unwrap(), bytes, "until all is there");
        rig::read(snapshot).await;
        log.flush().await.unwrap();
        rig.is_whole().await;
        let refused = rig.folder.path().join("flags.globe.refused");
        assert_eq!(fs::read(refused).unwrap(), bytes);
        drop(log);
        rig.is_let_go().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_a_torn_end_is_gone_on_with_where_it_was_whole() {
    let written = Written::new().await;
    let rig = &written.rig;
    let ends = frames(&written.bytes);
    let mut head = written.last;
    for end in &ends[ends.len() - 6..] {
        let torn = &written.bytes[..end - 1];
        fs::write(rig.file(), [torn, &[0xab; 100]].concat()).unwrap();
        let position = rig.copy().await.position;
        let log = rig.recorded();
        let mut follower = Follower::after(&log, position).await;
        follower.reach(head).await;
        head = rig.commit(put("key", "more")).await;
        follower.reach(head).await;
        rig.reached(&log).await;
        rig.is_whole().await;
        drop((follower, log));
        rig.is_let_go().await;
    }
}
