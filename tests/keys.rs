//! Keys and codecs in a real map: what is written in the log is what people and other programs can read there.
//!
//! That each key survives being written is tested beside `Key` itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use globe::log_client::Record;
use globe::{
    Error, ErrorKind, Finder, Globe, IntoKey, Key, LogClient, Lookup, MemoryLog, key_error,
};
use rig::{keyspace, until, write_raw};
use serde::{Deserialize, Serialize};

/// What stands in the log, as its own tools would show it.
async fn records(log: &MemoryLog, space: &str) -> Vec<Record> {
    log.snapshot(&keyspace(space))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap()
}

async fn texts(log: &MemoryLog, space: &str) -> Vec<String> {
    let records = records(log, space).await;
    records
        .into_iter()
        .map(|record| String::from_utf8(record.key.to_vec()).unwrap())
        .collect()
}

#[tokio::test]
async fn integers_keep_their_order_in_the_log_and_in_the_map() {
    let log = MemoryLog::new();
    let map: Globe<i32, String> = Globe::open(log.clone(), "ints").await.unwrap();
    let keys = [i32::MIN, -10, -9, -1, 0, 1, 9, 10, i32::MAX];
    map.put_all(keys.map(|key| (key, key.to_string())))
        .await
        .unwrap();
    let view = map.view();
    let shown: Vec<i32> = view.iter().map(|(key, _)| *key).collect();
    assert_eq!(shown, keys);
    let in_log: Vec<String> = records(&log, "ints")
        .await
        .iter()
        .map(|record| serde_json::from_slice(&record.value).unwrap())
        .collect();
    assert_eq!(
        in_log,
        keys.map(|key| key.to_string()),
        "the log lists them in the same order"
    );
    assert_eq!(map.get(&-9).as_deref().map(String::as_str), Some("-9"));
    let from_zero: Vec<i32> = view.range(0..).map(|(key, _)| *key).collect();
    assert_eq!(from_zero, [0, 1, 9, 10, i32::MAX]);
}

#[tokio::test]
async fn tuples_are_paths_and_their_parts_may_hold_anything() {
    let log = MemoryLog::new();
    let map: Globe<(String, u16), u64> = Globe::open(log.clone(), "paths").await.unwrap();
    let keys = [
        ("eu".to_owned(), 7),
        ("eu/west".to_owned(), 7),
        ("100%".to_owned(), 1),
    ];
    map.put_all(keys.clone().map(|key| (key, 1))).await.unwrap();
    assert_eq!(
        texts(&log, "paths").await,
        ["100%25/00001", "eu%2Fwest/00007", "eu/00007"]
    );
    assert!(keys.iter().all(|key| map.contains_key(key)));
    assert_eq!(map.delete_prefix("eu/").await.unwrap().count(), 1);
    let again: Globe<(String, u16), u64> = Globe::open(log, "paths").await.unwrap();
    assert_eq!((again.len(), again.contains_key(&keys[1])), (2, true));
}

#[tokio::test]
async fn a_key_is_written_and_looked_up_by_what_it_is_plainly_made_of() {
    let log = MemoryLog::new();
    let texts: Globe<String, u64> = Globe::open(log.clone(), "texts").await.unwrap();
    let owned = "owned".to_owned();
    texts.put("a", 1).await.unwrap();
    texts.put(&owned, 2).await.unwrap();
    texts.put(format!("{owned}/b"), 3).await.unwrap();
    assert!(
        ["a", "owned", "owned/b"]
            .iter()
            .all(|key| texts.contains_key(*key))
    );
    assert!(texts.contains_key(&owned));

    let shared: Globe<Arc<str>, u64> = Globe::open(log.clone(), "texts").await.unwrap();
    shared.put("a", 4).await.unwrap();
    shared.put(&owned, 5).await.unwrap();
    shared.put(Arc::<str>::from("c"), 6).await.unwrap();
    assert_eq!(shared.get("c").as_deref(), Some(&6));

    let numbers: Globe<u64, u64> = Globe::open(log.clone(), "numbers").await.unwrap();
    numbers.put(5, 1).await.unwrap();
    numbers.put(&6, 1).await.unwrap();
    assert!(numbers.contains_key(&5) && numbers.get_entry(&6).is_some());
    assert!(numbers.delete(5).await.unwrap().replaced());

    let addresses: Globe<IpAddr, u64> = Globe::open(log, "addresses").await.unwrap();
    addresses.put(IpAddr::from([10, 0, 0, 9]), 1).await.unwrap();
    addresses
        .put(IpAddr::from([10, 0, 0, 10]), 2)
        .await
        .unwrap();
    let order: Vec<u64> = addresses.view().values().map(|value| **value).collect();
    assert_eq!(order, [1, 2], "the order of addresses, not of their texts");
}

