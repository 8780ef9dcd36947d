//! Keyspaces and keys: nobody sees another's, and every key is only a key.
//!
//! Never depends on how a backend stores a key.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::harness::Harness;
use super::mirror::Mirror;
use super::space::Space;
use crate::error::ErrorKind;
use crate::transaction::{Precondition, Transaction};

pub async fn a_keyspace_never_sees_one_whose_name_begins_like_it(harness: &dyn Harness) {
    let short = Space::fresh(harness);
    short.put("key", "mine").await;
    let mut mirror = Mirror::open(&short).await;
    let mine = mirror.records.clone();
    for name in ["bar", "-", ".", ":", "0"] {
        let longer = short.beside(name);
        longer.put("theirs", "value").await;
        longer.put("key", "theirs").await;
        assert!(!short.holds("theirs", Precondition::Present).await);
        assert_eq!(longer.records().await.len(), 2);
    }
    assert_eq!(short.records().await, mine);
    let deleted = short.delete("key").await;
    assert_eq!(mirror.next().await.revision, deleted.revision);
    assert_eq!(short.beside("bar").records().await.len(), 2);
}

pub async fn one_key_in_two_keyspaces_is_two_records(harness: &dyn Harness) {
    let left = Space::fresh(harness);
    let right = left.beside("-right");
    let at = left.put("key", "left").await;
    assert!(right.holds("key", Precondition::Absent).await);
    right.put("key", "right").await;
    assert!(left.holds("key", Precondition::At(at.revision)).await);
    left.delete("key").await;
    assert_eq!(right.record("key").await.unwrap().value, "right");
}

pub async fn keys_that_look_like_paths_or_internals_are_only_keys(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let mut mirror = Mirror::open(&space).await;
    let own_name = format!("{}/key", space.keyspace);
    let longest = "k".repeat(space.capabilities().max_key_bytes);
    let keys = [
        "/",
        "//",
        "a",
        "a/",
        "a/b",
        "/a",
        "..",
        "../other/key",
        // A log may keep what lies in a folder of this name for itself; that name alone, and others like it, are keys.
        ".globe",
        "globe/epoch",
        "a.globe/epoch",
        "\0",
        "a\0b",
        " ",
        "\n",
        "\u{7f}",
        "ß",
        "\u{10ffff}",
        "*",
        "$KV.>",
        "{tag}",
        "%2F",
        "'; --",
        &own_name,
        &longest,
    ];
    let mut expected = BTreeMap::new();
    for key in keys {
        space.put(key.to_owned(), key.to_owned()).await;
        expected.insert(Bytes::from(key.to_owned()), Bytes::from(key.to_owned()));
    }
    let head = space.head().await;
    mirror.reach(head).await;
    let records = space.records().await;
    assert_eq!(mirror.records, records);
    let stored: BTreeMap<_, _> = records.into_values().map(|r| (r.key, r.value)).collect();
    assert_eq!(stored, expected);
    for key in keys {
        space.delete(key.to_owned()).await;
    }
    mirror.reach(space.head().await).await;
    assert!(mirror.records.is_empty());
}

pub async fn an_empty_value_is_not_an_absent_key(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let mut mirror = Mirror::open(&space).await;
    let at = space.put("key", "").await;
    assert!(space.holds("key", Precondition::Present).await);
    assert!(space.holds("key", Precondition::At(at.revision)).await);
    assert!(!space.holds("key", Precondition::Absent).await);
    assert!(space.record("key").await.unwrap().value.is_empty());
    mirror.reach(at).await;
    assert!(mirror.records[&b"key"[..]].value.is_empty());
}

pub async fn values_are_any_bytes(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let mut mirror = Mirror::open(&space).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let at = space.put("key", every_byte.clone()).await;
    assert_eq!(space.record("key").await.unwrap().value, every_byte);
    mirror.reach(at).await;
    assert_eq!(mirror.records[&b"key"[..]].value, every_byte);
}

pub async fn a_key_that_is_no_text_can_be_deleted_but_not_put(harness: &dyn Harness) {
    let space = Space::fresh(harness);
    let keyspace = &space.keyspace;
    let mut mirror = Mirror::open(&space).await;
    for bad in [&b""[..], &b"\xff"[..], &b"a\xc3"[..]] {
        let good = || Transaction::new().put(keyspace, "good", "value");
        let error = space.refused(good().put(keyspace, bad, "value")).await;
        assert_eq!(error.kind(), &ErrorKind::Invalid, "{error}");
        // Another program may have put it, so it must be possible to delete it, guarded or not.
        let delete = Transaction::new()
            .when(keyspace, bad, Precondition::Absent)
            .delete(keyspace, bad);
        space.commit(delete).await;
    }
    assert!(space.records().await.is_empty());
    let after = space.put("after", "value").await;
    assert_eq!(mirror.next().await.revision, after.revision);
}
