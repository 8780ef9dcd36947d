//! What a write says that it did, and what a closure may decide: put, delete, keep, refuse.
//!
//! Whoever comes in between does so from inside the closure, so that no clock decides anything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use futures::FutureExt;
use globe::log_client::Transaction;
use globe::{Consistency, Edit, Error, ErrorKind, Expected, LogClient, MemoryLog};
use globe_faulty::{Fault, Faults, FaultyLog};
use rig::every::{all_fail_with, every_write};
use rig::{
    answered_after, brisk, come_between, conflicts, delete_raw, fails_with, fresh, fresh_around,
    keyspace, numbers, put_all, until, within, write_raw,
};
use tokio::time::Instant;

#[derive(Debug, PartialEq)]
enum Refusal {
    SoldOut,
    Log(ErrorKind),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Log(error.kind().clone())
    }
}

#[tokio::test]
async fn every_write_of_a_key_says_where_as_what_and_whether_something_stood_there() {
    let (log, map) = fresh().await;
    let created = map.create("a", 1).await.unwrap();
    let put = map.put("a", 2).await.unwrap();
    let detached = map.put_detached("a", 3).await.unwrap();
    let at = detached.version().unwrap();
    let swapped = map.put_if("a", 4, at).await.unwrap();
    let over = map.put_if("a", 5, Expected::Present).await.unwrap();
    assert_eq!(
        map.get_entry("a").map(|entry| entry.version()),
        over.version()
    );
    let deleted = map.delete_if("a", Expected::Present).await.unwrap();
    let again = map.put("a", 6).await.unwrap();
    let deleted_at = map.delete_if("a", again.version().unwrap()).await.unwrap();
    let last = map.put("a", 7).await.unwrap();
    let plainly = map.delete("a").await.unwrap();
    assert_eq!(map.get("a"), None);
    let head = log.head_position();
    let of_nothing = map.delete("a").await.unwrap();
    let of_absent = map.delete_if("a", Expected::Absent).await.unwrap();
    let said = [
        created, put, detached, swapped, over, deleted, again, deleted_at, last, plainly,
    ];
    assert_eq!(
        said.map(|written| written.replaced()),
        [
            false, true, true, true, true, true, false, true, false, true
        ]
    );
    for (written, next) in said.iter().zip(&said[1..]) {
        assert_eq!(written.position().revision.next(), next.position().revision);
    }
    for nothing in [of_nothing, of_absent] {
        assert!(!nothing.replaced());
        assert_eq!((nothing.position(), nothing.version()), (head, None));
    }
}

#[tokio::test]
async fn what_a_replica_that_lags_replaced_is_what_the_log_said() {
    let log = MemoryLog::new();
    let map = brisk(&log).await;
    map.put("gone", 1).await.unwrap();
    log.hold_tails(true);
    delete_raw(&log, "numbers", "gone").await;
    write_raw(&log, "numbers", "new", b"2").await;
    write_raw(&log, "numbers", "unseen", b"2").await;
    let writes =
        futures::future::try_join3(map.delete("gone"), map.put("new", 3), map.delete("unseen"));
    let (gone, new, unseen) = answered_after(writes, async {
        until("the last is committed", || {
            log.head_position().revision.0 >= 7
        })
        .await;
        log.hold_tails(false);
    })
    .await
    .unwrap();
    assert_eq!((gone.replaced(), new.replaced()), (false, true));
    assert!(unseen.replaced());
    assert_eq!(map.get("unseen"), None);
}

#[tokio::test(start_paused = true)]
async fn a_write_of_what_must_be_present_never_claims_a_commit_that_was_none() {
    let (log, map) = fresh().await;
    log.hold_tails(true);
    write_raw(&log, "numbers", "other", b"1").await;
    // What the log says of the absent key cannot be seen here by the deadline.
    let hasty = map.with_deadline(Duration::from_millis(300));
    conflicts(hasty.put_if("a", 1, Expected::Present).await);
    conflicts(hasty.delete_if("a", Expected::Present).await);
}

