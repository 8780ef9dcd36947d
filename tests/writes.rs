//! What each write does, what it answers when it cannot, and what is visible when it returns.
//!
//! Transactions over several keys have their own file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use globe::{ErrorKind, Expected, Globe, MemoryLog, Precondition, Version};
use rig::{
    answered_after, brisk, conflicts, fails_with, fresh, fresh_around, keyspace, numbers, put_all,
    until, within, write_many, write_raw,
};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_put_is_visible_here_when_it_returns_and_names_its_own_commit() {
    let map = numbers(&MemoryLog::new()).await;
    let first = map.put("a", 1).await.unwrap().position();
    let second = map.put("a", 2).await.unwrap().position();
    assert_eq!(map.get("a").as_deref(), Some(&2));
    let entry = map.get_entry("a").unwrap();
    assert_eq!(
        (entry.created().position(), entry.version().position()),
        (first, second)
    );
    assert!(map.position().unwrap().covers(second));
}

#[tokio::test]
async fn a_conflict_says_what_stands_there_and_shows_it() {
    let log = MemoryLog::new();
    let (map, other) = (numbers(&log).await, numbers(&log).await);
    log.hold_tails(true);
    let theirs = write_raw(&log, "numbers", "a", b"1").await;
    let heard = async { log.hold_tails(false) };
    let create = answered_after(map.create("a", 2), heard).await;
    let error = create.unwrap_err();
    let ErrorKind::Conflict(conflict) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(conflict.failed[0].key(), b"a");
    assert_eq!(conflict.failed[0].keyspace(), &keyspace("numbers"));
    assert_eq!(
        conflict.failed[0].found().unwrap().modified,
        theirs.revision
    );
    assert_eq!(
        map.get("a").as_deref(),
        Some(&1),
        "what stood in the way is visible"
    );
    other.sync().await.unwrap();
    assert_eq!(other.get("a").as_deref(), Some(&1), "nothing was written");
}

#[tokio::test]
async fn put_if_is_compare_and_swap() {
    let map = numbers(&MemoryLog::new()).await;
    let at = |position: globe::Position| Version::new(position.epoch, position.revision);
    conflicts(map.put_if("a", 1, Expected::Present).await);
    assert_eq!(map.get("a"), None);
    let first = map
        .put_if("a", 1, Expected::Absent)
        .await
        .unwrap()
        .position();
    let second = map.put_if("a", 2, at(first)).await.unwrap().position();
    conflicts(map.put_if("a", 3, at(first)).await);
    map.put_if("a", 4, Expected::Present).await.unwrap();
    conflicts(map.delete_if("a", at(second)).await);
    assert_eq!(map.get("a").as_deref(), Some(&4));
    map.delete_if("a", Expected::Present).await.unwrap();
    assert_eq!(map.get("a"), None);
}

#[tokio::test]
async fn a_revision_from_before_a_recreation_guards_nothing() {
    let map = numbers(&MemoryLog::new()).await;
    let old = map.put("a", 1).await.unwrap().position();
    assert!(map.delete("a").await.unwrap().replaced());
    map.create("a", 1).await.unwrap();
    let guard = Version::new(old.epoch, old.revision);
    conflicts(map.put_if("a", 2, guard).await);
}

