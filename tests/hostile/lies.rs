//! Keys and codecs that lie: whatever they say, nobody else is harmed. What nobody could read is `readable.rs`'s.
//!
//! Never a lie about a key that is believed at the cost of another key.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{self, AtomicU64};

use globe::{CodecError, Decode, Encode, Globe, Json};

use crate::rig::text_key::text_key;
use crate::rig::{delete_raw, in_a_gap, until, within, write_raw};
use crate::traps::{Neighbour, lives_on, on_every_runtime, some_numbers};

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
        lives_on(&map).await;
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

text_key!(Fickle);

impl Ord for Fickle {
    fn cmp(&self, other: &Fickle) -> Ordering {
        self.0.cmp(&other.0)
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
        in_a_gap(&log, delete_raw(&log, "numbers", "other")).await;
        until("the snapshot is here", || map.status().resyncs >= 1).await;
        neighbour.goes_on().await;
        within("all is here", map.sync()).await.unwrap();
        let good = Fickle("good".into());
        assert_eq!(map.get(&good).as_deref(), Some(&19));
        assert_eq!(map.view().get(&good).map(|value| *value), Some(19));
        assert!(!map.contains_key(&Fickle("other".into())));
        assert_eq!(map.get(&Fickle("neighbour".into())).as_deref(), Some(&1));
        lives_on(&map).await;
    });
}

/// Some take every text for their own, and some say that it stands the other way round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Misplaced(String);

text_key!(Misplaced {
    fn cmp_text(&self, text: &str) -> Option<Ordering> {
        let truth = self.0.as_str().cmp(text);
        Some(match self.0.as_bytes() {
            [b'e', ..] => Ordering::Equal,
            [b'o', ..] => truth.reverse(),
            _ => truth,
        })
    }
});

impl Ord for Misplaced {
    fn cmp(&self, other: &Misplaced) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_key_that_stands_to_texts_otherwise_than_to_keys_loses_nothing() {
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let map: Globe<Misplaced, u64> = Globe::open(log.clone(), "numbers").await.unwrap();
        let honest: Globe<String, u64> = Globe::open(log.clone(), "numbers").await.unwrap();
        for round in 0..3_u64 {
            for key in ["a", "b", "each", "ever", "z", "even", "f"] {
                write_raw(&log, "numbers", key, round.to_string()).await;
            }
            delete_raw(&log, "numbers", "ever").await;
        }
        within("all is here", map.sync()).await.unwrap();
        within("all is here", honest.sync()).await.unwrap();
        let (view, expected) = (map.view(), honest.view());
        let shown = view.iter().map(|(key, value)| (&key.0, **value));
        let expected: Vec<_> = expected.iter().map(|(key, value)| (key, **value)).collect();
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert!(
            expected
                .iter()
                .all(|(key, _)| map.contains_key(&Misplaced((*key).clone())))
        );
        assert!(map.quarantine().is_empty());
        // Nor had it to be mended.
        let status = map.status();
        assert_eq!((status.violations, status.resyncs), (0, 0));
        lives_on(&map).await;
    });
}

/// Has no order: each comparison with the liar says something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Disorderly(String);

text_key!(Disorderly);

impl Ord for Disorderly {
    fn cmp(&self, other: &Disorderly) -> Ordering {
        if self.0 == "liar" || other.0 == "liar" {
            let times = TIMES.fetch_add(1, atomic::Ordering::SeqCst);
            return [Ordering::Less, Ordering::Greater][(times % 2) as usize];
        }
        self.0.cmp(&other.0)
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
