//! What would not decode again is never sent, whichever way it is written; what another program wrote is kept out.
//!
//! Only what is written is looked at: what arrives is `quarantine.rs`'s.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod rig;

use globe::{ErrorKind, Expected, Globe, Key, LastGood, MemoryLog, Result};
use rig::{until, within, write_raw};
use serde::{Deserialize, Serialize};

/// Every way to write one key.
async fn writes<K: Key, V: Clone + Send + Sync + 'static>(
    map: &Globe<K, V>,
    key: &K,
    value: &V,
) -> Vec<(&'static str, Result<()>)> {
    let k = || key.clone();
    let v = || value.clone();
    vec![
        ("put", map.put(k(), v()).await.map(drop)),
        ("put_detached", map.put_detached(k(), v()).await.map(drop)),
        ("create", map.create(k(), v()).await.map(drop)),
        (
            "put_if",
            map.put_if(k(), v(), Expected::Present).await.map(drop),
        ),
        ("update", map.update(k(), |_| v()).await.map(drop)),
        ("put_all", map.put_all([(k(), v())]).await.map(drop)),
        (
            "transact",
            map.transact(|txn| txn.put(map, k(), v())).await.map(drop),
        ),
    ]
}

async fn are_refused<K: Key, V: Clone + Send + Sync + 'static>(
    log: &MemoryLog,
    map: &Globe<K, V>,
    key: &K,
    value: &V,
) {
    let head = log.head_position();
    for (way, outcome) in writes(map, key, value).await {
        let error = outcome.expect_err(way);
        assert_eq!(*error.kind(), ErrorKind::Codec, "{way}: {error}");
    }
    assert_eq!(log.head_position(), head, "nothing was sent");
    assert!(map.quarantine().is_empty());
}

#[tokio::test]
async fn a_float_that_is_no_number_is_refused_on_every_path() {
    let log = MemoryLog::new();
    // Strict: one such record would end the whole fleet.
    let map: Globe<String, f64> = Globe::builder(log.clone(), "floats")
        .strict(true)
        .open()
        .await
        .unwrap();
    map.put("w", 1.0).await.unwrap();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        are_refused(&log, &map, &"w".to_owned(), &value).await;
    }
    assert_eq!(map.get("w").as_deref(), Some(&1.0));
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Forgetful {
    #[serde(skip_serializing)]
    needed: u8,
}

#[tokio::test]
async fn a_field_that_is_not_written_but_needed_is_refused_on_every_path() {
    let log = MemoryLog::new();
    let map: Globe<String, Forgetful> = Globe::open(log.clone(), "fields").await.unwrap();
    are_refused(&log, &map, &"k".to_owned(), &Forgetful { needed: 1 }).await;
    assert_eq!(Forgetful { needed: 1 }.needed, 1);
}

/// Written in lower case, so `A` is read as another key than was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Folded(String);

impl Key for Folded {
    fn encode(&self) -> Result<String> {
        Ok(self.0.to_lowercase())
    }

    fn decode(text: &str) -> Result<Folded> {
        Ok(Folded(text.to_lowercase()))
    }
}

#[tokio::test]
async fn a_key_that_is_not_read_as_it_was_written_is_refused_on_every_path() {
    let log = MemoryLog::new();
    let map: Globe<Folded, u64> = Globe::open(log.clone(), "folded").await.unwrap();
    are_refused(&log, &map, &Folded("A".into()), &1).await;
    let delete = map.delete(Folded("A".into())).await.unwrap_err();
    assert_eq!(*delete.kind(), ErrorKind::Codec);
    map.put(Folded("a".into()), 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_text_that_is_not_canonical_is_quarantined_and_no_breach() {
    let log = MemoryLog::new();
    let map: Globe<Folded, u64> = Globe::open(log.clone(), "folded").await.unwrap();
    for round in 0..10 {
        for text in ["a", "A"] {
            write_raw(&log, "folded", text, round.to_string().as_bytes()).await;
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

impl PartialOrd for Caseless {
    fn partial_cmp(&self, other: &Caseless) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Caseless {
    fn cmp(&self, other: &Caseless) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}

impl std::hash::Hash for Caseless {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl Key for Caseless {
    fn encode(&self) -> Result<String> {
        Ok(self.0.clone())
    }

    fn decode(text: &str) -> Result<Caseless> {
        Ok(Caseless(text.to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn two_records_of_equal_keys_harm_no_other_key_and_are_no_breach() {
    let log = MemoryLog::new();
    for key in ["A", "other"] {
        write_raw(&log, "caseless", key, b"1").await;
    }
    let map: Globe<Caseless, u64> = Globe::open(log.clone(), "caseless").await.unwrap();
    for round in 0..5 {
        for key in ["a", "A"] {
            write_raw(&log, "caseless", key, round.to_string().as_bytes()).await;
        }
    }
    within("it is seen", map.sync()).await.unwrap();
    let status = map.status();
    assert_eq!((status.violations, status.resyncs), (0, 0));
    assert_eq!(map.get(&Caseless("A".into())).as_deref(), Some(&4));
    assert_eq!(map.quarantine()[0].key(), b"a");
    // In a gap one goes that has nothing to do with it.
    log.hold_tails(true);
    let gone = rig::delete_raw(&log, "caseless", "other").await;
    log.compact(gone.revision).unwrap();
    log.hold_tails(false);
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
    let map: Globe<Caseless, u64> = Globe::open(log.clone(), "caseless").await.unwrap();
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
    rig::delete_raw(&log, "caseless", "a").await;
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
    let map: Globe<Caseless, u64> = Globe::open(log.clone(), "caseless").await.unwrap();
    assert_eq!(map.get(&Caseless("A".into())).as_deref(), Some(&3));
    let kept_out = map.quarantine();
    assert_eq!((kept_out[0].key(), kept_out.len()), (&b"A"[..], 1));
    assert_eq!(kept_out[0].last_good, LastGood::None);
}

#[tokio::test(start_paused = true)]
async fn of_two_records_of_equal_keys_the_one_that_is_shown_stays_so_in_a_resync() {
    let log = MemoryLog::new();
    write_raw(&log, "caseless", "a", b"1").await;
    let map: Globe<Caseless, u64> = Globe::open(log.clone(), "caseless").await.unwrap();
    let resync = async |count, key: &str, value: Option<&[u8]>| {
        log.hold_tails(true);
        let at = match value {
            Some(value) => write_raw(&log, "caseless", key, value).await,
            None => rig::delete_raw(&log, "caseless", key).await,
        };
        log.compact(at.revision).unwrap();
        log.hold_tails(false);
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
    let map: Globe<u64, f64> = Globe::open(log.clone(), "floats").await.unwrap();
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