#[tokio::test]
async fn a_write_of_many_says_its_newest_position_and_how_many() {
    let (log, map) = fresh().await;
    let none = map.put_all([]).await.unwrap();
    assert_eq!((none.position(), none.count()), (None, 0));
    let entries = (0..300).map(|key| (format!("k{key:03}"), key));
    let all = map.put_all(entries).await.unwrap();
    assert_eq!(
        (all.position(), all.count()),
        (Some(log.head_position()), 300)
    );
    let some = map.delete_prefix("k00").await.unwrap();
    assert_eq!(
        (some.position(), some.count()),
        (Some(log.head_position()), 10)
    );
    let none = map.delete_prefix("k00").await.unwrap();
    assert_eq!((none.position(), none.count()), (None, 0));
}

#[tokio::test]
async fn an_empty_prefix_wipes_nothing_and_names_what_does() {
    let (log, map) = fresh().await;
    put_all(&map, [("a", 1), ("b", 2)]).await;
    write_raw(&log, "numbers", "bad", b"bad").await;
    let refused = fails_with(map.delete_prefix("").await, ErrorKind::Invalid);
    assert!(refused.to_string().contains("clear"), "{refused}");
    assert_eq!(map.len(), 2);
    assert_eq!(map.clear().await.unwrap().count(), 3, "bad ones as well");
    assert!(map.is_empty() && map.quarantine().is_empty());
}

#[tokio::test]
async fn an_update_returns_the_very_entry_that_stands_there() {
    let (log, map) = fresh().await;
    let lease = log.grant(Duration::from_secs(60)).await.unwrap().id;
    let leased = Transaction::new().put_leased(&keyspace("numbers"), "a", "1", lease);
    let first = log.commit(leased).await.unwrap();
    map.view_at(Consistency::AtLeast(first)).await.unwrap();
    let updated = map.update("a", |old| old.unwrap() + 1).await.unwrap();
    assert_eq!(Some(&updated), map.get_entry("a").as_ref());
    assert_eq!(updated.created().position(), first);
    assert_eq!((**updated.value(), updated.lease()), (2, Some(lease)));
    let new = map.update("new", |_| 7).await.unwrap();
    assert_eq!(Some(&new), map.get_entry("new").as_ref());
    assert_eq!(new.created(), new.version());
    map.put_if("new", 8, new.version()).await.unwrap();
}

#[tokio::test]
async fn an_edit_puts_deletes_or_keeps_and_says_what_stands_there() {
    let (log, map) = fresh().await;
    let edit = async |edit: Edit<u64>| map.try_update("a", |_| Ok::<_, Error>(edit)).await.unwrap();
    let put = edit(Edit::Put(1)).await;
    assert!(!put.replaced());
    assert_eq!(put.entry(), map.get_entry("a").as_ref());
    assert_eq!(put.position(), log.head_position());
    let over = edit(Edit::Put(2)).await;
    assert!(over.replaced());
    assert_eq!(over.entry(), map.get_entry("a").as_ref());
    let kept = edit(Edit::Keep).await;
    assert_eq!((kept.replaced(), kept.entry()), (false, over.entry()));
    assert_eq!(kept.position(), over.position(), "it writes nothing");
    let deleted = edit(Edit::Delete).await;
    assert_eq!((deleted.replaced(), deleted.entry()), (true, None));
    assert_eq!(map.get("a"), None);
    let of_nothing = edit(Edit::Delete).await;
    assert_eq!((of_nothing.replaced(), of_nothing.entry()), (false, None));
    assert_eq!(edit(Edit::Keep).await.entry(), None);
}

