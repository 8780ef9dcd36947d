//! A view reads like a map of `std`: points, ranges, prefixes, from both ends.
//!
//! Which position it shows is `reads.rs`'s and `consistency.rs`'s.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::ops::Bound::{Excluded, Included};

use globe::{Globe, MemoryLog};
use proptest::prelude::*;
use rig::{numbers, put_all};

#[tokio::test]
async fn a_view_reads_points_ranges_and_prefixes() {
    let map = numbers(&MemoryLog::new()).await;
    let keys = ["a", "a/1", "a/2", "ab", "b"];
    map.put_all(keys.map(|key| (key.into(), 1))).await.unwrap();
    let view = map.view();
    let names = |found: Vec<(&String, &globe::Entry<u64>)>| -> Vec<String> {
        found.into_iter().map(|(key, _)| key.clone()).collect()
    };
    assert_eq!(names(view.iter().collect()), keys);
    assert_eq!(names(view.iter().rev().take(1).collect()), ["b"]);
    assert_eq!(names(view.prefix("a/").collect()), ["a/1", "a/2"]);
    assert_eq!(names(view.prefix("").collect()), keys);
    assert_eq!(
        names(view.range((Included("a/2"), Excluded("b"))).collect()),
        ["a/2", "ab"]
    );
    assert!(view.contains_key("ab") && !view.contains_key("x"));
    assert!(map.contains_key("ab") && !map.contains_key("x"));
    assert_eq!((map.len(), map.is_empty()), (5, false));
    let later = {
        map.put("b", 2).await.unwrap();
        map.view()
    };
    let diff = later.diff(&view);
    assert_eq!((diff.len(), diff[0].key().as_str()), (1, "b"));
    let back = view.diff(&later);
    assert_eq!(
        back[0].new_value().map(|value| **value),
        Some(1),
        "it works both ways"
    );
}

#[tokio::test]
async fn a_view_reads_like_a_map_of_std() {
    let map = numbers(&MemoryLog::new()).await;
    assert!(map.view().first().is_none() && map.view().last().is_none());
    put_all(&map, [("b", 2), ("a", 1), ("c", 3)]).await;
    let view = map.view();
    let mut all = Vec::new();
    for (key, entry) in &view {
        all.push((key.as_str(), **entry));
    }
    assert_eq!(all, [("a", 1), ("b", 2), ("c", 3)]);
    assert_eq!(view.keys().rev().collect::<Vec<_>>(), ["c", "b", "a"]);
    assert_eq!(view.values().map(|value| **value).sum::<u64>(), 6);
    assert_eq!((view.keys().len(), view.values().len()), (3, 3));
    let mut left = view.iter();
    left.next();
    left.next_back();
    assert_eq!(left.len(), 1);
    assert_eq!(
        view.first().map(|(key, entry)| (key.as_str(), **entry)),
        Some(("a", 1))
    );
    assert_eq!(
        view.last().map(|(key, entry)| (key.as_str(), **entry)),
        Some(("c", 3))
    );
    assert_eq!(view.range((Included("c"), Excluded("a"))).count(), 0);
    let entry = view.get_entry("b").unwrap();
    assert_eq!(entry.to_string(), "2", "an entry reads as its value");
    assert_eq!(
        map.get_entry("b").map(|entry| entry.version()),
        Some(entry.version())
    );
}

#[tokio::test]
async fn a_prefix_of_a_tuple_is_its_first_parts() {
    let log = MemoryLog::new();
    let map: Globe<(String, u16, String), u64> = Globe::open(log, "paths").await.unwrap();
    let keys = [
        ("e", 1, "x"),
        ("eu", 1, "a"),
        ("eu", 1, "b"),
        ("eu", 2, "a"),
        ("eu/", 0, "x"),
        ("us", 1, "a"),
    ];
    for (number, key) in keys.into_iter().enumerate() {
        map.put(key, number as u64).await.unwrap();
    }
    let view = map.view();
    fn values(range: globe::Range<'_, (String, u16, String), u64>) -> Vec<u64> {
        range.map(|(_, entry)| **entry).collect()
    }
    assert_eq!(values(view.prefix(("eu",))), [1, 2, 3]);
    assert_eq!(values(view.prefix(("eu".to_owned(),))), [1, 2, 3]);
    assert_eq!(values(view.prefix(("eu", 1))), [1, 2]);
    assert_eq!(values(view.prefix(("us",))), [5]);
    assert_eq!(values(view.prefix(("f",))), [0; 0]);
    assert_eq!(values(view.prefix(("zz", 9))), [0; 0]);
    let backwards: Vec<u64> = view
        .prefix(("eu",))
        .rev()
        .map(|(_, entry)| **entry)
        .collect();
    assert_eq!(backwards, [3, 2, 1]);

    let mut watch = map.watch_prefix(("eu", 1));
    map.put(("eu", 2, "a"), 10).await.unwrap();
    assert!(watch.try_next().is_none());
    map.put(("eu", 1, "b"), 11).await.unwrap();
    assert_eq!(watch.try_next().unwrap().as_slice().len(), 1);
}

proptest! {
    /// Against the plain way to do it, in maps large enough to have inner nodes.
    #[test]
    fn a_prefix_is_exactly_the_keys_that_begin_with_it(
        keys in proptest::collection::btree_set("[ab\u{10ffff}]{1,6}", 0..300),
        prefix in "[ab\u{10ffff}]{0,3}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let view = runtime.block_on(async {
            let map = numbers(&MemoryLog::new()).await;
            map.put_all(keys.iter().map(|key| (key.clone(), 1))).await.unwrap();
            map.view()
        });
        let expected: Vec<&String> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
        let found: Vec<&String> = view.prefix(&prefix).map(|(key, _)| key).collect();
        let mut backwards: Vec<&String> = view.prefix(prefix.as_str()).rev().map(|(key, _)| key).collect();
        backwards.reverse();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(&backwards, &expected);
    }
}
