//! Keys whose `Hash`, `Eq`, `Ord`, `Clone`, `Drop`, `encode` or `decode` panics: in the map, and in a call of the caller's.
//!
//! Never a key that waits or calls a map where the map calls it: the documentation of `Key` forbids that.

use globe::{ErrorKind, Globe, MemoryLog, Phase};

use crate::rig::every::{all_fail_with, every_delete, every_put};
use crate::rig::{fails_with, open, until, within, write_raw};
use crate::traps::{
    Neighbour, On, Trapped, act, arm, disarm, has_failed, lives_on, on_every_runtime, panics,
    panics_once, some_numbers, trapped,
};

type Map = Globe<Trapped, u64>;

/// A log with a few numbers in it, and a map of them by keys with traps.
async fn trapped_numbers() -> (MemoryLog, Map) {
    let log = some_numbers().await;
    let map = open(&log, "numbers").await;
    (log, map)
}

/// In every way of looking that needs no trapped key.
fn still_shows(map: &Map, key: &str, value: u64) {
    let (key, view) = (trapped(key), map.view());
    assert_eq!(map.get(&key).as_deref(), Some(&value), "{key:?}");
    assert_eq!(
        map.get_entry(&key).map(|entry| **entry.value()),
        Some(value)
    );
    assert_eq!(view.get(&key).map(|shown| *shown), Some(value));
}

fn a_panic_of_the_key_ends_its_map_alone(on: On, text: &'static str) {
    on_every_runtime(move || async move {
        let (log, map) = trapped_numbers().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        write_raw(&log, "numbers", text, b"1").await;
        until("it is here", || map.len() == 3).await;
        let mut watch = map.watch();
        let mut of_key = map.watch_key(trapped(text));
        arm(text, on, panics_once());
        write_raw(&log, "numbers", text, b"2").await;
        has_failed(&map, &mut watch).await;
        disarm(text, on);
        has_failed(&map, &mut of_key).await;
        let late = within("a write ends", map.put(trapped("late"), 1)).await;
        fails_with(late, ErrorKind::Panicked);
        still_shows(&map, "good", 1);
        still_shows(&map, "other", 2);
        neighbour.goes_on().await;
        assert_eq!(neighbour.map().get(text).as_deref(), Some(&2));
        let again = open(&log, "numbers").await;
        still_shows(&again, text, 2);
        assert_eq!(again.len(), 4, "with that of the neighbour");
    });
}

#[test]
fn a_hash_that_panics_ends_the_map_as_failed() {
    a_panic_of_the_key_ends_its_map_alone(On::Hash, "hash panics");
}

#[test]
fn an_eq_that_panics_ends_the_map_as_failed() {
    a_panic_of_the_key_ends_its_map_alone(On::Eq, "eq panics");
}

#[test]
fn an_order_that_panics_ends_the_map_as_failed() {
    a_panic_of_the_key_ends_its_map_alone(On::Ord, "ord panics");
}

#[test]
fn to_follow_the_log_clones_no_key() {
    on_every_runtime(|| async {
        let (log, map) = trapped_numbers().await;
        let text = "clone panics";
        arm(text, On::Clone, act(|| panic!("a trap springs")));
        for value in [1, 2] {
            write_raw(&log, "numbers", text, value.to_string().as_bytes()).await;
            let shows = || map.get(&trapped(text)).as_deref() == Some(&value);
            until("it is here", shows).await;
        }
        still_shows(&open(&log, "numbers").await, text, 2);
        lives_on(&map).await;
        disarm(text, On::Clone);
    });
}

#[test]
fn a_drop_of_a_key_that_panics_ends_the_map_as_failed() {
    a_panic_of_the_key_ends_its_map_alone(On::Drop, "drop panics");
}

#[test]
fn a_key_that_panics_at_hydration_ends_the_map_before_it_is_open() {
    on_every_runtime(|| async {
        let log = some_numbers().await;
        let text = "panics at hydration";
        write_raw(&log, "numbers", text, b"1").await;
        let mut neighbour = Neighbour::move_in(&log).await;
        for on in [On::Hash, On::Ord] {
            arm(text, on, panics_once());
            let opened = within("it is answered", Map::open(log.clone(), "numbers")).await;
            disarm(text, on);
            assert_eq!(*opened.unwrap_err().kind(), ErrorKind::Panicked, "{on:?}");
            neighbour.goes_on().await;
        }
    });
}

