//! Keys and values that lie: what nobody could read is refused before it is sent, and what others wrote stays out.
//!
//! Never a lie about a key that is believed at the cost of another key.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{self, AtomicU64};

use globe::{
    Codec, CodecError, Decode, Encode, ErrorKind, Globe, Json, Key, MemoryLog, Phase, key_error,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::rig::{delete_raw, until, within, write_raw};
use crate::traps::{Neighbour, on_every_runtime, some_numbers};

/// Every way to write a value is refused, and nothing of it is sent.
async fn refuses<V>(make: impl Fn() -> V)
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    refuses_with(Json, make).await;
}

async fn refuses_with<V: Send + Sync + 'static>(codec: impl Codec<V>, make: impl Fn() -> V) {
    let log = MemoryLog::new();
    write_raw(&log, "elsewhere", "x", b"1").await;
    let map: Globe<String, V> = Globe::builder_with(log.clone(), "lies", codec)
        .strict(true)
        .open()
        .await
        .unwrap();
    let before = log.head_position();
    let refused = [
        map.put("k", make()).await.map(drop),
        map.put_detached("k", make()).await.map(drop),
        map.create("k", make()).await.map(drop),
        map.put_if("k", make(), globe::Expected::Present)
            .await
            .map(drop),
        map.update("k", |_| make()).await.map(drop),
        map.put_all([("k".to_owned(), make())]).await.map(drop),
        map.transact(|txn| txn.put(&map, "k", make()))
            .await
            .map(drop),
        map.transact(|txn| txn.put_detached(&map, "k", make()))
            .await
            .map(drop),
    ];
    for (number, outcome) in refused.into_iter().enumerate() {
        let error = outcome.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Codec, "{number}: {error}");
        assert!(error.to_string().contains("lies/k"), "{number}: {error}");
    }
    assert_eq!(log.head_position(), before, "nothing was sent");
    assert_eq!(map.status().phase, Phase::Live, "even under strict");
}

#[test]
fn a_float_that_is_no_number_or_has_no_end_is_refused_wherever_it_is_hidden() {
    #[derive(Serialize, Deserialize)]
    struct Share {
        name: String,
        weights: Vec<(u8, f64)>,
    }
    on_every_runtime(|| async {
        for bad in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            refuses(|| bad).await;
            refuses(|| Share {
                name: "x".into(),
                weights: vec![(1, 0.5), (2, bad)],
            })
            .await;
        }
        refuses(|| f32::NAN).await;
    });
}

#[test]
fn a_value_that_leaves_out_what_it_needs_again_is_refused() {
    #[derive(Serialize, Deserialize)]
    #[allow(dead_code, reason = "it is skipped, and that is the fault")]
    struct Forgetful {
        kept: u8,
        #[serde(skip_serializing)]
        skipped: u8,
    }
    on_every_runtime(|| {
        refuses(|| Forgetful {
            kept: 1,
            skipped: 2,
        })
    });
}

/// A codec that fails on what it wrote itself, in one way or another.
struct Liar(fn() -> Result<u64, CodecError>);

impl Encode<u64> for Liar {
    fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
        Ok(value.to_string().into_bytes())
    }
}

impl Decode<u64> for Liar {
    fn decode(&self, _: &[u8]) -> Result<u64, CodecError> {
        self.0()
    }
}

#[test]
fn a_codec_that_cannot_read_what_it_wrote_sends_nothing() {
    on_every_runtime(|| async {
        refuses_with(Liar(|| Err("cannot".into())), || 1).await;
        refuses_with(Liar(|| panic!("a bug in a codec")), || 1).await;
    });
}

/// Its text is shown by panicking.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("a bug in an error");
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn an_error_of_a_codec_that_panics_when_it_is_shown_ends_nothing() {
    struct Mute;
    impl Encode<u64> for Mute {
        fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
            Json.encode(value)
        }
    }

    impl Decode<u64> for Mute {
        fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
            Json.decode(bytes).map_err(|_| Unspeakable.into())
        }
    }
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let map: Globe<String, u64> = Globe::builder_with(log.clone(), "numbers", Mute)
            .open()
            .await
            .unwrap();
        let mut neighbour = Neighbour::move_in(&log).await;
        write_raw(&log, "numbers", "bad", b"?").await;
        until("it is listed", || map.quarantine().len() == 1).await;
        assert_eq!(map.status().phase, Phase::Live);
        neighbour.goes_on().await;
        until("it follows", || map.contains_key("neighbour")).await;
    });
}

