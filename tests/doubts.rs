//! What is known to be missing is mended, and until then proves nothing.
//!
//! The log loses a batch on the way to one map; a conflict shows it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use futures::FutureExt;
use globe::log_client::Batch;
use globe::{CodecError, Decode, Encode, Error, ErrorKind, Globe, Json, MemoryLog, Phase};
use rig::{Around, brisk, conflicts, fails_with, reaches, until, within, write_raw};

type Numbers = Globe<String, u64>;

/// A map that was never given the write of `k`, although it has gone past it.
async fn with_a_lost_batch(log: &MemoryLog, around: &Around) -> Numbers {
    let map = brisk(around).await;
    around.distort(|batch| vec![Batch::progress(batch.revision)]);
    let lost = write_raw(log, "numbers", "k", b"7").await;
    reaches(&map, lost).await;
    around.be_honest();
    assert_eq!(map.get("k"), None, "lost on the way");
    map
}

#[tokio::test(start_paused = true)]
async fn a_doubt_survives_a_tail_that_breaks() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let broken = || Error::new(ErrorKind::Unavailable, "the tail broke");
    around.break_tails_after(Some((1, broken())));
    let map = with_a_lost_batch(&log, &around).await;
    // From now on no tail holds: the conflict raises the doubt while there is none, or one is just being opened.
    around.break_tails_after(Some((0, broken())));
    until("tails break", || map.status().failures >= 1).await;
    conflicts(within("the create", map.create("k", 1)).await);
    until("tails broke after it as well", || {
        map.status().resyncs >= 1 || map.status().failures >= 5
    })
    .await;
    around.break_tails_after(None);
    until("the lost write is there", || {
        map.get("k").as_deref() == Some(&7)
    })
    .await;
    assert!(map.status().resyncs >= 1 && map.status().violations >= 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_to_be_missing_is_never_proved_current() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    let map = with_a_lost_batch(&log, &around).await;
    around.hold_snapshots(true);
    conflicts(map.create("k", 1).await);
    until("it is stale", || map.status().phase == Phase::Stale).await;
    fails_with(map.sync().await, ErrorKind::Stale);
    around.hold_snapshots(false);
    within("it is mended", map.sync()).await.unwrap();
    assert_eq!(map.get("k").as_deref(), Some(&7));
    until("and live", || map.status().phase == Phase::Live).await;
}

fn lost() -> Error {
    Error::new(ErrorKind::Compacted, "forgotten")
}

#[tokio::test(start_paused = true)]
async fn a_tail_that_always_breaks_into_a_resync_causes_no_storm() {
    let log = MemoryLog::new();
    let around = Around::new(&log);
    // Each tail delivers one batch, and is then overtaken by compaction.
    around.break_tails_after(Some((1, lost())));
    let map: Numbers = Globe::open(around.clone(), "numbers").await.unwrap();
    let before = around.calls().snapshots;
    let writer = tokio::spawn({
        let log = log.clone();
        async move {
            loop {
                write_raw(&log, "numbers", "k", b"1").await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    let taken = around.calls().snapshots - before;
    // A pause grows to 2 s, of which at least half is waited.
    assert!(taken <= 70, "{taken} snapshots in a minute");
    let status = map.status();
    assert!(status.failures >= 10, "{status:?}");
    assert!(
        status.last_error.is_some(),
        "a storm is shown while it lasts"
    );
    writer.abort();
    around.break_tails_after(None);
    until("it is quiet again", || {
        let status = map.status();
        status.failures == 0 && status.last_error.is_none() && status.phase == Phase::Live
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_map_hydrated_more_slowly_than_the_log_is_compacted_converges() {
    let log = MemoryLog::builder().page_size(10).build();
    for number in 0..100 {
        write_raw(&log, "numbers", &format!("k{number:02}"), b"1").await;
    }
    let map: Numbers = Globe::builder(log.clone(), "numbers")
        .retry(Duration::from_millis(100), Duration::from_secs(1))
        .codec(Slow(log.clone()))
        .start()
        .unwrap();
    within("it is hydrated", map.hydrated()).await.unwrap();
    let last = write_raw(&log, "numbers", "last", b"1").await;
    let follows = map.wait_for(|view| view.position().covers(last));
    within("and follows", follows).await.unwrap();
    assert_eq!(map.len(), 101);
}

/// A codec so slow that in the time one value takes a neighbour writes, and the log forgets all it can.
#[derive(Debug)]
struct Slow(MemoryLog);

impl Encode<u64> for Slow {
    fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
        Encode::encode(&Json, value)
    }
}

impl Decode<u64> for Slow {
    fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
        let write = write_raw(&self.0, "elsewhere", "x", b"1");
        let written = write.now_or_never().ok_or("the log waits")?;
        self.0.compact(written.revision)?;
        Decode::decode(&Json, bytes)
    }
}