#[tokio::test]
async fn the_last_writer_wins_though_its_replica_lags() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    map.put("a", 1).await.unwrap();
    map.put("gone", 1).await.unwrap();
    log.hold_tails(true);
    write_raw(&log, "numbers", "a", b"2").await;
    rig::delete_raw(&log, "numbers", "gone").await;
    write_raw(&log, "numbers", "new", b"2").await;
    let all = [("a", 3), ("gone", 3), ("new", 3)].map(|(key, value)| map.put(key, value));
    let puts = answered_after(futures::future::try_join_all(all), async {
        until("all are committed", || log.head_position().revision.0 >= 6).await;
        log.hold_tails(false);
    });
    puts.await.unwrap();
    for key in ["a", "gone", "new"] {
        assert_eq!(map.get(key).as_deref(), Some(&3), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_cannot_be_seen_in_time_says_that_it_is_committed() {
    let (log, map) = fresh().await;
    let map = map.with_deadline(SHORT);
    log.hold_tails(true);
    let error = map.put("a", 1).await.unwrap_err();
    let ErrorKind::Behind(position) = *error.kind() else {
        panic!("{error}");
    };
    assert_eq!(position, log.head_position());
    assert_eq!(map.get("a"), None, "not visible, as it says");
    log.hold_tails(false);
    map.sync().await.unwrap();
    assert_eq!(map.get("a").as_deref(), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_reply_is_lost_is_indeterminate_and_never_repeated() {
    let (_, around, map) = fresh_around().await;
    let map = map.with_deadline(SHORT);
    around.lose_replies(true);
    fails_with(map.put("landed", 1).await, ErrorKind::Indeterminate);
    around.lose_replies(false);
    around.lose_requests(true);
    fails_with(map.put("lost", 1).await, ErrorKind::Indeterminate);
    around.lose_requests(false);
    assert_eq!(around.calls().commits, 2);
    map.sync().await.unwrap();
    assert_eq!(map.get("landed").as_deref(), Some(&1));
    assert_eq!(map.get("lost"), None);
    assert_eq!(around.calls().commits, 2, "neither was repeated later");
}

#[tokio::test(start_paused = true)]
async fn a_write_to_a_log_that_is_down_waits_for_it_and_fails_in_time() {
    let log = MemoryLog::new();
    let map: Globe<String, u64> = Globe::builder(log.clone(), "numbers")
        .deadline(SHORT)
        .retry(SHORT / 60, SHORT / 30)
        .open()
        .await
        .unwrap();
    log.set_available(false);
    fails_with(map.put("a", 1).await, ErrorKind::Unavailable);
    // A short outage costs no error.
    let mended = async { log.set_available(true) };
    let put = answered_after(map.put("a", 2), mended).await;
    put.unwrap();
    assert_eq!(map.get("a").as_deref(), Some(&2));
}

#[tokio::test]
async fn every_write_is_guarded_so_that_no_late_copy_can_land() {
    let (_, around, map) = fresh_around().await;
    let seen = around.keep_transactions();
    map.put("a", 1).await.unwrap();
    map.put("a", 2).await.unwrap();
    map.delete("a").await.unwrap();
    put_all(&map, [("a", 1), ("b", 1)]).await;
    map.update("b", |_| 5).await.unwrap();
    map.transact(|txn| txn.put(&map, "c", 1)).await.unwrap();
    map.clear().await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 7);
    for transaction in &*seen {
        for (keyspace, key, _) in transaction.writes() {
            let guarded = transaction.preconditions().iter();
            let mut guards = guarded.filter(|(ks, k, _)| (ks, k) == (keyspace, key));
            let guard = guards.next().expect("a guard for each write");
            assert!(
                !matches!(guard.2, Precondition::Present),
                "by revision or absence"
            );
        }
    }
}

#[tokio::test]
async fn of_many_concurrent_creates_exactly_one_wins() {
    let log = MemoryLog::new();
    let mut creates = tokio::task::JoinSet::new();
    for number in 0..16 {
        let map = numbers(&log).await;
        creates.spawn(async move { (number, map.create("a", number).await) });
    }
    let outcomes = within("all are answered", creates.join_all()).await;
    let winners: Vec<u64> = outcomes
        .iter()
        .filter(|(_, r)| r.is_ok())
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(winners.len(), 1);
    for (_, outcome) in outcomes.iter().filter(|(_, r)| r.is_err()) {
        assert!(outcome.as_ref().unwrap_err().is_conflict());
    }
    assert_eq!(numbers(&log).await.get("a").as_deref(), Some(&winners[0]));
}

#[tokio::test]
async fn concurrent_updates_lose_none() {
    let log = MemoryLog::new();
    let mut updates = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let map = numbers(&log).await;
        updates.spawn(async move {
            for _ in 0..10 {
                let before = map.get("n").as_deref().copied().unwrap_or(0);
                let now = map
                    .update("n", |old| old.copied().unwrap_or(0) + 1)
                    .await
                    .unwrap();
                assert!(**now.value() > before);
            }
        });
    }
    within("all updates", updates.join_all()).await;
    assert_eq!(numbers(&log).await.get("n").as_deref(), Some(&80));
}

#[tokio::test]
async fn put_all_writes_everything_within_the_limits_and_the_last_of_a_key_counts() {
    let mut limits = globe::Capabilities::full("small");
    limits.max_operations = 7;
    let log = MemoryLog::builder().capabilities(limits).build();
    let map = numbers(&log).await;
    map.put("k003", 1000).await.unwrap();
    let before = log.head_position().revision.0;
    let entries = (0..50).chain(0..20).enumerate();
    let entries = entries.map(|(value, key)| (format!("k{key:03}"), value as u64));
    let position = map.put_all(entries).await.unwrap().position().unwrap();
    assert_eq!(log.head_position(), position);
    assert_eq!(position.revision.0 - before, 8, "50 keys, 7 at a time");
    assert_eq!(map.len(), 50);
    assert_eq!(map.get("k003").as_deref(), Some(&53), "the last one counts");
    assert_eq!(map.get("k040").as_deref(), Some(&40));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_meant_whatever_stands_there_gets_through_among_many_others() {
    let (log, map) = fresh().await;
    // What this replica knows is old from the first attempt on, and each pause makes what was found old as well.
    log.hold_tails(true);
    let others = tokio::spawn({
        let log = log.clone();
        async move {
            for value in 0_u64.. {
                let all = (0..9).map(|key| (format!("k{key}"), value.to_string()));
                write_many(&log, "numbers", all).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(5)).await;
    let free = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        log.hold_tails(false);
    };
    let entries = (0..9).map(|key| (format!("k{key}"), 1_000_000));
    let (all, one, ()) = tokio::join!(map.put_all(entries), map.put("k0", 1_000_000), free);
    let (all, one) = (all.unwrap().position().unwrap(), one.unwrap().position());
    assert!(
        all.revision.0.max(one.revision.0) < 50,
        "{all} {one}: at the second attempt"
    );
    others.abort();
}

#[tokio::test]
async fn delete_prefix_takes_what_was_committed_before_it_and_nothing_else() {
    let (log, map) = fresh().await;
    put_all(&map, ["a/1", "a/2", "ab", "b"].map(|key| (key, 1))).await;
    write_raw(&log, "numbers", "a/3", b"3").await;
    write_raw(&log, "numbers", "a/bad", b"bad").await;
    assert_eq!(
        map.delete_prefix("a/").await.unwrap().count(),
        4,
        "also what this replica had not seen"
    );
    let view = map.view();
    let left: Vec<&str> = view.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(left, ["ab", "b"]);
    assert!(map.quarantine().is_empty());
}

#[tokio::test]
async fn an_empty_value_is_not_an_absent_key() {
    let log = MemoryLog::new();
    let map: Globe<String, ()> = Globe::open(log, "units").await.unwrap();
    map.put("a", ()).await.unwrap();
    assert!(map.contains_key("a"));
    conflicts(map.create("a", ()).await);
}