#[test]
fn a_key_whose_reading_or_writing_panics_is_kept_out_and_nothing_else_is() {
    on_every_runtime(|| async {
        let (log, map) = trapped_numbers().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        for (text, on) in [("read panics", On::Decode), ("written panics", On::Encode)] {
            arm(text, on, act(|| panic!("a trap springs")));
            write_raw(&log, "numbers", text, b"1").await;
            until("it is listed, or has ended the map", || {
                map.quarantine().len() == 1 || map.status().phase == Phase::Failed
            })
            .await;
            lives_on(&map).await;
            neighbour.goes_on().await;
            still_shows(&map, "good", 1);
            until("with that of the neighbour", || map.len() == 3).await;
            let gone = within("it is deleted", map.delete_prefix(text)).await;
            assert_eq!(gone.unwrap().count(), 1, "it can be deleted all the same");
            until("nothing is listed", || map.quarantine().is_empty()).await;
            disarm(text, on);
        }
    });
}

#[test]
fn a_key_that_panics_when_it_is_read_again_is_refused_on_every_write_path() {
    on_every_runtime(|| async {
        let (log, map) = trapped_numbers().await;
        let (text, before) = ("never read again", log.head_position());
        arm(text, On::Decode, act(|| panic!("a trap springs")));
        let key = || trapped(text);
        let many = map.put_all([(trapped("good"), 7), (key(), 1)]).await;
        let (puts, deletes) = (
            every_put(&map, key, || 1).await,
            every_delete(&map, key).await,
        );
        disarm(text, On::Decode);
        fails_with(many, ErrorKind::Codec);
        all_fail_with(puts, &ErrorKind::Codec);
        all_fail_with(deletes, &ErrorKind::Codec);
        assert_eq!(log.head_position(), before, "nothing was sent");
        still_shows(&map, "good", 1);
    });
}

#[test]
fn a_key_that_panics_in_a_call_is_the_callers_own_panic_and_the_map_lives_on() {
    on_every_runtime(|| async {
        let (log, map) = trapped_numbers().await;
        let mut neighbour = Neighbour::move_in(&log).await;
        let text = "panics for the caller";
        map.put(trapped(text), 1).await.unwrap();
        let key = trapped(text);
        let looks: [(On, &dyn Fn()); 4] = [
            (On::Hash, &|| drop(map.get(&key))),
            (On::Eq, &|| drop(map.get(&key))),
            (On::Ord, &|| drop(map.get_entry(&key))),
            (On::Hash, &|| drop(map.watch_key(trapped(text)))),
        ];
        for (on, look) in looks {
            arm(text, on, act(|| panic!("a trap springs")));
            assert!(panics(look), "{on:?}");
            disarm(text, on);
            map.put(trapped(text), 1).await.unwrap();
            still_shows(&map, text, 1);
        }
        arm(text, On::Encode, act(|| panic!("a trap springs")));
        let put = tokio::spawn({
            let map = map.clone();
            async move { map.put(trapped(text), 2).await }
        });
        assert!(within("the task ends", put).await.unwrap_err().is_panic());
        disarm(text, On::Encode);
        map.put(trapped(text), 3).await.unwrap();
        still_shows(&map, text, 3);
        neighbour.goes_on().await;
    });
}

#[test]
fn a_key_that_panics_while_a_watch_looks_is_shown_by_the_next_look() {
    on_every_runtime(|| async {
        let (_, map) = trapped_numbers().await;
        let text = "panics for a watch";
        let mut watch = map.watch();
        map.put(trapped(text), 1).await.unwrap();
        arm(text, On::Clone, panics_once());
        assert!(panics(|| watch.try_next()));
        disarm(text, On::Clone);
        let changes = watch.try_next().expect("nothing is lost");
        assert_eq!(changes.as_slice()[0].key(), &trapped(text));
        assert!(watch.try_next().is_none());
        lives_on(&map).await;
    });
}
