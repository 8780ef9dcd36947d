//! A handle that only reads: needs no way to write, and keeps the map going as any other handle does.
//!
//! What it shows is what the map shows, so that is tested there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use globe::{CodecError, Decode, Globe, MemoryLog, Phase, Reader};
use rig::{fresh, numbers, until, within, write_raw};
use serde::Deserialize;

/// It can be read, and not written.
#[derive(Debug, Deserialize, PartialEq)]
struct Limit {
    percent: u8,
}

#[tokio::test]
async fn values_that_can_only_be_read_are_read() {
    let log = MemoryLog::new();
    write_raw(&log, "limits", "web", br#"{"percent":25}"#).await;
    let limits: Reader<String, Limit> = Reader::open(log.clone(), "limits").await.unwrap();
    assert_eq!(limits.get("web").as_deref(), Some(&Limit { percent: 25 }));
    write_raw(&log, "limits", "web", br#"{"percent":30}"#).await;
    within("it follows", limits.sync()).await.unwrap();
    assert_eq!(limits.get_entry("web").unwrap().percent, 30);
}

#[tokio::test]
async fn a_codec_that_can_only_read_is_enough() {
    struct Length;
    impl Decode<usize> for Length {
        fn decode(&self, bytes: &[u8]) -> Result<usize, CodecError> {
            Ok(bytes.len())
        }
    }
    let log = MemoryLog::new();
    write_raw(&log, "texts", "a", b"four").await;
    let builder = Reader::<String, usize>::builder_with(log.clone(), "texts", Length);
    let lengths = builder.start().unwrap();
    within("it hydrates", lengths.hydrated()).await.unwrap();
    assert_eq!(lengths.get("a").as_deref(), Some(&4));
    let builder = Reader::<String, usize>::builder(log, "texts").codec(Length);
    assert_eq!(builder.open().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_map_follows_until_its_last_handle_of_either_kind_is_gone() {
    let (log, map) = fresh().await;
    let (reader, watch) = (map.reader(), map.watch());
    drop(map);
    write_raw(&log, "numbers", "a", b"7").await;
    until("the reader follows", || reader.contains_key("a")).await;
    assert!(watch.ended().is_none());
    drop(reader);
    until("the tasks stop", || watch.ended().is_some()).await;
}

#[tokio::test]
async fn closing_one_handle_closes_all_of_either_kind() {
    let map: Globe<String, u64> = numbers(&MemoryLog::new()).await;
    map.put("a", 1).await.unwrap();
    let reader = map.reader();
    reader.close().await;
    assert_eq!(map.status().phase, Phase::Closed);
    assert!(map.put("a", 2).await.is_err());
    assert_eq!(reader.get("a").as_deref(), Some(&1));
}
