//! What would not decode again is never sent, whichever way it is written; what another program wrote is kept out.
//!
//! Only what is written is looked at: what arrives is `quarantine.rs`'s.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::cmp::Ordering;

use globe::{
    Codec, CodecError, Decode, Encode, Error, ErrorKind, Globe, Json, Key, LastGood, MemoryLog,
    Phase, Result, key_error,
};
use rig::every::{all_fail_with, every_delete, every_put};
use rig::text_key::text_key;
use rig::{delete_raw, fails_with, in_a_gap, open, until, within, write_raw};
use serde::{Deserialize, Serialize};

/// No way to write it sends anything; what each said.
async fn are_refused<K: Key, V: Send + Sync + 'static>(
    log: &MemoryLog,
    map: &Globe<K, V>,
    key: impl Fn() -> K,
    value: impl Fn() -> V,
) -> Vec<Error> {
    let head = log.head_position();
    let errors = all_fail_with(every_put(map, key, value).await, &ErrorKind::Codec);
    assert_eq!(log.head_position(), head, "nothing was sent");
    assert!(map.quarantine().is_empty());
    // A panic that is told of with all that led to it takes its time.
    until("it is live", || map.status().phase == Phase::Live).await;
    errors
}

/// Values that are refused, wherever they are written. Strict: one such record would end the whole fleet.
async fn are_never_sent<V: Send + Sync + 'static>(codec: impl Codec<V>, value: impl Fn() -> V) {
    let log = MemoryLog::new();
    write_raw(&log, "elsewhere", "x", b"1").await;
    let builder = Globe::<String, V>::builder_with(log.clone(), "values", codec).strict(true);
    let map = within("a map is opened", builder.open()).await.unwrap();
    for error in are_refused(&log, &map, || "k".to_owned(), value).await {
        assert!(error.to_string().contains("values/k"), "{error}");
    }
}

#[tokio::test]
async fn a_float_that_is_no_number_is_refused_on_every_path() {
    #[derive(Serialize, Deserialize)]
    struct Share {
        name: String,
        weights: Vec<(u8, f64)>,
    }
    for bad in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        are_never_sent(Json, || bad).await;
        let hidden = || Share {
            name: "x".into(),
            weights: vec![(1, 0.5), (2, bad)],
        };
        are_never_sent(Json, hidden).await;
    }
    are_never_sent(Json, || f32::NAN).await;
    // Nor where a good one stands.
    let log = MemoryLog::new();
    let map: Globe<String, f64> = open(&log, "floats").await;
    map.put("w".to_owned(), 1.0).await.unwrap();
    are_refused(&log, &map, || "w".to_owned(), || f64::NAN).await;
    assert_eq!(map.get("w").as_deref(), Some(&1.0));
}