#[tokio::test]
async fn a_tuple_is_written_and_looked_up_by_its_parts() {
    let log = MemoryLog::new();
    let two: Globe<(String, String), u64> = Globe::open(log.clone(), "two").await.unwrap();
    two.put(("eu", "web"), 1).await.unwrap();
    two.put(("us".to_owned(), "web"), 2).await.unwrap();
    two.put(("us", "api".to_owned()), 3).await.unwrap();
    assert_eq!(two.get(("eu", "web")).as_deref(), Some(&1));
    assert_eq!(two.view().get(("us", "api")).as_deref(), Some(&3));
    assert!(two.contains_key(&("us".to_owned(), "web".to_owned())));
    assert!(two.get_entry(("us".to_owned(), "web")).is_some());
    assert!(!two.view().contains_key(("web", "us")));

    let mixed: Globe<(u16, String, bool, String), u64> =
        Globe::open(log.clone(), "mixed").await.unwrap();
    mixed.put((7, "a/b", true, "c"), 1).await.unwrap();
    assert_eq!(mixed.get((7, "a/b", true, "c")).as_deref(), Some(&1));
    assert_eq!(mixed.get((7, "a/b", false, "c")), None);
    assert_eq!(texts(&log, "mixed").await, ["00007/a%2Fb/true/c"]);

    let plain: Globe<(u16, bool), u64> = Globe::open(log, "plain").await.unwrap();
    plain.put((7, true), 1).await.unwrap();
    assert!(plain.contains_key((7, true)) && !plain.contains_key((7, false)));
}

#[tokio::test]
async fn a_type_of_ones_own_is_made_of_and_looked_up_by_what_it_says() {
    let map: Globe<Host, u64> = Globe::open(MemoryLog::new(), "hosts").await.unwrap();
    map.put(("eu", 7), 1).await.unwrap();
    assert_eq!(map.get(("eu", 7)).as_deref(), Some(&1));
    assert!(map.view().contains_key(("eu", 7)) && !map.contains_key(("eu", 8)));
}