#[test]
fn a_codec_that_takes_anything_for_a_value_harms_nobody_who_does_not() {
    struct Credulous;
    impl Encode<u64> for Credulous {
        fn encode(&self, value: &u64) -> Result<Vec<u8>, CodecError> {
            Ok(vec![0xFF, u8::try_from(*value)?])
        }
    }

    impl Decode<u64> for Credulous {
        fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
            Ok(bytes.len() as u64)
        }
    }
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let map: Globe<String, u64> = Globe::builder_with(log.clone(), "numbers", Credulous)
            .open()
            .await
            .unwrap();
        let mut neighbour = Neighbour::move_in(&log).await;
        map.put("good", 9).await.unwrap();
        map.put("garbage", 9).await.unwrap();
        assert_eq!(map.get("garbage").as_deref(), Some(&2), "as its codec says");
        neighbour.goes_on().await;
        until("they are listed", || {
            neighbour.map().status().quarantined == 2
        })
        .await;
        assert_eq!(neighbour.map().get("good").as_deref(), Some(&1));
        assert_eq!(neighbour.map().get("garbage"), None);
    });
}

/// `encode` and `decode` as a test likes them; equal and ordered as its text.
macro_rules! key_that {
    ($name:ident encodes $encode:expr, decodes $decode:expr) => {
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        struct $name(String);
        impl Key for $name {
            fn encode(&self) -> globe::Result<String> {
                let encode: fn(&str) -> globe::Result<String> = $encode;
                encode(&self.0)
            }
            fn decode(text: &str) -> globe::Result<$name> {
                let decode: fn(&str) -> globe::Result<String> = $decode;
                decode(text).map($name)
            }
        }
    };
}

async fn refuses_the_key<K: Key>(make: fn() -> K) {
    let log = some_numbers().await;
    let map: Globe<K, u64> = Globe::open(log.clone(), "numbers").await.unwrap();
    let mut neighbour = Neighbour::move_in(&log).await;
    let before = log.head_position();
    let version = neighbour.map().get_entry("good").unwrap().version();
    let refused = [
        map.put(make(), 1).await.map(drop),
        map.create(make(), 1).await.map(drop),
        map.put_if(make(), 1, version).await.map(drop),
        map.delete(make()).await.map(drop),
        map.delete_if(make(), version).await.map(drop),
        map.update(make(), |_| 1).await.map(drop),
        map.put_all([(make(), 1)]).await.map(drop),
        map.transact(|txn| txn.get(&map, make()).map(drop))
            .await
            .map(drop),
        map.transact(|txn| txn.put(&map, make(), 1)).await.map(drop),
        map.transact(|txn| txn.delete(&map, make())).await.map(drop),
    ];
    for (number, outcome) in refused.into_iter().enumerate() {
        assert_eq!(*outcome.unwrap_err().kind(), ErrorKind::Codec, "{number}");
    }
    assert_eq!(log.head_position(), before, "nothing was sent");
    neighbour.goes_on().await;
}

#[test]
fn a_key_that_is_read_as_another_than_was_written_is_refused() {
    key_that!(Shouting encodes |text| Ok(text.to_owned()), decodes |text| Ok(text.to_uppercase()));
    key_that!(Shortened encodes |text| Ok(text[..1].to_owned()), decodes |text| Ok(text.to_owned()));
    key_that!(Unreadable encodes |text| Ok(text.to_owned()), decodes |_| Err(key_error("no")));
    on_every_runtime(|| async {
        refuses_the_key(|| Shouting("good".into())).await;
        refuses_the_key(|| Shortened("good".into())).await;
        refuses_the_key(|| Unreadable("good".into())).await;
    });
}