#[tokio::test]
async fn a_field_that_is_not_written_but_needed_is_refused_on_every_path() {
    #[derive(Serialize, Deserialize)]
    #[allow(dead_code, reason = "it is skipped, and that is the fault")]
    struct Forgetful {
        kept: u8,
        #[serde(skip_serializing)]
        skipped: u8,
    }
    let forgetful = || Forgetful {
        kept: 1,
        skipped: 2,
    };
    are_never_sent(Json, forgetful).await;
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

#[tokio::test]
async fn what_a_codec_cannot_read_again_is_refused_on_every_path() {
    are_never_sent(Liar(|| Err("cannot".into())), || 1).await;
    are_never_sent(Liar(|| panic!("a bug in a codec")), || 1).await;
}

async fn the_key_is_refused<K: Key>(key: impl Fn() -> K) {
    let log = MemoryLog::new();
    write_raw(&log, "elsewhere", "x", b"1").await;
    let map: Globe<K, u64> = open(&log, "keys").await;
    are_refused(&log, &map, &key, || 1).await;
    let head = log.head_position();
    let read = map.transact(|txn| txn.get(&map, key()).map(drop)).await;
    fails_with(read, ErrorKind::Codec);
    all_fail_with(every_delete(&map, key).await, &ErrorKind::Codec);
    assert_eq!(log.head_position(), head, "nothing was sent");
}

/// A text that is encoded and decoded as a test likes it.
macro_rules! key_that {
    ($name:ident encodes $encode:expr, decodes $decode:expr) => {
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        struct $name(String);
        impl Key for $name {
            fn encode(&self) -> Result<String> {
                let encode: fn(&str) -> Result<String> = $encode;
                encode(&self.0)
            }

            fn decode(text: &str) -> Result<$name> {
                let decode: fn(&str) -> Result<String> = $decode;
                decode(text).map($name)
            }
        }
    };
}

key_that!(Shouting encodes |text| Ok(text.to_owned()), decodes |text| Ok(text.to_uppercase()));
key_that!(Shortened encodes |text| Ok(text[..1].to_owned()), decodes |text| Ok(text.to_owned()));
key_that!(Unreadable encodes |text| Ok(text.to_owned()), decodes |_| Err(key_error("no")));
// Written and read in lower case: `A` is read as another key than was written.
key_that!(Folded encodes |text| Ok(text.to_lowercase()), decodes |text| Ok(text.to_lowercase()));

#[tokio::test]
async fn a_key_that_is_not_read_as_it_was_written_is_refused_on_every_path() {
    the_key_is_refused(|| Shouting("good".into())).await;
    the_key_is_refused(|| Shortened("good".into())).await;
    the_key_is_refused(|| Unreadable("good".into())).await;
    the_key_is_refused(|| Folded("A".into())).await;
    let map: Globe<Folded, u64> = open(&MemoryLog::new(), "keys").await;
    map.put(Folded("a".into()), 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_text_that_is_not_canonical_is_quarantined_and_no_breach() {
    let log = MemoryLog::new();
    let map: Globe<Folded, u64> = open(&log, "folded").await;
    for round in 0..10 {
        for text in ["a", "A"] {
            write_raw(&log, "folded", text, round.to_string()).await;
        }
    }
    within("it is seen", map.sync()).await.unwrap();
    let status = map.status();
    assert_eq!((status.violations, status.resyncs), (0, 0));
    assert_eq!(map.get(&Folded("a".into())).as_deref(), Some(&9));
    assert_eq!(map.quarantine().len(), 1);
    assert_eq!(map.quarantine()[0].key(), b"A");
    assert_eq!(map.delete_prefix("A").await.unwrap().count(), 1);
    until("it is gone", || map.quarantine().is_empty()).await;
    assert_eq!(map.len(), 1);
    // Also where nothing else stands in its place.
    write_raw(&log, "folded", "B", b"1").await;
    until("it is kept out", || map.quarantine().len() == 1).await;
    assert_eq!(map.get(&Folded("b".into())), None);
}

/// Equal whatever its case, but written as it is: two texts are one key.
#[derive(Clone, Debug)]
struct Caseless(String);

impl Caseless {
    fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for Caseless {
    fn eq(&self, other: &Caseless) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for Caseless {}

text_key!(Caseless {
    fn cmp_text(&self, text: &str) -> Option<Ordering> {
        Some(self.folded().cmp(&text.to_lowercase()))
    }
});

impl Ord for Caseless {
    fn cmp(&self, other: &Caseless) -> Ordering {
        self.folded().cmp(&other.folded())
    }
}

impl std::hash::Hash for Caseless {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

#[tokio::test(start_paused = true)]
async fn two_records_of_equal_keys_harm_no_other_key_and_are_no_breach() {
    let log = MemoryLog::new();
    for key in ["A", "other"] {
        write_raw(&log, "caseless", key, b"1").await;
    }
    let map: Globe<Caseless, u64> = open(&log, "caseless").await;
    for round in 0..5 {
        for key in ["a", "A"] {
            write_raw(&log, "caseless", key, round.to_string()).await;
        }
    }
    within("it is seen", map.sync()).await.unwrap();
    let status = map.status();
    assert_eq!((status.violations, status.resyncs), (0, 0));
    assert_eq!(map.get(&Caseless("A".into())).as_deref(), Some(&4));
    assert_eq!(map.quarantine()[0].key(), b"a");
    // In a gap one goes that has nothing to do with it.
    in_a_gap(&log, delete_raw(&log, "caseless", "other")).await;
    until("the resync", || map.status().resyncs == 1).await;
    assert_eq!(map.get(&Caseless("other".into())), None);
    assert!(map.contains_key(&Caseless("a".into())));
}

/// The texts of the log that are shown, and those that are kept out, each with why.
fn shown_and_kept_out(map: &Globe<Caseless, u64>) -> (Vec<String>, Vec<String>) {
    let view = map.view();
    let shown = view.keys().map(|key| key.0.clone()).collect();
    let out = view.quarantine().map(|bad| {
        assert!(bad.reason.contains("written otherwise"), "{bad:?}");
        String::from_utf8(bad.key().to_vec()).unwrap()
    });
    (shown, out.collect())
}

#[tokio::test(start_paused = true)]
async fn of_two_records_of_equal_keys_in_one_snapshot_one_is_shown_and_the_other_listed() {
    let log = MemoryLog::new();
    for (key, value) in [("A", b"1"), ("B", b"2"), ("a", b"3")] {
        write_raw(&log, "caseless", key, value).await;
    }
    let map: Globe<Caseless, u64> = open(&log, "caseless").await;
    let (shown, kept_out) = shown_and_kept_out(&map);
    assert_eq!(
        (shown, kept_out),
        (vec!["A".into(), "B".into()], vec!["a".into()])
    );
    assert_eq!(map.get(&Caseless("a".into())).as_deref(), Some(&1));
    assert_eq!(map.status().quarantined, 1);
    // What is kept out changes nothing of what is shown: neither when it is written nor when it goes.
    write_raw(&log, "caseless", "a", b"4").await;
    within("it is seen", map.sync()).await.unwrap();
    assert_eq!(map.get(&Caseless("a".into())).as_deref(), Some(&1));
    delete_raw(&log, "caseless", "a").await;
    within("it is seen", map.sync()).await.unwrap();
    assert_eq!((map.len(), map.quarantine().len()), (2, 0));
    assert_eq!(map.get(&Caseless("A".into())).as_deref(), Some(&1));
    assert_eq!(map.status().violations, 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_value_of_a_bad_record_takes_nothing_from_one_of_an_equal_key() {
    let log = MemoryLog::new();
    for (key, value) in [("A", b"1"), ("A", b"?"), ("a", b"3")] {
        write_raw(&log, "caseless", key, value).await;
    }
    let map: Globe<Caseless, u64> = open(&log, "caseless").await;
    assert_eq!(map.get(&Caseless("A".into())).as_deref(), Some(&3));
    let kept_out = map.quarantine();
    assert_eq!((kept_out[0].key(), kept_out.len()), (&b"A"[..], 1));
    assert_eq!(kept_out[0].last_good, LastGood::None);
}

#[tokio::test(start_paused = true)]
async fn of_two_records_of_equal_keys_the_one_that_is_shown_stays_so_in_a_resync() {
    let log = MemoryLog::new();
    write_raw(&log, "caseless", "a", b"1").await;
    let map: Globe<Caseless, u64> = open(&log, "caseless").await;
    let resync = async |count, key: &str, value: Option<&[u8]>| {
        in_a_gap(&log, async {
            match value {
                Some(value) => write_raw(&log, "caseless", key, value).await,
                None => delete_raw(&log, "caseless", key).await,
            };
        })
        .await;
        until("the resync", || map.status().resyncs == count).await;
    };
    let get = || map.get(&Caseless("a".into())).as_deref().copied();
    let one = |text: &str| vec![text.to_owned()];
    // Another comes, which stands before it in the log.
    resync(1, "A", Some(b"2")).await;
    assert_eq!(
        (shown_and_kept_out(&map), get()),
        ((one("a"), one("A")), Some(1))
    );
    // What is shown is written meanwhile, and then what is not.
    resync(2, "a", Some(b"3")).await;
    assert_eq!(
        (shown_and_kept_out(&map), get()),
        ((one("a"), one("A")), Some(3))
    );
    resync(3, "A", Some(b"4")).await;
    assert_eq!(
        (shown_and_kept_out(&map), get()),
        ((one("a"), one("A")), Some(3))
    );
    // What was shown goes: then the other is shown.
    resync(4, "a", None).await;
    assert_eq!(
        (shown_and_kept_out(&map), get()),
        ((one("A"), vec![]), Some(4))
    );
    resync(5, "A", None).await;
    assert_eq!((map.len(), map.quarantine().len()), (0, 0));
    assert_eq!((map.status().violations, get()), (0, None));
}

#[tokio::test]
async fn json_floats_come_back_exactly() {
    let log = MemoryLog::new();
    let map: Globe<u64, f64> = open(&log, "floats").await;
    let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
    let random = (0..2_000).map(|_| {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from_bits(bits)
    });
    let known = [0.906_797_926_584_168_5, -0.0, f64::MIN_POSITIVE, f64::MAX];
    let floats: Vec<f64> = known
        .into_iter()
        .chain(random.filter(|float| float.is_finite()))
        .collect();
    map.put_all((0..).zip(floats.iter().copied()))
        .await
        .unwrap();
    for (key, float) in (0..).zip(&floats) {
        let found = *map.get(&key).unwrap();
        assert_eq!(
            found.to_bits(),
            float.to_bits(),
            "{float:e} came back as {found:e}"
        );
    }
}