#[cfg(feature = "uuid")]
#[tokio::test]
async fn uuids_are_keys() {
    let log = MemoryLog::new();
    let map: Globe<uuid::Uuid, u64> = Globe::open(log.clone(), "ids").await.unwrap();
    let id = uuid::Uuid::from_u128(0xA1B2);
    map.put(id, 1).await.unwrap();
    assert_eq!(
        texts(&log, "ids").await,
        ["00000000-0000-0000-0000-00000000a1b2"]
    );
    assert_eq!(map.get(&id).as_deref(), Some(&1));
    write_raw(&log, "ids", "00000000-0000-0000-0000-00000000A1B2", b"2").await;
    until("another spelling is no key", || map.quarantine().len() == 1).await;
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Host {
    number: u16,
    region: String,
}

impl Key for Host {
    fn encode(&self) -> globe::Result<String> {
        if self.region.contains('-') {
            return Err(key_error(format!(
                "the region {} holds a dash",
                self.region
            )));
        }
        Ok(format!("{}-{}", self.region, self.number))
    }

    fn decode(text: &str) -> globe::Result<Host> {
        let parts = text
            .split_once('-')
            .and_then(|(region, number)| Some((region, number.parse().ok()?)));
        let (region, number) = parts.ok_or_else(|| key_error("a host is REGION-NUMBER"))?;
        Ok(Host {
            number,
            region: region.to_owned(),
        })
    }
}

impl IntoKey<Host> for (&str, u16) {
    fn into_key(self) -> Host {
        let (region, number) = (self.0.to_owned(), self.1);
        Host { number, region }
    }
}

impl Lookup<Host> for (&str, u16) {
    fn look_up<F: Finder<Host>>(self, finder: F) -> F::Found {
        finder.find(&self.into_key())
    }
}

#[tokio::test]
async fn a_type_of_ones_own_is_a_key_with_its_own_order() {
    let log = MemoryLog::new();
    let map: Globe<Host, u64> = Globe::open(log.clone(), "hosts").await.unwrap();
    let host = |region: &str, number| Host {
        number,
        region: region.to_owned(),
    };
    map.put_all([(host("a", 20), 1), (host("b", 3), 2), (host("c", 100), 3)])
        .await
        .unwrap();
    assert_eq!(texts(&log, "hosts").await, ["a-20", "b-3", "c-100"]);
    let view = map.view();
    let order: Vec<u16> = view.iter().map(|(key, _)| key.number).collect();
    assert_eq!(order, [3, 20, 100], "the map's order is `Ord`'s");
    let error: Error = map.put(host("x-y", 1), 1).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Codec);
    assert!(
        error.to_string().contains("hosts") && error.to_string().contains("x-y"),
        "{error}"
    );
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flag {
    on: bool,
    percent: u8,
}

fn flag(on: bool, percent: u8) -> Flag {
    Flag { on, percent }
}

#[tokio::test]
async fn what_globe_writes_is_plain_and_what_others_write_is_read() {
    let log = MemoryLog::new();
    let map: Globe<String, Flag> = Globe::open(log.clone(), "flags").await.unwrap();
    map.put("dark-mode", flag(true, 25)).await.unwrap();
    let record = records(&log, "flags").await.remove(0);
    assert_eq!(record.key, "dark-mode");
    assert_eq!(record.value, r#"{"on":true,"percent":25}"#);
    write_raw(
        &log,
        "flags",
        "by hand/ä",
        br#" { "percent": 5, "on": false, "comment": "new field" } "#,
    )
    .await;
    until("it is read", || map.contains_key("by hand/ä")).await;
    assert_eq!(map.get("by hand/ä").as_deref(), Some(&flag(false, 5)));
}

#[cfg(feature = "messagepack")]
#[tokio::test]
async fn messagepack_survives_and_tolerates_added_fields() {
    #[derive(Serialize)]
    struct Wider {
        on: bool,
        added: &'static str,
        percent: u8,
    }
    let log = MemoryLog::new();
    let open = || {
        Globe::<String, Flag>::builder(log.clone(), "packed")
            .codec(globe::MessagePack)
            .open()
    };
    let map = open().await.unwrap();
    let flag = flag(true, 25);
    map.put("a", flag.clone()).await.unwrap();
    assert_eq!(map.get("a").as_deref(), Some(&flag));
    assert_eq!(open().await.unwrap().get("a").as_deref(), Some(&flag));
    let wider = rmp_serde::to_vec_named(&Wider {
        on: false,
        added: "x",
        percent: 1,
    })
    .unwrap();
    write_raw(&log, "packed", "wider", &wider).await;
    write_raw(&log, "packed", "json", br#"{"on":true,"percent":25}"#).await;
    until("the wider one is read", || map.contains_key("wider")).await;
    until("another codec's value is kept out", || {
        map.quarantine().len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_value_only_its_codec_knows_needs_no_serde() {
    struct Plain;
    struct Opaque(u8);
    impl globe::Encode<Opaque> for Plain {
        fn encode(&self, value: &Opaque) -> Result<Vec<u8>, globe::CodecError> {
            Ok(vec![value.0])
        }
    }

    impl globe::Decode<Opaque> for Plain {
        fn decode(&self, bytes: &[u8]) -> Result<Opaque, globe::CodecError> {
            bytes
                .first()
                .map(|byte| Opaque(*byte))
                .ok_or_else(|| "no byte".into())
        }
    }
    let log = MemoryLog::new();
    let map: Globe<String, Opaque> = Globe::builder_with(log.clone(), "opaque", Plain)
        .open()
        .await
        .unwrap();
    map.put("a", Opaque(7)).await.unwrap();
    assert_eq!(map.get("a").map(|value| value.0), Some(7));
    assert_eq!(records(&log, "opaque").await[0].value, &[7_u8][..]);
}

#[tokio::test]
async fn the_ends_of_a_range_are_made_of_whatever_keys_are_made_of() {
    let log = MemoryLog::new();
    let map: Globe<(String, u32), u64> = Globe::open(log.clone(), "slots").await.unwrap();
    let entries = (0..10).flat_map(|slot| ["eu", "us"].map(|region| ((region, slot), 0)));
    map.put_all(entries.map(|((region, slot), value)| ((region.to_owned(), slot), value)))
        .await
        .unwrap();
    let (view, key) = (map.view(), ("eu".to_owned(), 7));
    let (eu, us) = (Bound::Excluded(("eu", 8)), Bound::Included(("us", 1)));
    let counts = [
        view.range(("eu", 3)..("eu", 7)).count(),
        view.range(("eu", 3)..=("eu", 7)).count(),
        view.range(("eu", 8)..).count(),
        view.range(..("eu", 3)).count(),
        view.range(..=("eu", 3)).count(),
        view.range((eu, us)).count(),
        view.range((eu, Bound::Unbounded)).count(),
        view.range(&key..).count(),
        view.range(key.clone()..key.clone()).count(),
        view.range(("us", 0)..("eu", 0)).count(),
        view.range(..).count(),
    ];
    assert_eq!(counts, [4, 5, 12, 3, 4, 3, 11, 13, 0, 0, 20]);

    let map: Globe<String, u64> = Globe::open(log, "texts").await.unwrap();
    let entries = ["a", "b", "c"].map(|key| (key.to_owned(), 1));
    map.put_all(entries).await.unwrap();
    let (view, b) = (map.view(), "b".to_owned());
    assert_eq!(view.range("a".."c").count(), 2);
    assert_eq!(view.range(b.as_str()..).count(), 2);
    assert_eq!(view.range(..&b).count(), 1);
}