#[test]
fn two_spellings_of_a_key_are_one_entry_and_one_listed_record_and_no_breach() {
    key_that!(Trimmed encodes |text| Ok(text.to_owned()), decodes |text| Ok(text.trim().to_owned()));
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let map: Globe<Trimmed, u64> = Globe::open(log.clone(), "numbers").await.unwrap();
        for value in 0..20_u64 {
            let text = value.to_string();
            write_raw(&log, "numbers", "good", text.as_bytes()).await;
            write_raw(&log, "numbers", " good", b"77").await;
        }
        within("all is here", map.sync()).await.unwrap();
        assert_eq!(map.get(&Trimmed("good".into())).as_deref(), Some(&19));
        let status = map.status();
        assert_eq!((status.entries, status.quarantined), (2, 1));
        assert_eq!((status.violations, status.resyncs), (0, 0));
        delete_raw(&log, "numbers", " good").await;
        until("it is gone", || map.quarantine().is_empty()).await;
        assert_eq!(map.get(&Trimmed("good".into())).as_deref(), Some(&19));
    });
}

/// One key of it has another hash each time it is asked, and comes after and before every other by turns.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fickle(String);

static TIMES: AtomicU64 = AtomicU64::new(0);

impl Fickle {
    fn lies(&self) -> bool {
        self.0 == "liar"
    }
}

impl Hash for Fickle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.lies() {
            TIMES.fetch_add(1, atomic::Ordering::SeqCst).hash(state);
        } else {
            self.0.hash(state);
        }
    }
}

impl PartialOrd for Fickle {
    fn partial_cmp(&self, other: &Fickle) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fickle {
    fn cmp(&self, other: &Fickle) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Key for Fickle {
    fn encode(&self) -> globe::Result<String> {
        Ok(self.0.clone())
    }

    fn decode(text: &str) -> globe::Result<Fickle> {
        Ok(Fickle(text.to_owned()))
    }
}

#[test]
fn a_hash_that_does_not_agree_with_eq_loses_its_own_key_and_no_other() {
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let map: Globe<Fickle, u64> = Globe::open(log.clone(), "numbers").await.unwrap();
        let mut neighbour = Neighbour::move_in(&log).await;
        for value in 0..20_u64 {
            let text = value.to_string();
            write_raw(&log, "numbers", "liar", text.as_bytes()).await;
            write_raw(&log, "numbers", "good", text.as_bytes()).await;
        }
        // A snapshot from which a key has vanished.
        log.hold_tails(true);
        let head = delete_raw(&log, "numbers", "other").await;
        log.compact(head.revision).unwrap();
        log.hold_tails(false);
        until("the snapshot is here", || map.status().resyncs >= 1).await;
        neighbour.goes_on().await;
        within("all is here", map.sync()).await.unwrap();
        let good = Fickle("good".into());
        assert_eq!(map.get(&good).as_deref(), Some(&19));
        assert_eq!(map.view().get(&good).map(|value| *value), Some(19));
        assert!(!map.contains_key(&Fickle("other".into())));
        assert_eq!(map.get(&Fickle("neighbour".into())).as_deref(), Some(&1));
        assert_eq!(map.status().phase, Phase::Live);
    });
}

/// Has no order: each comparison with the liar says something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Disorderly(String);

impl PartialOrd for Disorderly {
    fn partial_cmp(&self, other: &Disorderly) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Disorderly {
    fn cmp(&self, other: &Disorderly) -> Ordering {
        if self.0 == "liar" || other.0 == "liar" {
            let times = TIMES.fetch_add(1, atomic::Ordering::SeqCst);
            return [Ordering::Less, Ordering::Greater][(times % 2) as usize];
        }
        self.0.cmp(&other.0)
    }
}

impl Key for Disorderly {
    fn encode(&self) -> globe::Result<String> {
        Ok(self.0.clone())
    }

    fn decode(text: &str) -> globe::Result<Disorderly> {
        Ok(Disorderly(text.to_owned()))
    }
}

#[test]
fn an_order_that_is_none_hangs_nobody_and_harms_no_other_map() {
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let map: Globe<Disorderly, u64> = Globe::open(log.clone(), "numbers").await.unwrap();
        let mut neighbour = Neighbour::move_in(&log).await;
        for value in 0..100_u64 {
            let text = value.to_string();
            let key = format!("k{value}");
            write_raw(&log, "numbers", "liar", text.as_bytes()).await;
            write_raw(&log, "numbers", &key, text.as_bytes()).await;
        }
        neighbour.goes_on().await;
        assert_eq!(neighbour.map().len(), 104);
        // What is found through it is the caller's own affair; it is found, or it is not.
        let _ = (map.len(), map.view().iter().count());
        within("closing", map.close()).await;
    });
}