#[tokio::test]
async fn what_is_kept_is_proved_and_decided_again_when_it_was_overtaken() {
    let (log, map) = fresh().await;
    map.put("a", 1).await.unwrap();
    let mut seen = Vec::new();
    let kept = map.try_update("a", |old| {
        seen.push(old.copied());
        if seen.len() == 1 {
            come_between(&log, [("a", 2)]);
        }
        Ok::<_, Error>(Edit::Keep)
    });
    let kept = within("the answer", kept).await.unwrap();
    assert_eq!(kept.entry().map(|entry| **entry.value()), Some(2));
    assert_eq!(seen, [Some(1), Some(2)]);
}

#[tokio::test]
async fn a_refusal_is_the_callers_own_and_nothing_is_sent() {
    let (log, around, map) = fresh_around().await;
    let refused = map.try_update("a", |_| Err(Refusal::SoldOut)).await;
    assert_eq!(refused.unwrap_err(), Refusal::SoldOut);
    let refused = map.try_transact(|txn| {
        txn.put(&map, "a", 1)?;
        Err::<(), _>(Refusal::SoldOut)
    });
    assert_eq!(refused.await.unwrap_err(), Refusal::SoldOut);
    assert_eq!(around.calls().commits, 0);
    // The log's own errors come as the caller's.
    log.set_available(false);
    let hasty = map.with_deadline(Duration::from_millis(20));
    let away = hasty
        .try_update("a", |_| Ok::<_, Refusal>(Edit::Put(1)))
        .await;
    assert_eq!(away.unwrap_err(), Refusal::Log(ErrorKind::Unavailable));
    assert_eq!(map.get("a"), None);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_of_its_handle_and_of_no_other() {
    let (log, map) = fresh().await;
    let hasty = map.with_deadline(Duration::from_millis(300)).clone();
    log.set_available(false);
    let calls: [(&str, futures::future::BoxFuture<'_, Option<Error>>); 4] = [
        ("put", hasty.put("a", 1).map(Result::err).boxed()),
        ("sync", hasty.sync().map(Result::err).boxed()),
        (
            "view_at",
            hasty
                .view_at(Consistency::Linearizable)
                .map(Result::err)
                .boxed(),
        ),
        (
            "transact",
            hasty
                .transact(|txn| txn.put(&hasty, "a", 1))
                .map(Result::err)
                .boxed(),
        ),
    ];
    for (name, call) in calls {
        let asked = tokio::time::Instant::now();
        let error = call.await.expect(name);
        assert_eq!(*error.kind(), ErrorKind::Unavailable, "{name}: {error}");
        assert!(asked.elapsed() <= Duration::from_millis(300), "{name}");
    }
    // It has the builder's ten seconds.
    let patient = answered_after(map.put("a", 2), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        log.set_available(true);
    });
    patient.await.unwrap();
    assert_eq!(hasty.get("a").as_deref(), Some(&2), "it is the same map");
}

#[tokio::test]
async fn a_deadline_that_cannot_be_meant_is_refused_by_each_call_that_would_wait() {
    let (_, around, map) = fresh_around().await;
    for bad in [Duration::ZERO, Duration::MAX] {
        let bad = map.with_deadline(bad);
        let others = [
            ("delete_prefix", bad.delete_prefix("a").await.map(drop)),
            ("sync", bad.sync().await.map(drop)),
            ("view_at", bad.view_at(Consistency::Local).await.map(drop)),
        ];
        all_fail_with(every_write(&bad, "a").await, &ErrorKind::Invalid);
        all_fail_with(others.into(), &ErrorKind::Invalid);
        assert_eq!(bad.get("a"), None);
    }
    assert_eq!(around.calls().commits, 0);
}

#[tokio::test]
async fn a_transaction_reads_versions_and_ranges_with_what_it_wrote() {
    let (log, map) = fresh().await;
    put_all(&map, ["a", "b", "c", "d"].map(|key| (key, 1))).await;
    let before = map.get_entry("a");
    let read = map.transact(|txn| {
        txn.put(&map, "bb", 2)?;
        txn.put(&map, "c", 2)?;
        txn.delete(&map, "d")?;
        let entry = txn.get_entry(&map, "a")?;
        assert_eq!(txn.get_entry(&map, "d")?, None);
        fails_with(txn.get_entry(&map, "c"), ErrorKind::Invalid);
        assert!(txn.contains_key(&map, "bb")? && !txn.contains_key(&map, "d")?);
        let range = txn.range(&map, "b".."d")?;
        Ok((entry, range, txn.prefix(&map, "b")?, txn.prefix(&map, "")?))
    });
    let read = within("the transaction", read).await.unwrap();
    assert_eq!(read.position(), log.head_position());
    let (entry, range, prefix, all) = read.into_value();
    assert_eq!(entry, before);
    let flat = |entries: Vec<(String, std::sync::Arc<u64>)>| -> Vec<(String, u64)> {
        entries
            .into_iter()
            .map(|(key, value)| (key, *value))
            .collect()
    };
    let entry = |key: &str, value| (key.to_owned(), value);
    assert_eq!(flat(range), [entry("b", 1), entry("bb", 2), entry("c", 2)]);
    assert_eq!(flat(prefix), [entry("b", 1), entry("bb", 2)]);
    assert_eq!(
        flat(all),
        [entry("a", 1), entry("b", 1), entry("bb", 2), entry("c", 2)]
    );
}

#[tokio::test]
async fn every_key_of_a_range_is_validated_but_none_that_appears_in_it_later() {
    let (log, map) = fresh().await;
    put_all(&map, [("a", 1), ("b", 1)]).await;
    for (key, attempts) in [("b", 2), ("c", 1)] {
        let mut calls = 0;
        let sum = map.transact(|txn| {
            calls += 1;
            let entries = txn.range(&map, "a"..)?;
            if calls == 1 {
                come_between(&log, [(key, 10)]);
            }
            let sum = entries.iter().map(|(_, value)| **value).sum();
            txn.put(&map, "Sum", sum)
        });
        within("the transaction", sum).await.unwrap();
        assert_eq!(calls, attempts, "{key} came in between");
        assert_eq!(map.get("Sum").as_deref(), Some(&11), "without c");
    }
}

#[tokio::test]
async fn a_range_over_the_logs_limit_or_over_a_bad_value_is_refused() {
    let (log, map) = fresh().await;
    let entries = (0..200).map(|key| (format!("k{key:03}"), 1));
    map.put_all(entries).await.unwrap();
    let read = map.transact(|txn| txn.prefix(&map, "k")).await.unwrap_err();
    let too_large = matches!(
        *read.kind(),
        ErrorKind::TooLarge {
            limit: 128,
            actual: 200,
            ..
        }
    );
    assert!(too_large, "{read}");
    write_raw(&log, "numbers", "bad", b"bad").await;
    until("it is listed", || map.quarantine().len() == 1).await;
    let refused = map.transact(|txn| txn.prefix(&map, "b")).await;
    fails_with(refused, ErrorKind::Codec);
    let beside = map.transact(|txn| txn.prefix(&map, "k00")).await.unwrap();
    assert_eq!(beside.value().len(), 10);
}

/// A commit that is longer on its way to the log than anybody waits. That it never got there only the log can say.
#[tokio::test(start_paused = true)]
async fn a_log_that_takes_all_the_time_it_is_given_answers_for_itself() {
    let log = FaultyLog::builder(MemoryLog::new()).build();
    let map = numbers(&log).await;
    let long = Duration::from_secs(3_600);
    log.set_faults(Faults::none().with(Fault::Delay, 1.0).delay(long));
    for deadline in [50, 200].map(Duration::from_millis) {
        let asked = Instant::now();
        let refused = map.with_deadline(deadline).put("a", 1).await.unwrap_err();
        assert_eq!(*refused.kind(), ErrorKind::Unavailable, "{refused}");
        assert!(asked.elapsed() < deadline * 2, "{:?}", asked.elapsed());
    }
}
