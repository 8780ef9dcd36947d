//! A bad record stays out: the last good value is kept, the record is listed, the other keys live on.
//!
//! What is bad is written past the map, as another program would.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::{CodecError, Decode, Encode, ErrorKind, Globe, MemoryLog, Phase};
use rig::{brisk, delete_raw, fails_with, fresh, in_a_gap, put_all, until, within, write_raw};
use tracing::Level;

#[tokio::test(start_paused = true)]
async fn an_undecodable_value_leaves_the_last_good_one_and_is_listed() {
    let (log, map) = fresh().await;
    put_all(&map, [("a", 1), ("b", 1)]).await;
    let mut watch = map.watch();
    let bad = write_raw(&log, "numbers", "a", b"\"hunter2\"").await;
    let fresh = write_raw(&log, "numbers", "fresh", b"{").await;
    write_raw(&log, "numbers", "b", b"2").await;
    until("the others live on", || map.get("b").as_deref() == Some(&2)).await;
    assert_eq!(map.get("a").as_deref(), Some(&1), "the last good value");
    assert_eq!(map.get("fresh"), None);
    let listed = map.quarantine();
    let places: Vec<_> = listed
        .iter()
        .map(|bad| (bad.key(), bad.version.revision()))
        .collect();
    assert_eq!(
        places,
        [(&b"a"[..], bad.revision), (b"fresh", fresh.revision)]
    );
    assert!(
        listed[0].reason.contains("expected u64"),
        "{}",
        listed[0].reason
    );
    assert!(!format!("{listed:?}").contains("hunter2"));
    assert_eq!(
        (
            map.status().quarantined,
            map.status().entries,
            map.status().phase
        ),
        (2, 2, Phase::Live)
    );
    assert_eq!(map.view().quarantine().count(), 2);
    let changes = watch.next().await.unwrap();
    assert!(
        changes.iter().all(|change| change.key() == "b"),
        "what stays out is no change"
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_good_write_heals_whoever_makes_it() {
    let (log, map) = fresh().await;
    for (round, key) in ["put", "raw", "put_all", "delete", "transact"]
        .into_iter()
        .enumerate()
    {
        write_raw(&log, "numbers", key, b"bad").await;
        until("it is listed", || map.quarantine().len() == 1).await;
        match round {
            0 => drop(map.put(key, 7).await.unwrap()),
            1 => drop(write_raw(&log, "numbers", key, b"7").await),
            2 => drop(map.put_all([(key.to_owned(), 7)]).await.unwrap()),
            3 => assert!(
                map.delete(key).await.unwrap().replaced(),
                "something stood there"
            ),
            _ => map
                .transact(|txn| txn.put(&map, key, 7))
                .await
                .map(drop)
                .unwrap(),
        }
        until("it is healed", || map.quarantine().is_empty()).await;
        let expected = (key != "delete").then_some(7);
        assert_eq!(map.get(key).as_deref().copied(), expected, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_bad_record_is_forgotten_with_its_last_good_value() {
    let (log, map) = fresh().await;
    map.put("a", 1).await.unwrap();
    write_raw(&log, "numbers", "a", b"bad").await;
    until("it is listed", || map.quarantine().len() == 1).await;
    delete_raw(&log, "numbers", "a").await;
    until("it is gone", || {
        map.quarantine().is_empty() && map.is_empty()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_would_be_computed_from_a_bad_value_is_refused() {
    let (log, map) = fresh().await;
    map.put("a", 1).await.unwrap();
    write_raw(&log, "numbers", "a", b"bad").await;
    until("it is listed", || map.quarantine().len() == 1).await;
    let update = map
        .update("a", |old| old.copied().unwrap_or(0) + 1)
        .await
        .map(drop);
    let read = map.transact(|txn| txn.get(&map, "a")).await.map(drop);
    for outcome in [update, read] {
        let error = fails_with(outcome, ErrorKind::Codec);
        assert!(error.to_string().contains("numbers/a"), "{error}");
    }
    assert!(
        map.create("a", 2).await.unwrap_err().is_conflict(),
        "a bad record is a record"
    );
}

#[tokio::test(start_paused = true)]
async fn a_resync_keeps_the_last_good_value_and_the_list() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    put_all(&map, [("a", 1), ("healed", 1), ("gone", 1)]).await;
    for key in ["a", "healed", "gone"] {
        write_raw(&log, "numbers", key, b"bad").await;
    }
    until("they are listed", || map.quarantine().len() == 3).await;
    in_a_gap(&log, async {
        write_raw(&log, "numbers", "healed", b"2").await;
        delete_raw(&log, "numbers", "gone").await;
    })
    .await;
    until("the resync", || map.status().resyncs == 1).await;
    assert_eq!(map.quarantine().len(), 1);
    assert_eq!(map.get("a").as_deref(), Some(&1));
    assert_eq!(map.get("healed").as_deref(), Some(&2));
    assert_eq!(map.get("gone"), None);
    map.put("a", 3).await.unwrap();
    assert!(map.quarantine().is_empty(), "and a put still heals it");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_decoded_is_kept_out_and_can_be_deleted() {
    let log = MemoryLog::new();
    let map: Globe<u8, u64> = Globe::open(log.clone(), "bytes").await.unwrap();
    map.put(7, 1).await.unwrap();
    write_raw(&log, "bytes", "seven", b"1").await;
    write_raw(&log, "bytes", "7", b"1").await;
    until("they are listed", || map.quarantine().len() == 2).await;
    assert_eq!(
        (map.len(), map.get(&7).as_deref()),
        (1, Some(&1)),
        "two texts are never one key"
    );
    assert!(
        map.quarantine()[1].reason.contains("u8"),
        "{:?}",
        map.quarantine()
    );
    assert_eq!(map.delete_prefix("s").await.unwrap().count(), 1);
    delete_raw(&log, "bytes", "7").await;
    until("nothing is listed", || map.quarantine().is_empty()).await;
    assert_eq!(map.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn under_strict_a_bad_record_ends_the_map() {
    let log = MemoryLog::new();
    let strict = || Globe::<String, u64>::builder(log.clone(), "numbers").strict(true);
    let map = strict().open().await.unwrap();
    map.put("a", 1).await.unwrap();
    let mut watch = map.watch();
    write_raw(&log, "numbers", "a", b"\"hunter2\"").await;
    assert!(within("the watch ends", watch.next()).await.is_none());
    let status = map.status();
    assert_eq!(status.phase, Phase::Failed);
    assert_eq!(*status.last_error.unwrap().kind(), ErrorKind::Codec);
    assert_eq!(map.get("a").as_deref(), Some(&1), "reads go on");
    for outcome in [
        map.put("a", 2).await.map(drop),
        map.sync().await.map(drop),
        map.wait_for(|_| false).await.map(drop),
    ] {
        let error = fails_with(outcome, ErrorKind::Codec);
        assert!(
            error.to_string().contains("numbers/a") && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
    assert_eq!(
        *strict().open().await.unwrap_err().kind(),
        ErrorKind::Codec,
        "at hydration as well"
    );
    assert!(strict().strict(false).open().await.is_ok());
}

#[derive(Debug)]
struct Touchy;

impl Encode<u64> for Touchy {
    fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
        match value {
            13 => Err("thirteen is not written".into()),
            value => Ok(vec![u8::try_from(*value)?]),
        }
    }
}

impl Decode<u64> for Touchy {
    fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
        assert_ne!(bytes, [13], "a bug in a codec");
        Ok(u64::from(bytes[0]))
    }
}

#[tokio::test(start_paused = true)]
async fn a_codec_that_panics_could_not_decode_and_harms_nobody_else() {
    let log = MemoryLog::new();
    let map: Globe<String, u64> = Globe::builder(log.clone(), "touchy")
        .codec(Touchy)
        .open()
        .await
        .unwrap();
    map.put("a", 1).await.unwrap();
    write_raw(&log, "touchy", "a", &[13]).await;
    write_raw(&log, "touchy", "empty", &[]).await;
    write_raw(&log, "touchy", "b", &[2]).await;
    until("the others live on", || map.get("b").as_deref() == Some(&2)).await;
    assert_eq!(
        (map.get("a").as_deref(), map.quarantine().len()),
        (Some(&1), 2)
    );
    assert!(map.quarantine()[0].reason.contains("panicked"));
    assert_eq!(map.status().phase, Phase::Live);
    let error = fails_with(map.put("c", 13).await, ErrorKind::Codec);
    assert!(error.to_string().contains("touchy/c"), "{error}");
    let refused = map.put_all([("ok".into(), 1), ("c".into(), 13)]).await;
    fails_with(refused, ErrorKind::Codec);
    assert_eq!(map.get("ok"), None, "nothing is half-written");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_codec_is_told_of_a_few_times_and_then_summed_up() {
    let (ear, _listening) = rig::ear::listen();
    let log = MemoryLog::new();
    for number in 0..1_000 {
        write_raw(&log, "numbers", &format!("k{number:03}"), b"bad").await;
    }
    let map = brisk(&log).await;
    assert_eq!(map.quarantine().len(), 1_000);
    let warnings = || {
        let lines = ear.at(Level::WARN).into_iter();
        lines.filter(|line| line.contains("kept out")).count()
    };
    let first = warnings();
    assert!((1..=10).contains(&first), "{first} warnings");
    // The same again at a resync is nothing new.
    in_a_gap(&log, write_raw(&log, "numbers", "good", b"1")).await;
    until("the resync", || map.status().resyncs == 1).await;
    assert_eq!(warnings(), first);
    assert_eq!(map.quarantine().len(), 1_000);
}
